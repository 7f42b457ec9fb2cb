//go:build linux

package sandbox_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/doctor"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// In a child process this test binary brings about the hardship that the variable names,
// uses io_uring, and prints how that went.
const (
	childEnv = "LIBURING_TEST_SANDBOX"
	dirEnv   = "LIBURING_TEST_SANDBOX_DIR"  // a folder that the child may write to
	wordEnv  = "LIBURING_TEST_SANDBOX_WORD" // a number for the hardship
)

// report is how a child has fared. Errors are their texts, empty where there was none.
type report struct {
	Skip string // why the hardship could not be brought about

	Ring, Loop string // setting one up and having a no-op go through it
	Require    string
	Available  string   // what ringio says
	Causes     []string // and is, see causes
	Why        string   // why ringio goes without a ring
	Log        []entry  // what ringio logs
	Files      string   // using files of ringio
	Conns      string   // and connections
	Shutdown   string
	Fallback   bool // ringio goes without a ring
	Usable     bool // what doctor says
	Doctor     []doctor.Finding
	Left       string // descriptors and goroutines that were left behind
	Said       string // what the hardship adds
	Release    string // the kernel's, as doctor tells it
	Numbers    []int  // that it adds
}

// hardships are those of all tests.
var hardships = map[string]hardship{}

// with adds hardships to those that there are.
func with(some map[string]hardship) bool {
	maps.Copy(hardships, some)
	return true
}

// hardship is what is brought about.
type hardship struct {
	deadly bool                                 // some kernels kill for it
	attr   func(t *testing.T, cmd *exec.Cmd)    // what the parent does, nil: nothing
	begin  func() error                         // what the child does before it looks, nil: nothing
	do     func(ctx context.Context, r *report) // what it does then, nil: use
}

func child(name string) int {
	var r report
	beginLog()
	h := hardships[name]
	if h.begin != nil {
		if err := h.begin(); err != nil {
			r.Skip = err.Error()
		}
	}
	if r.Skip == "" {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		do := h.do
		if do == nil {
			do = use
		}
		do(ctx, &r)
	}
	if err := json.NewEncoder(os.Stdout).Encode(r); err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

// under runs a child under a hardship.
func under(t *testing.T, name string, env ...string) report {
	t.Helper()
	h, ok := hardships[name]
	require.True(t, ok, name)
	dir := t.TempDir()
	for d := dir; d != os.TempDir() && len(d) > 1; d = filepath.Dir(d) { // it may become another user
		require.NoError(t, os.Chmod(d, 0o777))
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(append(os.Environ(), childEnv+"="+name, dirEnv+"="+dir), env...)
	cmd.SysProcAttr = new(syscall.SysProcAttr)
	if h.attr != nil {
		h.attr(t, cmd)
	}
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if state := cmd.ProcessState; h.deadly && state != nil && state.Sys().(syscall.WaitStatus).Signal() == unix.SIGKILL && ctx.Err() == nil {
		t.Skip("the kernel has killed the process, for want of memory in its control group")
	}
	require.NoError(t, err, "%s", out)
	var r report
	require.NoError(t, json.Unmarshal(out, &r), "%s", out)
	if r.Skip != "" {
		t.Skip(r.Skip)
	}
	return r
}

// use uses a ring, a loop, Require, ringio and doctor, and looks for what is left then.
func use(ctx context.Context, r *report) {
	useRingio(ctx, r)
	fds, goroutines := descriptors(), runtime.NumGoroutine()
	for range 2 {
		useRing(r)
		useLoop(ctx, r)
		r.Require = text(liburing.Require(liburing.OpNop, liburing.RegisterProbe, liburing.FeatNodrop))
	}
	d := doctor.Diagnose()
	r.Usable, r.Release, r.Doctor = d.Usable, d.Kernel, d.Findings
	r.Left += left(fds, goroutines)
}

func useRing(r *report) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	ring, err := liburing.New(64)
	if err == nil {
		ring.GetSQE().PrepNop()
		_, err = ring.SubmitAndWait(1)
		ring.Close()
	}
	r.Ring = text(err)
}

func useLoop(ctx context.Context, r *report) {
	loop, err := liburing.NewLoop(64)
	if err == nil {
		loop.Nop(func(c liburing.Completion) { err = c.Err() })
		err = errors.Join(loop.RunUntilIdle(ctx), err)
		loop.Close(ctx)
	}
	r.Loop = text(err)
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// descriptors counts the open ones. There may be no /proc to look into.
func descriptors() (n int) {
	for fd := range 1024 {
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil {
			n++
		}
	}
	return n
}

// left waits a moment for what is about to end, and says what is more than there was.
func left(fds, goroutines int) string {
	for range 100 {
		if descriptors() <= fds && runtime.NumGoroutine() <= goroutines {
			return ""
		}
		runtime.GC()
		time.Sleep(10 * time.Millisecond)
	}
	return fmt.Sprintf("%d descriptors instead of %d, %d goroutines instead of %d", descriptors(), fds, runtime.NumGoroutine(), goroutines)
}

// requireUsable asserts that all works, with a ring.
func requireUsable(t *testing.T, r report) {
	t.Helper()
	for what, err := range map[string]string{"New": r.Ring, "NewLoop": r.Loop, "Require": r.Require, "Available": r.Available} {
		require.Empty(t, err, what)
	}
	require.False(t, r.Fallback)
	require.True(t, r.Usable, "%+v", r.Doctor)
	requireClean(t, r)
}

// requireClean asserts that files and connections were used all the same, that ringio has said
// once why it goes without a ring, and that nothing was left.
func requireClean(t *testing.T, r report) {
	t.Helper()
	require.Empty(t, r.Files)
	require.Empty(t, r.Conns)
	if r.Fallback {
		require.NotEmpty(t, r.Available)
		require.Equal(t, []entry{{"ringio goes without io_uring", r.Why}}, r.Log)
	} else {
		require.Empty(t, r.Why)
		require.Empty(t, r.Log)
	}
	require.Empty(t, r.Left)
}

// requireSaid asserts that an error has all of some words.
func requireSaid(t *testing.T, what, err string, words ...string) {
	t.Helper()
	for _, word := range words {
		require.Contains(t, err, word, what)
	}
}

// failures returns what doctor says of what makes io_uring unusable.
func failures(r report) (text string) {
	for _, f := range r.Doctor {
		if f.Status == doctor.Fail {
			text += fmt.Sprintf("%s: %s: %s -> %s\n", f.Check, f.Found, f.Means, f.Do)
		}
	}
	return text
}
