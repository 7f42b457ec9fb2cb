//go:build linux

package loop_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestPending(t *testing.T) {
	l := ringtest.NewLoop(t, 8)
	req := l.Nop(nil)
	require.Equal(t, liburing.StateQueued, l.State(req.Token()))
	ringtest.RunIdle(t, l)
	require.Equal(t, liburing.StateDone, l.State(req.Token()))
	require.Equal(t, liburing.StateDone, l.State(0))
	require.Equal(t, liburing.StateDone, l.State(^liburing.Token(0)))
}

func TestCancelAll(t *testing.T) {
	ringtest.NeedsOps(t, liburing.OpSocket) // came with the flags of a cancel, in Linux 5.19
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		rd, _ := ringtest.Pipe(t)
		cancelled := 0
		for range 20 {
			l.Read(rd, make([]byte, 1), 0, func(c liburing.Completion) {
				if errors.Is(c.Err(), unix.ECANCELED) {
					cancelled++
				}
			})
		}
		l.Timeout(10*time.Millisecond, 0, 0, func(liburing.Completion) {
			l.Cancel(0, liburing.AsyncCancelAny|liburing.AsyncCancelAll, nil)
		})
		ringtest.RunIdle(t, l)
		require.Equal(t, 20, cancelled)
	})
}

func TestWithContext(t *testing.T) {
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		rd, wr := ringtest.Pipe(t)
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
		defer cancel()
		calls := 0
		var err error
		l.Read(rd, make([]byte, 1), 0, func(c liburing.Completion) {
			calls++
			err = c.Err()
		}).WithContext(ctx)
		ringtest.RunIdle(t, l)
		require.Equal(t, 1, calls)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorIs(t, err, unix.ECANCELED)

		// A context that has ended before.
		l.Read(rd, make([]byte, 1), 0, func(c liburing.Completion) { err = c.Err() }).WithContext(ctx)
		ringtest.RunIdle(t, l)
		require.ErrorIs(t, err, context.DeadlineExceeded)

		// A request that succeeds first has no more to do with its context.
		ctx, cancel = context.WithCancel(context.Background())
		buf := make([]byte, 1)
		l.Read(rd, buf, 0, func(c liburing.Completion) { err = c.Err() }).WithContext(ctx)
		unix.Write(wr, []byte("x"))
		ringtest.RunIdle(t, l)
		cancel()
		require.NoError(t, err)
		require.Equal(t, byte('x'), buf[0])

		// One that succeeds although its context has ended: both are told.
		ended, cancel := context.WithCancel(context.Background())
		cancel()
		var n int
		l.Nop(func(c liburing.Completion) { n, err = c.Result() }).WithContext(ended)
		ringtest.RunIdle(t, l)
		require.Zero(t, n)
		require.ErrorIs(t, err, context.Canceled)
	})
}

// The kernel does not find a request that waits behind a link: its context
// reaches it when it has begun.
func TestWithContextBehindLink(t *testing.T) {
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		first, w := ringtest.Pipe(t)
		second, _ := ringtest.Pipe(t)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var err error
		l.Read(first, make([]byte, 1), 0, nil).LinkNext()
		l.Read(second, make([]byte, 1), 0, func(c liburing.Completion) { err = c.Err() }).WithContext(ctx)
		ringtest.RunFor(t, l, 10*time.Millisecond)
		cancel()
		ringtest.RunFor(t, l, 10*time.Millisecond)
		require.NoError(t, err)
		unix.Write(w, []byte("x"))
		ringtest.RunIdle(t, l)
		require.ErrorIs(t, err, context.Canceled)
		ringtest.RequireCancelled(t, err)
	})
}

// A context that has ended cancels its request, not the chain that it is in.
func TestWithEndedContextInChain(t *testing.T) {
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		var told []error
		note := func(c liburing.Completion) { told = append(told, c.Err()) }
		rd, _ := ringtest.Pipe(t)
		l.Read(rd, make([]byte, 1), 0, note).WithContext(ctx).LinkNext()
		l.Nop(note)
		ringtest.RunIdle(t, l)
		require.Len(t, told, 2)
		require.ErrorIs(t, told[0], context.Canceled)
		require.ErrorIs(t, told[1], unix.ECANCELED)
	})
}

func TestDeadline(t *testing.T) {
	ringtest.OverLoops(t, 4, func(t *testing.T, l *liburing.Loop) {
		rd, wr := ringtest.Pipe(t)
		for before := range 6 { // wherever the queue's end falls
			for range before {
				l.Nop(nil)
			}
			var late, first error
			l.Read(rd, make([]byte, 1), 0, func(c liburing.Completion) { late = c.Err() }).Deadline(5 * time.Millisecond)
			l.Nop(func(c liburing.Completion) { first = c.Err() })
			ringtest.RunIdle(t, l)
			require.ErrorIs(t, late, unix.ECANCELED)
			require.NoError(t, first)
		}
		unix.Write(wr, []byte("x"))
		var inTime error
		start := time.Now()
		req := l.Read(rd, make([]byte, 1), 0, func(c liburing.Completion) { inTime = c.Err() }).Deadline(time.Hour)
		req.Deadline(time.Millisecond) // too late: another request was queued
		ringtest.RunIdle(t, l)
		require.NoError(t, inTime)
		require.Less(t, time.Since(start), time.Minute)
	})
}

// Time that the loop itself keeps ends a request, wherever it is, and leaves its chain
// and others alone; it can be set anew and taken away.
func TestWithTimeout(t *testing.T) {
	ringtest.OverLoops(t, 4, func(t *testing.T, l *liburing.Loop) {
		rd, wr := ringtest.Pipe(t)
		const d = 5 * time.Millisecond
		var told []error
		var took []time.Duration
		start := time.Now()
		note := func(c liburing.Completion) {
			told, took = append(told, c.Err()), append(took, time.Since(start))
		}
		read := func() liburing.Request { return l.Read(rd, make([]byte, 1), 0, note) }
		read().WithTimeout(d).HardLinkNext() // in a chain, whose next request has time yet
		l.Nop(note).WithTimeout(time.Hour)
		ringtest.RunIdle(t, l)
		require.Len(t, told, 2)
		require.ErrorIs(t, told[0], os.ErrDeadlineExceeded)
		require.ErrorIs(t, told[0], unix.ECANCELED)
		require.GreaterOrEqual(t, took[0], d)
		require.NoError(t, told[1])

		told, took, start = nil, nil, time.Now()
		request := read().WithTimeout(time.Hour)
		ringtest.RunFor(t, l, time.Millisecond)
		request.WithTimeout(-1).WithTimeout(2 * d)
		ringtest.RunIdle(t, l)
		require.Len(t, told, 1)
		require.ErrorIs(t, told[0], os.ErrDeadlineExceeded)
		require.GreaterOrEqual(t, took[0], 2*d)
		request.WithTimeout(0) // it has ended, and its place may be another's
		require.Equal(t, liburing.StateDone, l.State(request.Token()))

		told = nil
		read().WithTimeout(d).WithTimeout(-1)
		ringtest.RunFor(t, l, 2*d)
		require.Empty(t, told)
		unix.Write(wr, []byte("x"))
		ringtest.RunIdle(t, l)
		require.Equal(t, []error{nil}, told)
		require.Zero(t, l.Stats().Timers)
	})
}

// The time reaches what a worker thread is blocked in, and what comes after its end is
// nobody's: no descriptor is left.
func TestWithTimeoutOfAWorker(t *testing.T) {
	name := filepath.Join(t.TempDir(), "fifo")
	require.NoError(t, unix.Mkfifo(name, 0o600))
	ringtest.OverLoops(t, 4, func(t *testing.T, l *liburing.Loop) {
		var told error
		l.Openat(unix.AT_FDCWD, name, unix.O_RDONLY|unix.O_CLOEXEC, 0, func(c liburing.Completion) {
			told = c.Err()
		}).Flags(liburing.SQEAsync).WithTimeout(5 * time.Millisecond)
		ringtest.RunIdle(t, l)
		require.ErrorIs(t, told, os.ErrDeadlineExceeded)
	})
}

// A timer whose function panics in the turn in which the time is up does not save the request.
func TestWithTimeoutBesideAPanic(t *testing.T) {
	ringtest.OverLoops(t, 4, func(t *testing.T, l *liburing.Loop) {
		rd, _ := ringtest.Pipe(t)
		var told error
		l.Read(rd, make([]byte, 1), 0, func(c liburing.Completion) { told = c.Err() }).WithTimeout(time.Millisecond)
		l.After(2*time.Millisecond, func() { panic("beside it") })
		time.Sleep(4 * time.Millisecond) // both are due in one turn
		require.Panics(t, func() { l.RunUntilIdle(t.Context()) })
		ringtest.RunIdle(t, l)
		require.ErrorIs(t, told, os.ErrDeadlineExceeded)
	})
}

// Where the kernel's thread takes its time, requests are not cancelled again before it has
// answered.
func TestWithTimeoutOfManyOnSQPoll(t *testing.T) {
	const n = 20_000
	l := ringtest.NewLoop(t, 256, liburing.WithSQPoll(20*time.Millisecond))
	rd, _ := ringtest.Pipe(t)
	told := 0
	for i := range n {
		l.Read(rd, make([]byte, 1), 0, func(c liburing.Completion) { told++ }).WithTimeout(time.Duration(i) * 5 * time.Microsecond)
	}
	ringtest.RunIdle(t, l)
	require.Equal(t, n, told)
	require.Less(t, l.Stats().Submitted, uint64(2*n+n/2), "a read and a cancel for each")
}

// One context of many requests is watched once, and ends all of them.
func TestContextOfMany(t *testing.T) {
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		const n = 500
		rd, _ := ringtest.Pipe(t)
		ctx, cancel := context.WithCancelCause(t.Context())
		told, others := 0, 0
		for range n {
			l.Read(rd, make([]byte, 1), 0, func(c liburing.Completion) {
				require.ErrorIs(t, c.Err(), context.Canceled)
				require.ErrorIs(t, c.Err(), unix.EPIPE)
				told++
			}).WithContext(ctx)
			l.Timeout(time.Hour, 0, 0, func(c liburing.Completion) { told++ }).WithContext(ctx)
			l.Read(rd, make([]byte, 1), 0, func(liburing.Completion) { others++ })
		}
		ringtest.RunFor(t, l, time.Millisecond)
		cancel(unix.EPIPE)
		ringtest.RunUntil(t, l, time.Millisecond, func() bool { return told == 2*n })
		require.Zero(t, others)
		require.Equal(t, ringtest.Books{Handles: n}, ringtest.BooksOf(l))
		late := l.Read(rd, make([]byte, 1), 0, func(c liburing.Completion) { told++ }).WithContext(ctx)
		ringtest.RunUntil(t, l, time.Millisecond, func() bool { return told == 2*n+1 })
		require.Equal(t, liburing.StateDone, l.State(late.Token()))
	})
}

// Neither a context that others have too nor a time costs memory for each request.
func TestEndsDoNotAllocate(t *testing.T) {
	l := ringtest.NewLoop(t, 8)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	rd, _ := ringtest.Pipe(t)
	l.Read(rd, make([]byte, 1), 0, nil).WithContext(ctx)
	several := func(request func()) float64 {
		return testing.AllocsPerRun(100, func() {
			for range 20 {
				request()
			}
			l.Nop(func(liburing.Completion) { l.Stop() })
			l.Run(t.Context())
		})
	}
	plain := several(func() { l.Nop(nil) })
	require.LessOrEqual(t, several(func() { l.Nop(nil).WithContext(ctx) }), plain+1)
	require.LessOrEqual(t, several(func() { l.Nop(nil).WithTimeout(time.Hour) }), plain+1)
}

func TestStats(t *testing.T) {
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		for range 20 {
			l.Nop(nil)
		}
		require.Equal(t, 20, l.Stats().InFlight)
		ringtest.RunIdle(t, l)
		s := l.Stats()
		require.GreaterOrEqual(t, s.Submitted, uint64(20))
		require.LessOrEqual(t, s.Submitted, uint64(21), "beside them the loop has its waker read at most")
		require.EqualValues(t, 20, s.Completed)
		require.NotZero(t, s.Enters)
		require.Zero(t, s.InFlight)
		require.Zero(t, s.Stale)
		ringtest.CloseLoop(t, l)
		require.EqualValues(t, 20, l.Stats().Completed)
	})
}

// A receive in flight does not keep a connection from being hung up.
func TestCancelAndClose(t *testing.T) {
	ringtest.NeedsOps(t, liburing.OpSocket) // of the same kernel
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		require.NoError(t, err)
		defer unix.Close(fds[0])
		var received, closed error
		l.Recv(fds[1], make([]byte, 1), 0, func(c liburing.Completion) { received = c.Err() })
		l.Nop(func(liburing.Completion) {
			l.CancelAndClose(fds[1], func(c liburing.Completion) { closed = c.Err() })
		})
		hungUp := -1
		l.Recv(fds[0], make([]byte, 1), 0, func(c liburing.Completion) { hungUp = int(c.Res) })
		ringtest.RunIdle(t, l)
		ringtest.RequireCancelled(t, received)
		require.NoError(t, closed)
		require.Zero(t, hungUp, "the peer sees the end")
	})
}

func TestCancelOp(t *testing.T) {
	ringtest.NeedsKernel(t, 6, 6) // 6.1 heeds all but the operation
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		a, b := ringtest.SocketPair(t)
		r, _ := ringtest.Pipe(t)
		got := map[string]liburing.Completion{}
		as := func(name string) liburing.Callback { return func(c liburing.Completion) { got[name] = c } }
		l.Recv(a, make([]byte, 1), 0, func(c liburing.Completion) {
			as("a")(c)
			l.CancelOp(liburing.OpRecv, 0, liburing.AsyncCancelAll, as("all"))
		})
		l.Recv(b, make([]byte, 1), 0, as("b"))
		read := l.Read(r, make([]byte, 1), 0, as("read"))
		l.Nop(func(liburing.Completion) {
			l.CancelOp(liburing.OpRecv, a, liburing.AsyncCancelFD|liburing.AsyncCancelAll, as("one"))
		})
		ringtest.RunUntil(t, l, 5*time.Millisecond, func() bool { return len(got) == 4 || got["one"].Err() != nil || got["all"].Err() != nil })
		require.EqualValues(t, 1, got["one"].Res)
		require.EqualValues(t, 1, got["all"].Res)
		require.ErrorIs(t, got["a"].Err(), unix.ECANCELED)
		require.ErrorIs(t, got["b"].Err(), unix.ECANCELED)
		require.NotEqual(t, liburing.StateDone, l.State(read.Token()))
	})
}

func TestAcceptDontWait(t *testing.T) {
	l := ringtest.NewLoop(t, 8)
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	defer unix.Close(fd)
	require.NoError(t, unix.Bind(fd, &unix.SockaddrUnix{Name: ""}))
	require.NoError(t, unix.Listen(fd, 1))
	var waited, not error
	req := l.Accept(fd, nil, unix.SOCK_CLOEXEC, func(c liburing.Completion) { waited = c.Err() }).PollFirst()
	require.EqualValues(t, liburing.AcceptPollFirst, req.SQE().IOPrio)
	l.Accept(fd, nil, unix.SOCK_CLOEXEC, func(c liburing.Completion) { not = c.Err() }).DontWait()
	ringtest.RunUntil(t, l, 5*time.Millisecond, func() bool { return not != nil })
	if errors.Is(not, unix.EINVAL) {
		require.True(t, ringtest.KernelBefore(6, 10))
		ringtest.RunUntil(t, l, 5*time.Millisecond, func() bool { return waited != nil })
		require.ErrorIs(t, waited, unix.EINVAL)
		t.Skip("before 6.10 both flags are refused")
	}
	require.ErrorIs(t, not, unix.EAGAIN)
	require.NoError(t, waited)
}

// A multishot receive that polls first misses resets on Linux 6.18: it does not.
func TestPollFirstIsNotForMultishotReceives(t *testing.T) {
	l := ringtest.NewLoop(t, 8)
	const first = uint16(liburing.RecvSendPollFirst)
	require.Equal(t, first, l.Recv(-1, make([]byte, 1), 0, nil).PollFirst().SQE().IOPrio&first)
	require.Zero(t, l.RecvMultishot(-1, nil, 0, nil).PollFirst().SQE().IOPrio&first)
	require.Zero(t, l.RecvmsgMultishot(-1, new(liburing.Msghdr), 0, nil).PollFirst().SQE().IOPrio&first)
	ringtest.RunIdle(t, l)
}
