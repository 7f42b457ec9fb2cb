//go:build linux

package model_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-liburing/liburing"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func (m *model) deadline(s step) {
	d := time.Duration(m.rnd(s).IntN(500)) * time.Microsecond
	m.request(expect{name: "deadline", check: m.cancelled}, m.readOf(m.silent)).Deadline(d)
}

// watched is a context that counts who waits for its end: the loop must stop
// that when the request has completed.
type watched struct {
	context.Context
	waiters *atomic.Int64
}

// Value hides what the context is, so that AfterFunc is called.
func (watched) Value(any) any { return nil }

func (w watched) AfterFunc(f func()) func() bool {
	w.waiters.Add(1)
	done := sync.OnceFunc(func() { w.waiters.Add(-1) })
	stop := context.AfterFunc(w.Context, func() { done(); f() })
	return func() bool { done(); return stop() }
}

// lasting is a context that does not end before the program has.
func (m *model) lasting() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	m.ends = append(m.ends, cancel)
	return watched{ctx, &m.waiters}
}

// newContext returns a context that ends before its request is made, soon, when
// a function is posted, or when another goroutine cancels it.
func (m *model) newContext(rnd *rand.Rand) context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	soon := time.Duration(rnd.IntN(1000)) * time.Microsecond
	switch rnd.IntN(4) {
	case 0:
		cancel()
	case 1:
		if m.l.Post(cancel) != nil {
			cancel()
		}
	case 2:
		m.posters.Go(func() {
			time.Sleep(soon)
			cancel()
		})
	default:
		ctx, cancel = context.WithTimeout(context.Background(), soon)
	}
	m.ends = append(m.ends, cancel)
	return watched{ctx, &m.waiters}
}

// endedBy is right for a request that nothing but its context ends.
func (m *model) endedBy(ctx context.Context) func(liburing.Completion) {
	m.toEnd++
	return func(c liburing.Completion) {
		m.toEnd--
		require.Error(m.t, ctx.Err())
		require.ErrorIs(m.t, c.Err(), ctx.Err())
		m.cancelled(c)
	}
}

// whatever is right for a request whose own result is want, whether its context
// has ended meanwhile or not.
func (m *model) whatever(ctx context.Context, over bool, want int32) func(liburing.Completion) {
	return func(c liburing.Completion) {
		require.Equal(m.t, want, c.Res)
		ended := ctx.Err() != nil && errors.Is(c.Err(), ctx.Err())
		require.True(m.t, ended || !over, "the context ended before the request was made: %v", c.Err())
		require.Equal(m.t, want != 0 || ended, c.Err() != nil, "%v", c.Err())
	}
}

func (m *model) context(s step) {
	ctx := m.newContext(m.rnd(s))
	m.request(expect{name: "with a context", check: m.endedBy(ctx)}, m.readOf(m.silent)).WithContext(ctx)
}

// timeLimit has a read end when its time is over, which is sometimes set anew, and then
// sometimes by another request's callback.
func (m *model) timeLimit(s step) {
	rnd := m.rnd(s)
	soon := func() time.Duration { return time.Duration(rnd.IntN(1000)) * time.Microsecond }
	m.toEnd++
	req := m.request(expect{name: "with a time", check: func(c liburing.Completion) {
		m.toEnd--
		require.ErrorIs(m.t, c.Err(), os.ErrDeadlineExceeded)
		m.cancelled(c)
	}}, m.readOf(m.silent)).WithTimeout(soon())
	switch rnd.IntN(3) {
	case 0:
		req.WithTimeout(-1)
		req.WithTimeout(soon())
	case 1:
		m.request(expect{name: "before a new time", check: m.success}, func(cb liburing.Callback) liburing.Request {
			return m.l.Nop(func(c liburing.Completion) {
				req.WithTimeout(soon())
				cb(c)
			})
		})
	}
}

// contextChain links no-ops and reads that only their contexts end. Behind a
// link the first read takes all with it; behind hard links each ends by itself.
// Some chains of links are quiet.
func (m *model) contextChain(s step) {
	rnd := m.rnd(s)
	n := m.chainLength(rnd)
	hard, quiet := rnd.IntN(2) == 0, rnd.IntN(2) == 0
	broken := false
	var req liburing.Request
	for i := range n {
		waits := rnd.IntN(3) == 0
		ctx := m.newContext(rnd)
		if !waits && rnd.IntN(2) == 0 {
			ctx = m.lasting()
		}
		over := ctx.Err() != nil
		e := expect{name: "of a chain with contexts", silent: !hard && quiet && !broken && i < n-1}
		do := m.l.Nop
		switch {
		case broken:
			e.check = m.whatever(ctx, over, -int32(unix.ECANCELED))
		case waits:
			e.check, e.silent = m.endedBy(ctx), false
		default:
			e.check = m.whatever(ctx, over, 0)
		}
		if waits {
			do, broken = m.readOf(m.silent), !hard
		}
		req = m.request(e, do).WithContext(ctx)
		switch {
		case i == n-1:
		case hard:
			req.HardLinkNext()
		default:
			req.LinkNext()
		}
	}
	if quiet {
		req.SkipSuccess() // has no effect on hard links
	}
}

// deadlineChain has a read end by its deadline, behind no-ops that it does not
// count for. Some have a context too, which may come first.
func (m *model) deadlineChain(s step) {
	rnd := m.rnd(s)
	before := 1 + rnd.IntN(3)
	if m.program.tight {
		before = 0
	}
	for range before {
		m.request(expect{name: "before a deadline", check: m.success}, m.l.Nop).LinkNext()
	}
	req := m.request(expect{name: "deadline of a chain", check: m.cancelled}, m.readOf(m.silent))
	if rnd.IntN(2) == 0 {
		req.WithContext(m.newContext(rnd))
	}
	req.Deadline(time.Duration(rnd.IntN(500)) * time.Microsecond)
}
