//go:build linux

package loop_test

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// A context's end is told as what it is and with its cause.
func TestContextWithACause(t *testing.T) {
	l := ringtest.NewLoop(t, 8)
	r, _ := ringtest.Pipe(t)
	why := errors.New("why")
	ctx, cancel := context.WithCancelCause(t.Context())
	var err error
	l.Read(r, make([]byte, 1), 0, func(c liburing.Completion) { err = c.Err() }).WithContext(ctx)
	cancel(why)
	ringtest.RunIdle(t, l)
	require.ErrorIs(t, err, why)
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, err, unix.ECANCELED)
}

// Whichever of a request's contexts ends, it ends the request.
func TestTwoContexts(t *testing.T) {
	for which := range 2 {
		l := ringtest.NewLoop(t, 8)
		r, _ := ringtest.Pipe(t)
		var ctx [2]context.Context
		var cancel [2]context.CancelFunc
		for i := range ctx {
			ctx[i], cancel[i] = context.WithCancel(t.Context())
			defer cancel[i]()
		}
		var err error
		l.Read(r, make([]byte, 1), 0, func(c liburing.Completion) { err = c.Err() }).WithContext(ctx[0]).WithContext(ctx[1])
		cancel[which]()
		ringtest.RunIdle(t, l)
		require.ErrorIs(t, err, context.Canceled)
	}
}

// What is said of a request that has completed has no effect.
func TestSettersAfterTheCompletion(t *testing.T) {
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		g := ringtest.NewGroup(t, l, 1, 16, 0)
		req := l.Nop(nil)
		ringtest.RunIdle(t, l)
		require.Nil(t, req.SQE())
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		req.Buffers(g).Bundle().WithContext(ctx).Flags(liburing.SQEIODrain).LinkNext().Deadline(time.Hour).SkipSuccess()
		require.False(t, ringtest.Drains(l))
		require.Zero(t, ringtest.InsideGroup(g).Users)
		require.NoError(t, l.Nop(nil).Err())
		ringtest.RunIdle(t, l)
	})
}

// The same once the kernel has a request that is still in flight, wherever its
// entry was.
func TestSettersAfterTheSubmission(t *testing.T) {
	ringtest.OverLoops(t, 4, func(t *testing.T, l *liburing.Loop) {
		r, _ := ringtest.Pipe(t)
		var reqs []liburing.Request
		for range 10 { // some wait in the backlog at first
			reqs = append(reqs, l.Read(r, make([]byte, 1), 0, nil))
		}
		for _, req := range reqs {
			require.NotNil(t, req.SQE())
		}
		for end := time.Now().Add(5 * time.Second); l.State(reqs[9].Token()) == liburing.StateQueued && time.Now().Before(end); {
			ringtest.RunFor(t, l, time.Millisecond)
		}
		for _, req := range reqs {
			require.Nil(t, req.SQE())
			require.Equal(t, liburing.StateInFlight, l.State(req.Token()))
		}
	})
}

// A chain goes on behind a request's deadline, in whatever order that was said.
func TestDeadlineInAChain(t *testing.T) {
	for name, say := range map[string]func(liburing.Request) liburing.Request{
		"deadline, link": func(r liburing.Request) liburing.Request { return r.Deadline(time.Hour).LinkNext() },
		"link, deadline": func(r liburing.Request) liburing.Request { return r.LinkNext().Deadline(time.Hour) },
		"hard link":      func(r liburing.Request) liburing.Request { return r.Deadline(time.Hour).HardLinkNext() },
	} {
		t.Run(name, func(t *testing.T) {
			ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
				r, w := ringtest.Pipe(t)
				var order []string
				say(l.Read(r, make([]byte, 1), 0, func(liburing.Completion) { order = append(order, "read") }))
				l.Nop(func(liburing.Completion) { order = append(order, "next") })
				ringtest.RunFor(t, l, 5*time.Millisecond)
				require.Empty(t, order)
				unix.Write(w, []byte("x"))
				ringtest.RunIdle(t, l)
				require.Equal(t, []string{"read", "next"}, order)
			})
		})
	}
}

// On Linux 6.18 the timeout of such a wait says 1 instead of ETIME when it ends it.
func TestDeadlineOfAWaitForFutexes(t *testing.T) {
	ringtest.NeedsOps(t, liburing.OpFutexWait)
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		const flags = liburing.Futex2SizeU32 | liburing.Futex2Private
		word := new(uint32)
		for name, request := range map[string]func(cb liburing.Callback) liburing.Request{
			"wait": func(cb liburing.Callback) liburing.Request { return l.FutexWait(word, 0, 0xffffffff, flags, 0, cb) },
			"waitv": func(cb liburing.Callback) liburing.Request {
				return l.FutexWaitv([]liburing.FutexWaitv{{Futex: word, Flags: flags}}, 0, cb)
			},
		} {
			for _, c := range ringtest.Do(t, l, func(cb liburing.Callback) liburing.Request { return request(cb).Deadline(time.Millisecond) }) {
				require.ErrorIs(t, c.Err(), os.ErrDeadlineExceeded, name)
				require.ErrorIs(t, c.Err(), unix.ECANCELED, name)
			}
		}
	})
}

func TestDeadlineOnTheSmallestLoop(t *testing.T) {
	l := ringtest.NewLoop(t, 1)
	r, _ := ringtest.Pipe(t)
	var err error
	l.Read(r, make([]byte, 1), 0, func(c liburing.Completion) { err = c.Err() }).Deadline(time.Millisecond)
	ringtest.RunIdle(t, l)
	require.ErrorIs(t, err, unix.ECANCELED)
}

// A token names its one request for ever, though its place is another's by then.
func TestTokenOfAnEarlierRequest(t *testing.T) {
	l := ringtest.NewLoop(t, 8)
	old := l.Nop(nil).Token()
	ringtest.RunIdle(t, l)
	r, w := ringtest.Pipe(t)
	var read, cancel error
	req := l.Read(r, make([]byte, 1), 0, func(c liburing.Completion) { read = c.Err() })
	require.Equal(t, uint32(old), uint32(req.Token()), "the place is used again")
	l.Cancel(old, 0, func(c liburing.Completion) {
		cancel = c.Err()
		unix.Write(w, []byte("x"))
	})
	ringtest.RunIdle(t, l)
	require.ErrorIs(t, cancel, unix.ENOENT)
	require.NoError(t, read)
	require.Equal(t, liburing.StateDone, l.State(old))
}

// The kernel keeps what does not fit into the completion queue: nothing is lost,
// and it is counted.
func TestOverflow(t *testing.T) {
	l := ringtest.NewLoop(t, 8, liburing.WithCQEntries(8))
	r, w := ringtest.Pipe(t)
	const reads = 500
	n := 0
	for range reads {
		l.Read(r, make([]byte, 1), 0, func(liburing.Completion) { n++ })
	}
	ringtest.RunFor(t, l, 10*time.Millisecond)
	require.Zero(t, n)
	unix.Write(w, make([]byte, reads))
	ringtest.RunIdle(t, l)
	require.Equal(t, reads, n)
	require.NotZero(t, l.Stats().Overflows)
}

// What a deadline has ended can be told from what was cancelled, also where a part
// of the bytes has come, and the callback runs once.
func TestDeadlineTells(t *testing.T) {
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		r, _ := ringtest.Pipe(t)
		a, b := ringtest.SocketPair(t)
		got := map[string]error{}
		as := func(name string) liburing.Callback {
			return func(c liburing.Completion) {
				require.NotContains(t, got, name, "called twice")
				got[name] = c.Err()
			}
		}
		l.Read(r, make([]byte, 1), 0, as("passed")).Deadline(time.Millisecond)
		cancelled := l.Read(r, make([]byte, 1), 0, as("cancelled")).Deadline(time.Hour)
		l.Cancel(cancelled.Token(), 0, nil)
		l.Nop(as("in time")).Deadline(time.Hour)
		unix.Write(a, []byte("part"))
		n := 0
		l.Recv(b, make([]byte, 10), unix.MSG_WAITALL, func(c liburing.Completion) {
			n, _ = c.Result()
			as("part")(c)
		}).Deadline(time.Millisecond)
		ringtest.RunIdle(t, l)
		require.ErrorIs(t, got["passed"], os.ErrDeadlineExceeded)
		ringtest.RequireCancelled(t, got["passed"])
		require.NotContains(t, got["passed"].Error(), "\n")
		require.NotErrorIs(t, got["cancelled"], os.ErrDeadlineExceeded)
		ringtest.RequireCancelled(t, got["cancelled"])
		require.NoError(t, got["in time"])
		require.ErrorIs(t, got["part"], os.ErrDeadlineExceeded)
		if !forgetsParts() {
			require.Equal(t, 4, n)
		}
	})
}

// forgetsParts reports whether the kernel does not tell what a receive with
// MSG_WAITALL had received when it was cancelled.
func forgetsParts() bool { return ringtest.KernelBefore(6, 1) }

// What breaks a chain is a short read, but a short receive only with MSG_WAITALL.
func TestShortResultsInAChain(t *testing.T) {
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		a, b := ringtest.SocketPair(t)
		f := ringtest.TempFile(t, []byte("short"))
		for name, test := range map[string]struct {
			first func(cb liburing.Callback) liburing.Request
			next  error
		}{
			"read":         {func(cb liburing.Callback) liburing.Request { return l.Read(int(f.Fd()), make([]byte, 10), 0, cb) }, unix.ECANCELED},
			"receive":      {func(cb liburing.Callback) liburing.Request { return l.Recv(b, make([]byte, 10), 0, cb) }, nil},
			"all received": {func(cb liburing.Callback) liburing.Request { return l.Recv(b, make([]byte, 10), unix.MSG_WAITALL, cb) }, unix.ECANCELED},
		} {
			unix.Write(a, []byte("short"))
			var first int32
			var next error
			req := test.first(func(c liburing.Completion) { first = c.Res })
			if name == "all received" {
				req = req.Deadline(20 * time.Millisecond)
			}
			req.LinkNext()
			l.Nop(func(c liburing.Completion) { next = c.Err() })
			ringtest.RunIdle(t, l)
			if name == "all received" && forgetsParts() {
				require.Equal(t, -int32(unix.ECANCELED), first)
			} else {
				require.EqualValues(t, 5, first, name)
			}
			if test.next == nil {
				require.NoError(t, next, name)
			} else {
				require.ErrorIs(t, next, test.next, name)
			}
			unix.Recvfrom(b, make([]byte, 10), unix.MSG_DONTWAIT) // what a read has left
		}
	})
}
