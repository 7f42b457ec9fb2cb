//go:build linux

package faults_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/go-liburing/liburing/ringio"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// everyCall has f run with its first system call failing, its second, and so on until
// none fails any more: each time with that error or none, and with nothing left behind.
func everyCall(t *testing.T, f func() error) {
	t.Helper()
	for range 2 { // what is made once only
		require.NoError(t, f(), "with nothing refused")
	}
	for _, errno := range []unix.Errno{unix.ENOMEM, unix.EINTR} {
		for n, refused := 1, true; refused; n++ {
			require.Less(t, n, 500, "there is no end to it")
			before := held()
			var calls int
			var err error
			arm(n, errno)
			inTime(t, func() { err = f() })
			calls, refused = disarm()
			what := fmt.Sprintf("%v at call %d of %d", errno, n, calls)
			if !refused || errno == unix.EINTR {
				require.NoError(t, err, what)
			} else if err != nil {
				require.True(t, allAre(err, errno), "%s: %v", what, err)
			}
			requireNoMore(t, before, what)
			if refused && err != nil {
				require.NoError(t, f(), "the next try after %s", what)
			}
		}
	}
}

// preempted has f run while most enters find the signal pending by which Go's runtime
// preempts a goroutine. It may come at any call, and on Linux 6.1 a single one is enough for
// the kernel to give up what takes a thread's first worker.
func preempted(t *testing.T, f func() error) {
	t.Helper()
	urge(1)
	defer urge(0)
	var err error
	inTime(t, func() { err = f() })
	require.NoError(t, err)
}

// allAre reports whether each of several errors that were joined is an errno.
func allAre(err error, errno unix.Errno) bool {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, err := range joined.Unwrap() {
			if !allAre(err, errno) {
				return false
			}
		}
		return true
	}
	return errors.Is(err, errno)
}

// inTime fails, with all stacks, if f does not return in time.
func inTime(t *testing.T, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); f() }()
	select {
	case <-done:
	case <-time.After(patience):
		disarm()
		stacks := make([]byte, 1<<20)
		require.FailNow(t, "it hangs", "%s", stacks[:runtime.Stack(stacks, true)])
	}
}

// requireNoMore waits until the process holds no more than before.
func requireNoMore(t *testing.T, before holdings, what string) {
	t.Helper()
	var leaks []string
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if leaks = held().more(before); len(leaks) == 0 {
			return
		}
	}
	require.Empty(t, leaks, what)
}

// together returns the errors of several steps, none of which keeps the next from being
// taken.
func together(steps ...func() error) (err error) {
	for _, step := range steps {
		err = errors.Join(err, step())
	}
	return err
}

// oneNop makes a request, and tries again where that is refused.
func oneNop(r *liburing.Ring) error {
	r.GetSQE().PrepNop()
	_, err := r.SubmitAndWait(1)
	if err != nil {
		if _, again := r.SubmitAndWait(1); again != nil {
			return fmt.Errorf("%v, and then again: %v", err, again)
		}
	}
	if r.CQReady() != 1 {
		return errors.Join(err, fmt.Errorf("%d completions of one request", r.CQReady()))
	}
	r.CQAdvance(1)
	return err
}

func onRing(use func(r *liburing.Ring) error, opts ...liburing.Option) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	r, err := liburing.New(8, opts...)
	if err != nil {
		return err
	}
	return errors.Join(use(r), r.Close())
}

func TestRefusedSetUp(t *testing.T) {
	if !refusing(t) {
		return
	}
	for _, s := range ringtest.Setups {
		t.Run(s.Name, func(t *testing.T) {
			if err := onRing(oneNop, s.Opts...); err != nil {
				t.Skip(err)
			}
			everyCall(t, func() error { return onRing(oneNop, s.Opts...) })
		})
	}
	t.Run("no_mmap", func(t *testing.T) {
		ringtest.NeedsSetup(t, liburing.SetupNoMmap)
		everyCall(t, func() error { return onRing(oneNop, liburing.WithFlags(liburing.SetupNoMmap)) })
	})
	t.Run("own memory", func(t *testing.T) {
		ringtest.NeedsSetup(t, liburing.SetupNoMmap)
		mem := ringtest.Memory(t, 2*os.Getpagesize())
		everyCall(t, func() error {
			r, _, err := liburing.QueueInitMem(8, nil, mem)
			if err != nil {
				return err
			}
			return errors.Join(oneNop(r), r.Close())
		})
	})
}

func TestRefusedRegistration(t *testing.T) {
	ringtest.NeedsOps(t, liburing.OpSocket) // came with rings of buffers
	if !refusing(t) {
		return
	}
	file := int(ringtest.TempFile(t, []byte("text")).Fd())
	everyCall(t, func() error {
		return onRing(func(r *liburing.Ring) error {
			return together(
				func() error { return oneNop(r) },
				r.Dontfork,
				r.RegisterRingFD,
				func() error { return oneNop(r) },
				func() error {
					if err := r.RegisterFiles([]int{file, -1, file}); err != nil {
						return err
					}
					_, err := r.RegisterFilesUpdate(1, []int{file})
					return err
				},
				func() error { return r.RegisterBuffers([][]byte{make([]byte, 100), make([]byte, 5000)}) },
				func() error { return bufRing(r, 0) },
				func() error { return bufRing(r, liburing.PbufRingMmap) },
				func() error { _, err := r.GetProbe(); return err },
				func() error { return cloned(r) },
				func() error { return eventfd(r) },
				func() error {
					_, err := r.RegisterSyncCancel(liburing.SyncCancelReg{Addr: 1})
					return ignore(err, unix.ENOENT)
				},
				func() error { _, _, err := r.RegisterIOWQMaxWorkers(1, 1); return err },
				func() error { return oneNop(r) },
			)
		})
	})
}

// bufRing has a ring of buffers for a moment.
func bufRing(r *liburing.Ring, flags liburing.BufRingFlags) error {
	var br *liburing.BufRing
	var err error
	if flags == 0 {
		br, err = r.SetupBufRing(8, 3, 0)
	} else {
		if ringtest.KernelBefore(6, 4) {
			return nil
		}
		br, err = r.MapBufRing(liburing.BufReg{RingEntries: 8, Bgid: 3, Flags: flags})
	}
	if err != nil {
		return err
	}
	return withoutErrno(br.Free)
}

// withoutErrno calls again what was refused: it must succeed then.
func withoutErrno(f func() error) error {
	err := f()
	if err != nil {
		if again := f(); again != nil {
			return fmt.Errorf("%v, and then again: %v", err, again)
		}
	}
	return err
}

func cloned(from *liburing.Ring) error {
	if ringtest.KernelBefore(6, 12) {
		return nil
	}
	if from.RegisterBuffers([][]byte{make([]byte, 10)}) == nil {
		return withoutErrno(from.UnregisterBuffers) // it had none: one was refused
	}
	to, err := liburing.New(1)
	if err != nil {
		return err
	}
	return errors.Join(to.CloneBuffers(from), to.Close())
}

func eventfd(r *liburing.Ring) error {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := r.RegisterEventfd(fd); err != nil {
		return err
	}
	return withoutErrno(r.UnregisterEventfd)
}

func ignore(err error, errno unix.Errno) error {
	if errors.Is(err, errno) {
		return nil
	}
	return err
}

func TestRefusedGrowth(t *testing.T) {
	ringtest.NeedsKernel(t, 6, 13)
	if !refusing(t) {
		return
	}
	everyCall(t, func() error {
		return onRing(func(r *liburing.Ring) error {
			return together(
				func() error {
					return r.ResizeRings(&liburing.Params{SQEntries: 64, CQEntries: 256, Flags: liburing.SetupCQSize})
				},
				func() error { return oneNop(r) },
				func() error { return r.ResizeRings(&liburing.Params{SQEntries: 16}) },
				func() error { return oneNop(r) },
			)
		}, liburing.WithFlags(liburing.SetupSingleIssuer|liburing.SetupDeferTaskrun))
	})
	everyCall(t, func() error {
		return onRing(func(r *liburing.Ring) error {
			if _, err := r.RegisterWaitRegion(1); err != nil {
				return err
			}
			return r.EnableRings()
		}, liburing.WithFlags(liburing.SetupRDisabled))
	})
}

func TestRefusedLoop(t *testing.T) {
	ringtest.NeedsOps(t, liburing.OpSocket)
	if !refusing(t) {
		return
	}
	for _, s := range ringtest.Setups {
		if s.Name == "sqpoll" || s.Name == "sq_rewind" {
			continue // like the first
		}
		t.Run(s.Name, func(t *testing.T) {
			if l, err := liburing.NewLoop(8, s.Opts...); err != nil {
				t.Skip(err)
			} else {
				require.NoError(t, l.Close(context.Background()))
			}
			everyCall(t, func() error { return useLoop(s.Opts) })
			preempted(t, func() error { return useLoop(s.Opts) })
		})
	}
}

// useLoop has a loop do a little of everything, and asserts that each callback is called
// once.
func useLoop(opts []liburing.Option) error {
	l, err := liburing.NewLoop(8, opts...)
	if err != nil {
		return err
	}
	calls, want := 0, 0
	var failed error
	request := func(r liburing.Request) {
		if r.Err() == nil {
			want++
		}
	}
	told := func(c liburing.Completion) { calls++; failed = errors.Join(failed, c.Err()) }
	var fds [2]int
	err = together(
		func() error { return l.Control(func(r *liburing.Ring) error { return r.RegisterFilesSparse(4) }) },
		func() error {
			for range 20 {
				request(l.Nop(told))
			}
			return runToEnd(l)
		},
		func() error { return useGroup(l) },
		func() error {
			if l.Control(func(r *liburing.Ring) error { return r.RegisterBuffersSparse(4) }) != nil {
				return nil
			}
			return l.Control((*liburing.Ring).UnregisterBuffers)
		},
		func() error { return grow(l) },
		func() error {
			if fds[0] = -1; unix.Pipe2(fds[:], unix.O_CLOEXEC) != nil {
				return nil
			}
			request(untilDone(l, func(cb liburing.Callback) liburing.Request { return l.Read(fds[0], make([]byte, 8), 0, cb) }, told))
			request(untilDone(l, func(cb liburing.Callback) liburing.Request { return l.Write(fds[1], []byte("12345678"), 0, cb) }, told))
			l.After(time.Millisecond, func() {})
			return runToEnd(l)
		},
	)
	err = errors.Join(err, failed, l.Close(context.Background()))
	if fds[0] > 0 {
		unix.Close(fds[0])
		unix.Close(fds[1])
	}
	if calls != want {
		err = fmt.Errorf("%d calls of %d callbacks: %v", calls, want, err)
	}
	return err
}

// runToEnd runs a loop until it is idle, once more after an error. Of one that does not
// become idle the error says what is in flight: nothing if a wake-up was lost.
func runToEnd(l *liburing.Loop) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience/2)
	defer cancel()
	err := l.RunUntilIdle(ctx)
	if err != nil && ctx.Err() == nil {
		if again := l.RunUntilIdle(ctx); again != nil {
			err = fmt.Errorf("%v, and then again: %v", err, again)
		}
	}
	if ctx.Err() != nil {
		left, _ := l.InFlight()
		err = fmt.Errorf("it does not become idle: %v, in flight %v", err, left)
	}
	return err
}

func useGroup(l *liburing.Loop) error {
	g, err := l.NewBufGroup(8, 256, 0)
	if err != nil {
		return err
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return errors.Join(err, g.Close())
	}
	got := ""
	s := l.RecvMultishot(pair[0], nil, 0, func(c liburing.Completion) { got += string(c.Buffer()) }).Buffers(g)
	if err := s.Err(); err != nil {
		return err
	}
	unix.Write(pair[1], []byte("some text"))
	unix.Close(pair[1])
	err = runToEnd(l)
	unix.Close(pair[0])
	if err == nil && got != "some text" {
		err = fmt.Errorf("received %q", got)
	}
	return errors.Join(err, withoutErrno(g.Close))
}

func grow(l *liburing.Loop) error {
	if ringtest.KernelBefore(6, 13) {
		return nil
	}
	err := l.Resize(32, 128)
	if errors.Is(err, liburing.ErrNotSupported) || errors.Is(err, unix.EINVAL) {
		err = nil // not for this set-up
	}
	l.Nop(nil)
	return errors.Join(err, runToEnd(l))
}

func TestRefusedEngine(t *testing.T) {
	require.NoError(t, ringio.Available())
	if !refusing(t) {
		return
	}
	dir := t.TempDir()
	for name, o := range map[string]ringio.Options{
		"plain": {Entries: 8}, "several": {Entries: 8, Rings: 2}, "sqpoll": {Entries: 8, SQPoll: time.Millisecond},
		"buffers": {Entries: 8, FixedBuffers: 2, FixedBufferSize: 4096},
	} {
		t.Run(name, func(t *testing.T) {
			everyCall(t, func() error { return useEngine(o, dir) })
			preempted(t, func() error { return useEngine(o, dir) })
		})
	}
}

// useEngine has files and connections carry a text.
func useEngine(o ringio.Options, dir string) error {
	e, err := ringio.New(o)
	if err != nil {
		return err
	}
	return together(
		func() error { return useFile(e, filepath.Join(dir, "file")) },
		func() error { return useConn(e) },
		func() error { return e.Shutdown(context.Background()) },
	)
}

func useFile(e *ringio.Engine, name string) error {
	f, err := e.Create(name)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte("text"), 0); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	b := make([]byte, 4)
	if _, err := f.ReadAt(b, 0); err != nil {
		return err
	}
	if string(b) != "text" {
		return fmt.Errorf("read %q", b)
	}
	return nil
}

func useConn(e *ringio.Engine) error {
	l, err := e.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer l.Close()
	l.(ringio.SocketListener).SetDeadline(time.Now().Add(patience / 2))
	ended := make(chan error, 1)
	go func() { ended <- answerOne(l) }()
	err = ask(e, l.Addr().String())
	l.Close()
	if there := <-ended; err == nil {
		err = there
	}
	return err
}

func answerOne(l net.Listener) error {
	c, err := l.Accept()
	if err != nil {
		return err
	}
	defer c.Close()
	for b := make([]byte, 4); ; { // io.Copy would have net keep a pipe
		if _, err = io.ReadFull(c, b); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		if _, err = c.Write(b); err != nil {
			return err
		}
	}
}

func ask(e *ringio.Engine, address string) error {
	c, err := e.Dial("tcp", address)
	if err != nil {
		return err
	}
	defer c.Close()
	for range 20 { // often enough to be busy
		if _, err := c.Write([]byte("text")); err != nil {
			return err
		}
		b := make([]byte, 4)
		if _, err := io.ReadFull(c, b); err != nil {
			if errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) {
				return unix.ENOMEM // the other side has been refused something
			}
			return err
		}
		if string(b) != "text" {
			return fmt.Errorf("received %q", b)
		}
	}
	return nil
}
