//go:build linux

package faults_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// kills is how often something is killed.
func kills() int {
	if long {
		return 200
	}
	return 8
}

// A copy that is killed leaves no half of a file under the name that it was to get: there
// is nothing, or the whole.
func TestKilledCopy(t *testing.T) {
	ringtest.NeedsTool(t, "go")
	uring := filepath.Join(t.TempDir(), "uring")
	out, err := exec.Command("go", "build", "-o", uring, "../../cmd/uring").CombinedOutput()
	require.NoError(t, err, "%s", out)
	dir := t.TempDir()
	from, to := filepath.Join(dir, "from"), filepath.Join(dir, "to")
	content := ringtest.Pattern(16<<20, 1)
	require.NoError(t, os.WriteFile(from, content, 0o600))
	halves, wholes := 0, 0
	for range kills() {
		require.NoError(t, ignoreMissing(os.Remove(to)))
		cmd := exec.Command(uring, "cp", from, to)
		require.NoError(t, cmd.Start())
		time.Sleep(time.Duration(rand.IntN(30_000)) * time.Microsecond)
		require.NoError(t, cmd.Process.Kill())
		cmd.Wait()
		if got, err := os.ReadFile(to); err == nil {
			wholes++
			requireSame(t, content, got)
		}
		left, err := filepath.Glob(filepath.Join(dir, ".uring-cp-*"))
		require.NoError(t, err)
		halves += len(left)
		for _, name := range left {
			os.Remove(name)
		}
	}
	t.Logf("%d whole copies, %d halves under other names", wholes, halves)
	out, err = exec.Command(uring, "cp", from, to).CombinedOutput()
	require.NoError(t, err, "%s", out)
	got, err := os.ReadFile(to)
	require.NoError(t, err)
	requireSame(t, content, got)
}

func ignoreMissing(err error) error {
	if os.IsNotExist(err) {
		return nil
	}
	return err
}

// The victim writes files in chains (write, fsync, rename) until it is killed. It is not
// root, and may lock little memory, most of which its ring has.

func init() { programs["victim"] = victim }

const (
	lockable    = 2 << 20
	victimLocks = 1200 << 10 // more than half of it
	victimFile  = 32 << 10
)

func victim() int {
	dir, port, sqPoll := os.Args[1], os.Args[2], os.Args[3] == "sqpoll"
	if os.Getuid() == 0 {
		limit := unix.Rlimit{Cur: lockable, Max: lockable}
		if err := unix.Setrlimit(unix.RLIMIT_MEMLOCK, &limit); err != nil {
			return fatal(err)
		}
		if err := syscall.Setuid(100000 + os.Getppid()); err != nil { // all victims of a test are one user
			return fatal(err)
		}
	}
	var opts []liburing.Option
	if sqPoll {
		opts = append(opts, liburing.WithSQPoll(time.Second))
	}
	l, err := liburing.NewLoop(64, opts...)
	if err != nil {
		return fatal(err)
	}
	if err := occupy(l, port); err != nil {
		return fatal(err)
	}
	v := &writerOfFiles{l: l, dir: dir}
	for i := range 4 {
		v.write(i)
	}
	l.Every(time.Hour, func() {})
	return fatal(l.Run(context.Background()))
}

// occupy has the ring hold locked memory and a port, by a socket that only it has.
func occupy(l *liburing.Loop, port string) error {
	pool, err := liburing.NewBufferPool(1, victimLocks)
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		return err
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := unix.Bind(fd, &unix.SockaddrInet4{Port: n, Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return err
	}
	if err := unix.Listen(fd, 1); err != nil {
		return err
	}
	return l.Control(func(r *liburing.Ring) error {
		if err := r.RegisterBuffers(pool.Buffers()); err != nil {
			return err
		}
		return r.RegisterFiles([]int{fd})
	})
}

type writerOfFiles struct {
	l    *liburing.Loop
	dir  string
	done int
}

// write writes file i, and then the next of its kind.
func (v *writerOfFiles) write(i int) {
	name := filepath.Join(v.dir, strconv.Itoa(i))
	f, err := os.Create(name + ".new")
	if err != nil {
		v.l.Fail(err)
		return
	}
	told := func(c liburing.Completion) {
		if c.Err() != nil {
			v.l.Fail(c.Err())
		}
	}
	v.l.Write(int(f.Fd()), ringtest.Pattern(victimFile, byte(i)), 0, told).LinkNext()
	v.l.Fsync(int(f.Fd()), 0, told).LinkNext()
	v.l.Rename(name+".new", name, func(c liburing.Completion) {
		told(c)
		f.Close()
		if v.done++; v.done == 1 {
			fmt.Println("going")
		}
		v.write(i + 4)
	})
}

func TestKilledInChain(t *testing.T) {
	ringtest.NeedsOps(t, liburing.OpRenameat)
	for _, kind := range []string{"plain", "sqpoll"} {
		t.Run(kind, func(t *testing.T) {
			whole := 0
			port := freePort(t)
			for n := range kills() {
				dir := publicDir(t)
				pid := killVictim(t, dir, port, kind)
				whole += requireWhole(t, dir)
				requireFreed(t, pid, n)
			}
			require.NotZero(t, whole)
		})
	}
}

// freePort returns a port that is free for each victim.
func freePort(t *testing.T) string {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	defer unix.Close(fd)
	require.NoError(t, unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	return strconv.Itoa(port(t, fd).Port)
}

// publicDir returns a folder that anybody may write to.
func publicDir(t *testing.T) string {
	dir := t.TempDir()
	for d := dir; d != os.TempDir() && len(d) > 1; d = filepath.Dir(d) {
		os.Chmod(d, 0o777)
	}
	return dir
}

// killVictim kills a victim at its work. That it can begin shows that the one before has
// left nothing locked, and no port taken; the kernel may need a moment.
func killVictim(t *testing.T, dir, port, kind string) (pid int) {
	t.Helper()
	var said string
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		var errs bytes.Buffer
		cmd := program(context.Background(), "victim", dir, port, kind)
		cmd.Stderr = &errs
		out, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		line, _ := bufio.NewReader(out).ReadString('\n')
		if line == "going\n" {
			time.Sleep(time.Duration(rand.IntN(10_000)) * time.Microsecond)
		}
		cmd.Process.Kill()
		cmd.Wait()
		if line == "going\n" {
			return cmd.Process.Pid
		}
		said = errs.String()
	}
	require.FailNow(t, "it does not begin", said)
	return 0
}

// requireWhole asserts that each file that has got its name is whole.
func requireWhole(t *testing.T, dir string) (n int) {
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range entries {
		i, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		got, err := os.ReadFile(filepath.Join(dir, e.Name()))
		require.NoError(t, err)
		requireSame(t, ringtest.Pattern(victimFile, byte(i)), got)
		n++
	}
	return n
}

// requireFreed waits until the kernel has no thread of a killed process any more.
func requireFreed(t *testing.T, pid, n int) {
	t.Helper()
	threads := func() (left []string) {
		comms, _ := filepath.Glob("/proc/[0-9]*/task/*/comm")
		for _, comm := range comms {
			name, _ := os.ReadFile(comm)
			if s := strings.TrimSpace(string(name)); s == fmt.Sprintf("iou-sqp-%d", pid) || s == fmt.Sprintf("iou-wrk-%d", pid) {
				left = append(left, s)
			}
		}
		return left
	}
	require.Eventually(t, func() bool { return len(threads()) == 0 }, patience, 5*time.Millisecond, "victim %d: %v", n, threads())
	require.ErrorIs(t, unix.Kill(pid, 0), unix.ESRCH)
}
