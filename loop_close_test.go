//go:build linux

package liburing_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/go-liburing/liburing/loopio"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// What was registered is free when Close has returned, with requests in flight too.
func TestCloseLetsGoOfFiles(t *testing.T) {
	ringtest.NeedsKernel(t, 6, 14)
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		at := registerListener(t, func(fds []int) error {
			return l.Control(func(r *liburing.Ring) error { return r.RegisterFiles(fds) })
		})
		l.AcceptDirect(liburing.Fixed(0).FD(), nil, 0, liburing.FileIndexAlloc, nil)
		ringtest.RunFor(t, l, time.Millisecond)
		ringtest.CloseLoop(t, l)
		requireFree(t, at)
	})
	ringtest.OverSetups(t, 8, func(t *testing.T, r *liburing.Ring) {
		at := registerListener(t, r.RegisterFiles)
		require.NoError(t, r.Close())
		requireFree(t, at)
	})
}

// registerListener returns the address of a listener that only register holds open.
func registerListener(t *testing.T, register func(fds []int) error) (at string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	file, err := listener.(*net.TCPListener).File()
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	require.NoError(t, register([]int{int(file.Fd())}))
	require.NoError(t, file.Close())
	return listener.Addr().String()
}

func requireFree(t *testing.T, at string) {
	t.Helper()
	listener, err := net.Listen("tcp", at)
	require.NoError(t, err, "the port is taken")
	listener.Close()
}

// The memory of a ring that was closed counts for a while: the next one waits.
func TestRingAfterRingNearMemlock(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can become a user without CAP_IPC_LOCK here")
	}
	require.Contains(t, setupUnder(t, "memlock left"), "none failed")
}

func ringsInTurn() error {
	need, err := liburing.MemorySizeParams(64, &liburing.Params{})
	if err != nil {
		need = 1 << 16
	}
	limit := uint64(need) * 3 / 2 // room for one
	if err := unix.Setrlimit(unix.RLIMIT_MEMLOCK, &unix.Rlimit{Cur: limit, Max: limit}); err != nil {
		return err
	}
	if err := syscall.Setuid(100000 + os.Getpid()); err != nil { // one with no other rings
		return err
	}
	for range 5 {
		r, err := liburing.New(64)
		if err != nil {
			return err
		}
		r.Close()
	}
	fmt.Println("none failed")
	os.Exit(0)
	return nil
}

// Nothing that was queued has gone to the kernel, so there is nothing to wait for.
func TestCloseWithoutEnter(t *testing.T) {
	out := setupUnder(t, "no enter")
	const why = "operation not permitted: a seccomp filter or another sandbox may block it: allow io_uring_enter"
	require.Contains(t, out, "run: io_uring_enter: "+why)
	require.Contains(t, out, "nop: nop: operation not permitted: 2 requests never went to the kernel")
	require.Contains(t, out, "close: close: operation not permitted: 2 requests never went to the kernel; a seccomp filter")
	require.Contains(t, out, "memory kept: 0")
}

func closeWithoutEnter() error {
	l, err := liburing.NewLoop(8)
	if err != nil {
		return err
	}
	if err := ringtest.Deny(unix.SYS_IO_URING_ENTER, unix.EPERM); err != nil {
		return err
	}
	l.Nop(func(c liburing.Completion) { fmt.Println("nop:", c.Err()) })
	l.Timeout(time.Hour, 0, 0, nil)
	closeAndTell(l)
	return nil
}

// closeAndTell runs and closes a loop, says how it went and ends the process.
func closeAndTell(l *liburing.Loop) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	fmt.Println("run:", l.RunUntilIdle(ctx))
	fmt.Println("close:", l.Close(ctx))
	fmt.Println("memory kept:", liburing.GivenUp())
	os.Exit(0)
}

// Here the kernel has a request, and can't be asked for its completion any more.
func TestCloseWhenEnterIsDenied(t *testing.T) {
	out := setupUnder(t, "late enter")
	require.Contains(t, out, "read: read: operation not permitted: 1 requests can't be cancelled: the ring was given back")
	require.Contains(t, out, "memory kept: 1")
}

func closeWhenEnterIsDenied() error {
	l, err := liburing.NewLoop(8)
	if err != nil {
		return err
	}
	var fds [2]int
	if err := unix.Pipe(fds[:]); err != nil {
		return err
	}
	l.Read(fds[0], make([]byte, 1), 0, func(c liburing.Completion) { fmt.Println("read:", c.Err()) })
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if err := l.Run(ctx); !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if err := ringtest.Deny(unix.SYS_IO_URING_ENTER, unix.EPERM); err != nil {
		return err
	}
	closeAndTell(l)
	return nil
}

func TestRegisterDeniedIsExplained(t *testing.T) {
	require.Contains(t, setupUnder(t, "no register"), "io_uring_register_files: operation not permitted: a seccomp filter or another sandbox may block it: allow io_uring_register")
}

func registerDenied() error {
	r, err := liburing.New(8)
	if err != nil {
		return err
	}
	if err := ringtest.Deny(unix.SYS_IO_URING_REGISTER, unix.EPERM); err != nil {
		return err
	}
	fmt.Println(r.RegisterFiles([]int{0}))
	os.Exit(0)
	return nil
}

// What holds Close up is named.
func TestCloseSaysWhatItWaitsFor(t *testing.T) {
	l := ringtest.NewLoop(t, 8)
	proceed := make(chan bool)
	require.NoError(t, l.Post(func() { <-proceed }))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	require.ErrorContains(t, l.Close(ctx), "posted function has not returned")
	close(proceed)
}

// No callback is blamed where none runs: a context that has ended comes before the first
// round, and between two.
func TestCloseBlamesNoCallback(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for range 20 {
		l := ringtest.NewLoop(t, 8)
		r, _ := ringtest.Pipe(t)
		l.Read(r, make([]byte, 1), 0, nil)
		ringtest.RunFor(t, l, time.Millisecond)
		if err := l.Close(ended); err != nil {
			require.ErrorIs(t, err, context.Canceled)
			require.ErrorContains(t, err, "still in flight")
		}
	}
}

// relay has a loop read a byte n times, each read made by the callback of the last,
// and returns where to write them.
func relay(t *testing.T, l *liburing.Loop, n int, done func()) (w int) {
	r, w := ringtest.Pipe(t)
	var again func()
	again = func() {
		l.Read(r, make([]byte, 1), 0, func(c liburing.Completion) {
			require.NoError(t, c.Err())
			if n--; n == 0 {
				done()
				return
			}
			again()
		})
	}
	require.NoError(t, l.Control(func(*liburing.Ring) error { again(); return nil }))
	return w
}

// What has begun goes on to its end, with all that it leads to; then the loop is closed.
func TestFinish(t *testing.T) {
	for name, running := range map[string]bool{"idle": false, "running": true} {
		t.Run(name, func(t *testing.T) {
			l := ringtest.NewLoop(t, 8)
			ended := false
			w := relay(t, l, 3, func() { l.After(time.Millisecond, func() { ended = true }) })
			ran := make(chan error, 1)
			if running {
				go func() { ran <- l.Run(context.Background()) }()
				require.Eventually(t, ringtest.Asleep(l).Load, 5*time.Second, time.Millisecond)
			}
			down := make(chan error, 1)
			var none context.Context // as good as one that never ends
			go func() { down <- l.Finish(none) }()
			for range 3 {
				require.Empty(t, down)
				unix.Write(w, []byte("x"))
				time.Sleep(2 * time.Millisecond)
			}
			ringtest.Within(t, func() { require.NoError(t, <-down) })
			require.True(t, ended)
			require.ErrorIs(t, l.Post(func() {}), liburing.ErrClosed)
			if running {
				ringtest.Within(t, func() { require.NoError(t, <-ran) })
			}
			require.NoError(t, l.Finish(t.Context()), "once more")
		})
	}
}

// In a callback it does not wait, and the Run that it is called in ends.
func TestFinishInCallback(t *testing.T) {
	l := ringtest.NewLoop(t, 8)
	ended := false
	w := relay(t, l, 2, func() { ended = true })
	unix.Write(w, []byte("xx"))
	l.Nop(func(liburing.Completion) { require.NoError(t, l.Finish(t.Context())) })
	require.NoError(t, l.Run(t.Context()))
	require.True(t, ended)
	require.ErrorIs(t, l.Run(t.Context()), liburing.ErrClosed)
}

// A loop that does not come to an end goes on, until Close; so does one whose Run is
// stopped meanwhile.
func TestFinishThatTakesLong(t *testing.T) {
	l := ringtest.NewLoop(t, 8)
	w := relay(t, l, 1, func() {})
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, l.Finish(ctx), context.DeadlineExceeded)
	ran := make(chan error, 1)
	go func() { ran <- l.Run(context.Background()) }()
	down := make(chan error, 1)
	require.Eventually(t, ringtest.Asleep(l).Load, 5*time.Second, time.Millisecond)
	go func() { down <- l.Finish(t.Context()) }()
	l.Stop()
	ringtest.Within(t, func() { require.NoError(t, <-ran) })
	unix.Write(w, []byte("x"))
	ringtest.Within(t, func() { require.NoError(t, <-down) })
}

// A callback that answers each refusal with the next request does not hold Close
// up, nor does it go on for ever once the loop has ended.
func TestRefusedAgainAndAgain(t *testing.T) {
	l := ringtest.NewLoop(t, 8)
	refusals := 0
	var again liburing.Callback
	again = func(c liburing.Completion) {
		if errors.Is(c.Err(), liburing.ErrClosed) {
			refusals++
		}
		l.Nop(again)
	}
	l.Nop(again)
	ringtest.CloseLoop(t, l)
	require.NotZero(t, refusals)
	require.Less(t, refusals, 10*liburing.RefusalRounds)
	refusals = 0
	l.Nop(again)
	require.Equal(t, liburing.RefusalRounds, refusals)
}

// One that answers each with two does not fill the memory, before the loop has ended
// and after.
func TestRefusedTwiceEach(t *testing.T) {
	l := ringtest.NewLoop(t, 8)
	refusals := 0
	var twice liburing.Callback
	twice = func(c liburing.Completion) {
		if errors.Is(c.Err(), liburing.ErrClosed) {
			refusals++
		}
		l.Nop(twice)
		l.Nop(twice)
	}
	l.Nop(twice)
	ringtest.CloseLoop(t, l)
	require.NotZero(t, refusals)
	require.Less(t, refusals, 2000)
	refusals = 0
	l.Nop(twice)
	require.Greater(t, refusals, 7)
	require.Less(t, refusals, 2000)
}

// However many there are that end in a few steps, all steps are told.
func TestRefusedInSteps(t *testing.T) {
	l := ringtest.NewLoop(t, 8)
	const steps, tasks = 8, 2000
	told := 0
	for range tasks {
		left := steps
		var step liburing.Callback
		step = func(liburing.Completion) {
			told++
			if left--; left > 0 {
				l.Nop(step)
			}
		}
		require.NoError(t, l.Post(func() { l.Nop(step) }))
	}
	ringtest.CloseLoop(t, l)
	require.Equal(t, steps*tasks, told)
}

// A Writer's descriptor is closed where the kernel takes no request.
func TestWriterClosesWithoutEnter(t *testing.T) {
	require.Contains(t, setupUnder(t, "no enter, a writer"), "closed: bad file descriptor")
}

func writerWithoutEnter() error {
	l, err := liburing.NewLoop(8)
	if err != nil {
		return err
	}
	var fds [2]int
	if err := unix.Pipe(fds[:]); err != nil {
		return err
	}
	if err := ringtest.Deny(unix.SYS_IO_URING_ENTER, unix.EPERM); err != nil {
		return err
	}
	loopio.NewWriter(l, fds[1], loopio.WriterOptions{}).Close(func(error) {
		_, err := unix.FcntlInt(uintptr(fds[1]), unix.F_GETFD, 0)
		fmt.Println("closed:", err)
	})
	closeAndTell(l)
	return nil
}

// The newest request comes first, whatever place it has, and timeouts come last, the
// oldest of them first: that is how the kernel keeps them.
func TestCancelOrder(t *testing.T) {
	l := ringtest.NewLoop(t, 8)
	r, _ := ringtest.Pipe(t)
	var others, timeouts []liburing.Token
	keep := func() {
		others = append(others, l.Read(r, make([]byte, 1), 0, nil).Token())
		timeouts = append(timeouts, l.Timeout(time.Hour, 0, 0, nil).Token())
	}
	keep()
	const free = 3 // places that are used again, the last one first
	done := 0
	for range free {
		l.Nop(func(liburing.Completion) { done++ })
	}
	keep()
	ringtest.RunUntil(t, l, time.Millisecond, func() bool { return done == free })
	for range free {
		keep()
	}
	slices.Reverse(others)
	require.Equal(t, append(others, timeouts...), l.CancelOrder())
}

// What is linked to another request, which the kernel does not find before that has ended,
// comes behind all that is linked to nothing.
func TestCancelOrderOfChains(t *testing.T) {
	l := ringtest.NewLoop(t, 16)
	r, _ := ringtest.Pipe(t)
	read := func() liburing.Request { return l.Read(r, make([]byte, 1), 0, nil) }
	var first, second, third [2]liburing.Token
	for i := range 2 {
		first[i] = read().LinkNext().Token()
		second[i] = read().HardLinkNext().Token()
		third[i] = read().Token()
	}
	alone := read().Token()
	ringtest.RunUntil(t, l, time.Millisecond, func() bool { return true })
	require.Equal(t, []liburing.Token{alone, first[1], first[0], second[1], second[0], third[1], third[0]}, l.CancelOrder())
}

// What is in flight when a loop is closed ends in few system calls, whatever it is; a
// cancel that comes too late is none that anybody is told of.
func TestCloseWithManyInFlight(t *testing.T) {
	const n = 5000
	r, _ := ringtest.Pipe(t)
	socket, _ := ringtest.SocketPair(t)
	word := new(uint32)
	for name, request := range map[string]func(l *liburing.Loop, cb liburing.Callback){
		"timers":    func(l *liburing.Loop, _ liburing.Callback) { l.After(time.Hour, func() { t.Error("called") }) },
		"timeouts":  func(l *liburing.Loop, cb liburing.Callback) { l.Timeout(time.Hour, 0, 0, cb) },
		"reads":     func(l *liburing.Loop, cb liburing.Callback) { l.Read(r, make([]byte, 1), 0, cb) },
		"polls":     func(l *liburing.Loop, cb liburing.Callback) { l.PollAdd(r, unix.POLLIN, cb) },
		"multishot": func(l *liburing.Loop, cb liburing.Callback) { l.PollMultishot(r, unix.POLLIN, cb) },
		"receives":  func(l *liburing.Loop, cb liburing.Callback) { l.Recv(socket, make([]byte, 1), 0, cb) },
		"deadlines": func(l *liburing.Loop, cb liburing.Callback) {
			l.Recv(socket, make([]byte, 1), 0, cb).Deadline(time.Hour)
		},
		"chains": func(l *liburing.Loop, cb liburing.Callback) {
			l.Recv(socket, make([]byte, 1), 0, cb).LinkNext()
			l.Nop(cb)
		},
		"futexes": func(l *liburing.Loop, cb liburing.Callback) {
			l.FutexWait(word, 0, 1, liburing.Futex2SizeU32|liburing.Futex2Private, 0, cb)
		},
	} {
		t.Run(name, func(t *testing.T) {
			if name == "futexes" {
				ringtest.NeedsOps(t, liburing.OpFutexWait)
			}
			l := ringtest.NewLoop(t, 256)
			made, told := 0, 0
			for range n {
				request(l, func(c liburing.Completion) {
					require.ErrorIs(t, c.Err(), unix.ECANCELED)
					told++
				})
			}
			made = l.Stats().InFlight
			ringtest.RunFor(t, l, time.Millisecond)
			before := l.Stats()
			start := time.Now()
			ringtest.CloseLoop(t, l)
			after := l.Stats()
			t.Logf("%v, %d system calls", time.Since(start), after.Enters-before.Enters)
			if name != "timers" {
				require.GreaterOrEqual(t, told, n)
				require.LessOrEqual(t, told, made)
			}
			if l.Ring() != nil && !ringtest.KernelBefore(6, 1) {
				require.Less(t, after.Enters-before.Enters, uint64(4*n/64), "more than a few at a time")
			}
		})
	}
}

// So does what a context ends that many requests have, while the loop goes on with others.
func TestContextOfManyInFlight(t *testing.T) {
	if ringtest.KernelBefore(6, 1) {
		t.Skip("this kernel ends all that is cancelled in any call")
	}
	const n = 4000
	l := ringtest.NewLoop(t, 256)
	r, _ := ringtest.Pipe(t)
	ctx, cancel := context.WithCancel(t.Context())
	told, others := 0, 0
	for range n {
		l.Read(r, make([]byte, 1), 0, func(c liburing.Completion) {
			require.ErrorIs(t, c.Err(), context.Canceled)
			told++
		}).WithContext(ctx)
	}
	var goOn liburing.Callback
	goOn = func(liburing.Completion) {
		if others++; told < n {
			l.Nop(goOn)
		}
	}
	ringtest.RunFor(t, l, time.Millisecond)
	before := l.Stats()
	cancel()
	ringtest.RunUntil(t, l, time.Millisecond, func() bool { return told > 0 })
	l.Nop(goOn)
	ringtest.RunIdle(t, l)
	require.Equal(t, n, told)
	after := l.Stats()
	require.Less(t, after.Enters-before.Enters-uint64(others), uint64(n/32))
}
