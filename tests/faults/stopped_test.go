//go:build linux

package faults_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/go-liburing/liburing/ringio"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// The worker is a process that works in several loops and an engine: it reads lines and
// answers each when all of them have done something, then waits for the next.

func init() { programs["worker"] = work }

func work() int {
	err := func() error {
		var loops []*liburing.Loop
		for _, s := range ringtest.Setups[:4] {
			l, err := liburing.NewLoop(8, s.Opts...)
			if err != nil {
				continue // an old kernel
			}
			defer l.Close(context.Background())
			go l.Run(context.Background())
			loops = append(loops, l)
		}
		e, err := ringio.New(ringio.Options{})
		if err != nil {
			return err
		}
		dir, err := os.MkdirTemp("", "worker")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		stopTicks, ticks := tick(loops[0])
		defer stopTicks()
		for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
			if err := errors.Join(useLoops(loops), useFile(e, filepath.Join(dir, "file")), useConn(e), usePipe(e)); err != nil {
				return err
			}
			fmt.Println("done", ticks())
		}
		return e.Shutdown(context.Background())
	}()
	if err != nil {
		return fatal(err)
	}
	return 0
}

// tick has a timer of a loop count.
func tick(l *liburing.Loop) (stop func(), count func() int) {
	n := 0
	var timer *liburing.Timer
	l.Post(func() { timer = l.Every(time.Millisecond, func() { n++ }) })
	call := func(f func()) {
		done := make(chan struct{})
		if l.Post(func() { f(); close(done) }) == nil {
			<-done
		}
	}
	return func() { call(func() { timer.Stop() }) }, func() (now int) {
		call(func() { now = n })
		return now
	}
}

// useLoops has bytes go through a pipe on each of the loops.
func useLoops(loops []*liburing.Loop) (err error) {
	for _, l := range loops {
		var fds [2]int
		if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
			return err
		}
		got, told := make([]byte, 8), make(chan error, 1)
		l.Post(func() {
			read := func(cb liburing.Callback) liburing.Request { return l.Read(fds[0], got, 0, cb) }
			write := func(cb liburing.Callback) liburing.Request { return l.Write(fds[1], []byte("8 bytes."), 0, cb) }
			untilDone(l, read, func(c liburing.Completion) { told <- c.Err() })
			l.After(time.Millisecond, func() { untilDone(l, write, func(liburing.Completion) {}) })
		})
		err = errors.Join(err, within(told))
		if string(got) != "8 bytes." {
			err = errors.Join(err, fmt.Errorf("read %q", got))
		}
		unix.Close(fds[0])
		unix.Close(fds[1])
	}
	return err
}

// worker is the parent's side.
type worker struct {
	t    *testing.T
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Reader
	errs *bytes.Buffer
	pid  int
}

func newWorker(t *testing.T, env ...string) *worker {
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	cmd := program(ctx, "worker")
	cmd.Env = append(cmd.Env, env...)
	w := &worker{t: t, cmd: cmd, errs: new(bytes.Buffer)}
	cmd.Stderr = w.errs
	var err error
	w.in, err = cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	w.out = bufio.NewReader(out)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		cancel()
		cmd.Wait() // an error if the test has waited
	})
	w.pid = cmd.Process.Pid
	return w
}

func (w *worker) ask() {
	w.t.Helper()
	_, err := io.WriteString(w.in, "work\n")
	require.NoError(w.t, err, "%s", w.errs)
}

func (w *worker) answers() {
	w.t.Helper()
	line, err := w.out.ReadString('\n')
	require.NoError(w.t, err, "%s", w.errs)
	require.Contains(w.t, line, "done")
}

func (w *worker) works() {
	w.t.Helper()
	w.ask()
	w.answers()
}

func (w *worker) ends() {
	w.t.Helper()
	w.in.Close()
	require.NoError(w.t, w.cmd.Wait(), "%s", w.errs)
}

func (w *worker) threads() (tids []int) {
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", w.pid))
	require.NoError(w.t, err)
	for _, task := range tasks {
		if tid, err := strconv.Atoi(filepath.Base(task)); err == nil {
			tids = append(tids, tid)
		}
	}
	return tids
}

// rounds is how often a worker is disturbed.
func rounds() int {
	if long {
		return 500
	}
	return 20
}

// The process is stopped and goes on, while it waits and at its work.
func TestStopped(t *testing.T) {
	w := newWorker(t)
	w.works()
	for n := range rounds() {
		if n%2 == 0 {
			w.ask()
		}
		require.NoError(t, unix.Kill(w.pid, unix.SIGSTOP))
		time.Sleep(2 * time.Millisecond)
		require.NoError(t, unix.Kill(w.pid, unix.SIGCONT))
		if n%2 == 0 {
			w.answers()
		} else {
			w.works()
		}
	}
	w.ends()
}

// A debugger seizes all threads, and single ones, which interrupts their system calls,
// and lets them go.
func TestTraced(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	w := newWorker(t)
	w.works()
	for n := range rounds() {
		if n%2 == 0 {
			w.ask()
		}
		seized := 0
		for i, tid := range w.threads() {
			if n%3 == 0 && i != n%len(w.threads()) {
				continue
			}
			err := traced(tid)
			if err == unix.ESRCH || err == unix.EPERM { // it has ended, or is a thread of the kernel's
				continue
			}
			require.NoError(t, err)
			seized++
		}
		if n%3 != 0 {
			require.NotZero(t, seized)
		}
		if n%2 == 0 {
			w.answers()
		} else {
			w.works()
		}
	}
	w.ends()
}

// traced stops a thread as a debugger does, and lets it go. It must be called on a locked
// thread.
func traced(tid int) error {
	if _, _, errno := unix.Syscall6(unix.SYS_PTRACE, unix.PTRACE_SEIZE, uintptr(tid), 0, 0, 0, 0); errno != 0 {
		return errno
	}
	if _, _, errno := unix.Syscall6(unix.SYS_PTRACE, unix.PTRACE_INTERRUPT, uintptr(tid), 0, 0, 0, 0); errno != 0 {
		return errno
	}
	var status unix.WaitStatus
	for {
		_, err := unix.Wait4(tid, &status, unix.WALL, nil)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return err
		}
		break
	}
	if !status.Stopped() {
		return nil
	}
	signal := 0
	if status.TrapCause() == 0 && status.StopSignal() != unix.SIGTRAP { // one of its own came first
		signal = int(status.StopSignal())
	}
	if _, _, errno := unix.Syscall6(unix.SYS_PTRACE, unix.PTRACE_DETACH, uintptr(tid), 0, uintptr(signal), 0, 0); errno != 0 {
		return errno
	}
	return nil
}

// A debugger that people use attaches while loops wait, looks around and goes.
func TestDebugger(t *testing.T) {
	for tool, attach := range map[string]func(ctx context.Context, pid string) *exec.Cmd{
		"gdb": func(ctx context.Context, pid string) *exec.Cmd {
			return exec.CommandContext(ctx, "gdb", "-nx", "-batch", "-p", pid, "-ex", "info threads", "-ex", "detach")
		},
		"dlv": func(ctx context.Context, pid string) *exec.Cmd {
			cmd := exec.CommandContext(ctx, "dlv", "attach", pid, "--allow-non-terminal-interactive=true")
			cmd.Stdin = strings.NewReader("threads\nquit\nn\n")
			return cmd
		},
	} {
		t.Run(tool, func(t *testing.T) {
			ringtest.NeedsTool(t, tool)
			w := newWorker(t)
			w.works()
			for range 2 {
				ctx, cancel := context.WithTimeout(context.Background(), patience)
				out, err := attach(ctx, strconv.Itoa(w.pid)).CombinedOutput()
				cancel()
				require.NoError(t, err, "%s", out)
				if !bytes.Contains(out, []byte("Thread ")) && !bytes.Contains(out, []byte("LWP ")) {
					t.Skipf("%s can't attach: %s", tool, out)
				}
				w.works()
			}
			w.ends()
		})
	}
}

// What Go's runtime can be told to do otherwise.
func TestRuntimeSettings(t *testing.T) {
	for _, env := range []string{"GODEBUG=asyncpreemptoff=1", "GOMAXPROCS=1", "GOGC=1", "GODEBUG=madvdontneed=1,gccheckmark=1"} {
		t.Run(env, func(t *testing.T) {
			w := newWorker(t, env)
			for range rounds() / 2 {
				w.works()
			}
			w.ends()
		})
	}
}

// Callers that are locked to their threads, and threads that end with their goroutines.
func TestLockedCallers(t *testing.T) {
	loops := []*liburing.Loop{ringtest.NewLoop(t, 8), ringtest.NewLoop(t, 8, ringtest.Setups[1].Opts...)}
	e, err := ringio.New(ringio.Options{})
	require.NoError(t, err)
	for _, l := range loops {
		ringtest.Running(t, l)
	}
	dir := t.TempDir()
	ended := make(chan error)
	const callers = 8
	for i := range callers {
		go func() {
			runtime.LockOSThread()
			if i%2 == 0 {
				defer runtime.UnlockOSThread() // else the thread ends with it
			}
			var err error
			for range 5 {
				err = errors.Join(err, useLoops(loops), useFile(e, filepath.Join(dir, strconv.Itoa(i))), useConn(e), usePipe(e))
			}
			ended <- err
		}()
	}
	for range callers {
		require.NoError(t, within(ended))
	}
	require.NoError(t, e.Shutdown(context.Background()))
	ringtest.LockThread(t) // and Run itself
	l := ringtest.NewLoop(t, 8)
	n := 0
	l.After(time.Millisecond, func() { n++ })
	ringtest.RunIdle(t, l)
	require.Equal(t, 1, n)
}
