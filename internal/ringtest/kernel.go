//go:build linux

package ringtest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-liburing/liburing"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// Knows reports whether the kernel knows an operation.
func Knows(t testing.TB, op liburing.Op) bool {
	t.Helper()
	p, err := liburing.GetProbe()
	require.NoError(t, err)
	return p.OpcodeSupported(op)
}

// NeedsOps skips the test on a kernel that does not know the operations. One
// that came with the same kernel stands for what the probe does not tell.
func NeedsOps(t testing.TB, ops ...liburing.Op) {
	t.Helper()
	p, err := liburing.GetProbe()
	require.NoError(t, err)
	for _, op := range ops {
		if !p.OpcodeSupported(op) {
			t.Skipf("this kernel does not know %v (the last it knows is %v)", op, p.LastOp())
		}
	}
}

// NeedsFeatures skips the test on a kernel that does not have all of them.
func NeedsFeatures(t testing.TB, all ...liburing.Feature) {
	t.Helper()
	err := liburing.Require(all...)
	if err == nil {
		return
	}
	lacks := (*liburing.RequireError)(nil)
	require.ErrorAs(t, err, &lacks)
	var names []string
	for _, m := range lacks.Missing {
		require.ErrorIs(t, m.Err, liburing.ErrNotSupported)
		for _, f := range m.Features {
			names = append(names, f.String())
		}
	}
	t.Skip("this kernel does not know", strings.Join(names, ", "))
}

// NeedsSetup skips the test on a kernel that does not know the setup flags.
func NeedsSetup(t testing.TB, flags liburing.SetupFlags) {
	t.Helper()
	r, err := liburing.New(1, liburing.WithFlags(flags))
	SkipOldKernel(t, err)
	require.NoError(t, err)
	require.NoError(t, r.Close())
}

// SkipOldKernel skips the test if err is that of a setup with a flag that this
// kernel does not know, or does wrong, which the library finds out by trying.
func SkipOldKernel(t testing.TB, err error) {
	t.Helper()
	if op := (*liburing.OpError)(nil); errors.As(err, &op) &&
		(strings.HasPrefix(op.Hint, "this kernel does not know ") || strings.HasPrefix(op.Hint, "this kernel loses completions ")) {
		t.Skip(op.Hint)
	}
}

// NeedsTool skips a test that runs a program where there is none: the compiled
// tests were taken elsewhere, as scripts/kernels.sh does.
func NeedsTool(t testing.TB, name string) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Skip(err)
	}
}

// KernelBefore reports whether the kernel is older than a version.
func KernelBefore(major, minor int) bool {
	var uts unix.Utsname
	if err := unix.Uname(&uts); err != nil {
		panic(err)
	}
	var gotMajor, gotMinor int
	if _, err := fmt.Sscanf(unix.ByteSliceToString(uts.Release[:]), "%d.%d", &gotMajor, &gotMinor); err != nil {
		panic(err)
	}
	return gotMajor < major || gotMajor == major && gotMinor < minor
}

// NeedsKernel skips a test of what came with a later kernel and no probe tells of.
func NeedsKernel(t testing.TB, major, minor int) {
	t.Helper()
	if KernelBefore(major, minor) {
		t.Skipf("it came with Linux %d.%d", major, minor)
	}
}

// NeedsLiburing skips a test of a function that the linked liburing does not have,
// after seeing that err, which the function has returned, says so.
func NeedsLiburing(t testing.TB, err error, minor int) {
	t.Helper()
	if liburing.CheckVersion(2, minor) {
		require.ErrorIs(t, err, liburing.ErrNotSupported)
		t.Skipf("liburing %s is linked, the function came with 2.%d", liburing.Version(), minor)
	}
}

// NeedsSyncCancel skips where the kernel cancels through the queue only.
func NeedsSyncCancel(t testing.TB) {
	t.Helper()
	_, err := NewRing(t, 1).RegisterSyncCancel(liburing.SyncCancelReg{Addr: 1, Timeout: liburing.NoTimeout})
	if errors.Is(err, unix.EINVAL) {
		t.Skip("this kernel can't cancel without the queue")
	}
	require.ErrorIs(t, err, unix.ENOENT)
}

// RequireCancelled asserts that a request was cancelled while it waited. Where a
// worker waits for it, as behind a link, it is interrupted instead.
func RequireCancelled(t testing.TB, err error) {
	t.Helper()
	if KernelBefore(6, 4) && errors.Is(err, unix.EINTR) { // pipes block in workers
		return
	}
	require.ErrorIs(t, err, unix.ECANCELED)
}

// IsAny reports whether err is an *OpError of one of the errnos.
func IsAny(err error, all ...unix.Errno) bool {
	op, ok := err.(*liburing.OpError)
	if !ok {
		return false
	}
	for _, errno := range all {
		if op.Err == error(errno) {
			return true
		}
	}
	return false
}

// Workers maps the kernel's worker threads of this process, by their folders in /proc,
// to how often they have gone to sleep, which is when they have nothing to do.
func Workers(t testing.TB) map[string]string {
	t.Helper()
	found := map[string]string{}
	tasks, err := filepath.Glob("/proc/self/task/*")
	require.NoError(t, err)
	for _, task := range tasks {
		comm, err := os.ReadFile(task + "/comm")
		if err != nil || !strings.HasPrefix(string(comm), "iou-wrk-") {
			continue
		}
		status, _ := os.ReadFile(task + "/status")
		_, found[task], _ = strings.Cut(string(status), "\nvoluntary_ctxt_switches:")
	}
	return found
}
