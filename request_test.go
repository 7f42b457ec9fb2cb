//go:build linux && cgo

package liburing

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// A context's end is told as what it is and with its cause.
func TestContextWithACause(t *testing.T) {
	l := newLoop(t, 8)
	r, _ := pipe(t)
	why := errors.New("why")
	ctx, cancel := context.WithCancelCause(t.Context())
	var err error
	l.Read(r, make([]byte, 1), 0, func(c Completion) { err = c.Err() }).WithContext(ctx)
	cancel(why)
	run(t, l)
	require.ErrorIs(t, err, why)
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, err, unix.ECANCELED)
}

// Whichever of a request's contexts ends, it ends the request.
func TestTwoContexts(t *testing.T) {
	for which := range 2 {
		l := newLoop(t, 8)
		r, _ := pipe(t)
		var ctx [2]context.Context
		var cancel [2]context.CancelFunc
		for i := range ctx {
			ctx[i], cancel[i] = context.WithCancel(t.Context())
			defer cancel[i]()
		}
		var err error
		l.Read(r, make([]byte, 1), 0, func(c Completion) { err = c.Err() }).WithContext(ctx[0]).WithContext(ctx[1])
		cancel[which]()
		run(t, l)
		require.ErrorIs(t, err, context.Canceled)
	}
}

// What is said of a request that has completed has no effect.
func TestSettersAfterTheCompletion(t *testing.T) {
	overLoops(t, 8, func(t *testing.T, l *Loop) {
		g := newGroup(t, l, 1, 16, 0)
		req := l.Nop(nil)
		run(t, l)
		require.Nil(t, req.SQE())
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		req.Buffers(g).Bundle().WithContext(ctx).Flags(SQEIODrain).LinkNext().Deadline(time.Hour).SkipSuccess()
		require.False(t, l.drains)
		require.Zero(t, g.users)
		require.NoError(t, l.Nop(nil).Err())
		run(t, l)
	})
}

// The same once the kernel has a request that is still in flight, wherever its
// entry was.
func TestSettersAfterTheSubmission(t *testing.T) {
	overLoops(t, 4, func(t *testing.T, l *Loop) {
		r, _ := pipe(t)
		var reqs []Request
		for range 10 { // some wait in the backlog at first
			reqs = append(reqs, l.Read(r, make([]byte, 1), 0, nil))
		}
		for _, req := range reqs {
			require.NotNil(t, req.SQE())
		}
		for end := time.Now().Add(5 * time.Second); l.State(reqs[9].Token()) == StateQueued && time.Now().Before(end); {
			runFor(t, l, time.Millisecond)
		}
		for _, req := range reqs {
			require.Nil(t, req.SQE())
			require.Equal(t, StateInFlight, l.State(req.Token()))
		}
	})
}

// A chain goes on behind a request's deadline, in whatever order that was said.
func TestDeadlineInAChain(t *testing.T) {
	for name, say := range map[string]func(Request) Request{
		"deadline, link": func(r Request) Request { return r.Deadline(time.Hour).LinkNext() },
		"link, deadline": func(r Request) Request { return r.LinkNext().Deadline(time.Hour) },
		"hard link":      func(r Request) Request { return r.Deadline(time.Hour).HardLinkNext() },
	} {
		t.Run(name, func(t *testing.T) {
			overLoops(t, 8, func(t *testing.T, l *Loop) {
				r, w := pipe(t)
				var order []string
				say(l.Read(r, make([]byte, 1), 0, func(Completion) { order = append(order, "read") }))
				l.Nop(func(Completion) { order = append(order, "next") })
				runFor(t, l, 5*time.Millisecond)
				require.Empty(t, order)
				unix.Write(w, []byte("x"))
				run(t, l)
				require.Equal(t, []string{"read", "next"}, order)
			})
		})
	}
}

func TestDeadlineOnTheSmallestLoop(t *testing.T) {
	l := newLoop(t, 1)
	r, _ := pipe(t)
	var err error
	l.Read(r, make([]byte, 1), 0, func(c Completion) { err = c.Err() }).Deadline(time.Millisecond)
	run(t, l)
	require.ErrorIs(t, err, unix.ECANCELED)
}

// A token names its one request for ever, though its place is another's by then.
func TestTokenOfAnEarlierRequest(t *testing.T) {
	l := newLoop(t, 8)
	old := l.Nop(nil).Token()
	run(t, l)
	r, w := pipe(t)
	var read, cancel error
	req := l.Read(r, make([]byte, 1), 0, func(c Completion) { read = c.Err() })
	require.Equal(t, old.place(), req.Token().place(), "the place is used again")
	l.Cancel(old, 0, func(c Completion) {
		cancel = c.Err()
		unix.Write(w, []byte("x"))
	})
	run(t, l)
	require.ErrorIs(t, cancel, unix.ENOENT)
	require.NoError(t, read)
	require.Equal(t, StateDone, l.State(old))
}

func TestTimersWithBadInput(t *testing.T) {
	l := newLoop(t, 8)
	fired := 0
	require.NoError(t, l.After(-time.Second, func() { fired++ }).Err())
	require.ErrorIs(t, l.Every(0, func() {}).Err(), unix.EINVAL)
	require.ErrorIs(t, l.Every(-1, func() {}).Err(), unix.EINVAL)
	require.ErrorIs(t, l.Every(time.Second, nil).Err(), unix.EINVAL)
	require.ErrorIs(t, l.After(time.Second, nil).Err(), unix.EINVAL)
	run(t, l)
	require.Equal(t, 1, fired, "what is due already")
	closeLoop(t, l)
	late := l.After(0, func() { t.Error("called") })
	require.ErrorIs(t, late.Err(), ErrClosed)
	late.Stop()
}

// The kernel keeps what does not fit into the completion queue: nothing is lost,
// and it is counted.
func TestOverflow(t *testing.T) {
	l := newLoop(t, 8, WithCQEntries(8))
	r, w := pipe(t)
	const reads = 500
	n := 0
	for range reads {
		l.Read(r, make([]byte, 1), 0, func(Completion) { n++ })
	}
	runFor(t, l, 10*time.Millisecond)
	require.Zero(t, n)
	unix.Write(w, make([]byte, reads))
	run(t, l)
	require.Equal(t, reads, n)
	require.NotZero(t, l.Stats().Overflows)
}

// A loop asks for what suits a single thread.
func TestLoopSetup(t *testing.T) {
	want := loopFlags[0]
	if unknownFlags(want) != 0 {
		want = loopFlags[1] &^ unknownFlags(loopFlags[1])
	}
	l := newLoop(t, 8)
	require.Equal(t, want, l.ring.Flags()&want)
	if l.ring.Features()&FeatRegRegRing != 0 {
		require.NotZero(t, l.ring.mem.enterFlags()&EnterRegisteredRing, "the ring's descriptor is registered")
	}
}

// What a deadline has ended can be told from what was cancelled, also where a part
// of the bytes has come, and the callback runs once.
func TestDeadlineTells(t *testing.T) {
	overLoops(t, 8, func(t *testing.T, l *Loop) {
		r, _ := pipe(t)
		a, b := socketPair(t)
		got := map[string]error{}
		as := func(name string) Callback {
			return func(c Completion) {
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
		l.Recv(b, make([]byte, 10), unix.MSG_WAITALL, func(c Completion) {
			n, _ = c.Result()
			as("part")(c)
		}).Deadline(time.Millisecond)
		run(t, l)
		require.ErrorIs(t, got["passed"], os.ErrDeadlineExceeded)
		requireCancelled(t, got["passed"])
		require.NotContains(t, got["passed"].Error(), "\n")
		require.NotErrorIs(t, got["cancelled"], os.ErrDeadlineExceeded)
		requireCancelled(t, got["cancelled"])
		require.NoError(t, got["in time"])
		require.ErrorIs(t, got["part"], os.ErrDeadlineExceeded)
		require.Equal(t, 4, n)
	})
}

// What breaks a chain is a short read, but a short receive only with MSG_WAITALL.
func TestShortResultsInAChain(t *testing.T) {
	overLoops(t, 8, func(t *testing.T, l *Loop) {
		a, b := socketPair(t)
		f := tempFile(t, []byte("short"))
		for name, test := range map[string]struct {
			first func(cb Callback) Request
			next  error
		}{
			"read":         {func(cb Callback) Request { return l.Read(int(f.Fd()), make([]byte, 10), 0, cb) }, unix.ECANCELED},
			"receive":      {func(cb Callback) Request { return l.Recv(b, make([]byte, 10), 0, cb) }, nil},
			"all received": {func(cb Callback) Request { return l.Recv(b, make([]byte, 10), unix.MSG_WAITALL, cb) }, unix.ECANCELED},
		} {
			unix.Write(a, []byte("short"))
			var first int32
			var next error
			req := test.first(func(c Completion) { first = c.Res })
			if name == "all received" {
				req = req.Deadline(20 * time.Millisecond)
			}
			req.LinkNext()
			l.Nop(func(c Completion) { next = c.Err() })
			run(t, l)
			require.EqualValues(t, 5, first, name)
			if test.next == nil {
				require.NoError(t, next, name)
			} else {
				require.ErrorIs(t, next, test.next, name)
			}
			unix.Recvfrom(b, make([]byte, 10), unix.MSG_DONTWAIT) // what a read has left
		}
	})
}
