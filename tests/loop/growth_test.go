//go:build linux

package loop_test

import (
	"context"
	"testing"
	"time"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// What one more costs does not depend on how many there are. Each of these would cost some
// sixteen times as much, or did.
func TestCostsThatDoNotGrow(t *testing.T) {
	if ringtest.Race {
		t.Skip("the race detector slows down what is measured differently")
	}
	r, _ := ringtest.Pipe(t)
	read := func(l *liburing.Loop, cb liburing.Callback) liburing.Request {
		return l.Read(r, make([]byte, 1), 0, cb)
	}
	for name, c := range map[string]struct {
		few int
		// cost returns what one costs where there are n.
		cost func(t *testing.T, l *liburing.Loop, n int) time.Duration
	}{
		"a no-op beside timeouts that count": {500, func(t *testing.T, l *liburing.Loop, n int) time.Duration {
			for range n {
				l.Timeout(time.Hour, 1<<30, 0, nil)
			}
			ringtest.RunFor(t, l, time.Millisecond)
			return noOp(t, l)
		}},
		"a no-op beside streams that wait for buffers of as many groups": {500, func(t *testing.T, l *liburing.Loop, n int) time.Duration {
			zero, err := unix.Open("/dev/zero", unix.O_RDONLY|unix.O_CLOEXEC, 0)
			require.NoError(t, err)
			defer unix.Close(zero)
			var kept []liburing.Borrowed
			for range n {
				g, err := l.NewBufGroup(1, 64, 0)
				require.NoError(t, err)
				l.Rearm(func(cb liburing.Callback) liburing.Request {
					return l.Read(zero, nil, 0, cb).Buffers(g)
				}, func(c liburing.Completion) {
					if c.More() {
						kept = append(kept, c.Keep())
					}
				})
			}
			ringtest.RunUntil(t, l, time.Millisecond, func() bool { return l.Stats().BuffersShort == uint64(n) })
			cost := noOp(t, l)
			require.Len(t, kept, n)
			for _, b := range kept {
				require.NoError(t, b.Release())
			}
			return cost
		}},
		"the state of what waits": {5000, func(_ *testing.T, l *liburing.Loop, n int) time.Duration {
			first := read(l, nil).Token()
			for range n {
				read(l, nil)
			}
			return look(l, first)
		}},
		"the state of what is in flight": {2000, func(t *testing.T, _ *liburing.Loop, n int) time.Duration {
			l := ringtest.NewLoop(t, 32000)
			first := read(l, nil).Token()
			ringtest.RunFor(t, l, time.Millisecond)
			for range n {
				l.Nop(nil)
			}
			return look(l, first)
		}},
		"a limit for what is in flight and makes a descriptor": {5000, func(t *testing.T, l *liburing.Loop, n int) time.Duration {
			fd, _ := ringtest.Listener(t)
			var all [1000]liburing.Request
			for i := range all {
				all[i] = l.Accept(fd, nil, 0, nil)
			}
			ringtest.RunFor(t, l, time.Millisecond)
			for range n {
				l.Nop(nil)
			}
			return took(func() {
				for _, r := range all {
					r.WithTimeout(time.Hour)
				}
			}) / time.Duration(len(all))
		}},
		"a setter behind a resize": {5000, func(t *testing.T, l *liburing.Loop, n int) time.Duration {
			ringtest.NeedsKernel(t, 6, 13)
			var all []liburing.Request
			for range n {
				all = append(all, l.Nop(nil))
			}
			require.NoError(t, l.Resize(128, 0))
			all = all[:1000]
			cost := took(func() {
				for _, r := range all {
					r.Flags(liburing.SQEAsync)
				}
			}) / time.Duration(len(all))
			for _, r := range all {
				require.NotZero(t, r.SQE().Flags&liburing.SQEAsync)
			}
			return cost
		}},
		"limits that pass together": {1000, func(t *testing.T, l *liburing.Loop, n int) time.Duration {
			left := n
			var all []liburing.Request
			for range n {
				all = append(all, read(l, func(liburing.Completion) { left-- }).WithTimeout(time.Hour))
			}
			ringtest.RunFor(t, l, time.Millisecond)
			for _, r := range all {
				r.WithTimeout(0)
			}
			cost := took(func() { ringtest.RunIdle(t, l) }) / time.Duration(n)
			require.Zero(t, left)
			return cost
		}},
		"contexts that end together": {2000, func(t *testing.T, l *liburing.Loop, n int) time.Duration {
			parent, end := context.WithCancel(t.Context())
			left := n
			for range n {
				ctx, cancel := context.WithCancel(parent)
				defer cancel()
				read(l, func(liburing.Completion) { left-- }).WithContext(ctx)
			}
			ringtest.RunFor(t, l, time.Millisecond)
			end()
			time.Sleep(100 * time.Millisecond) // in which they tell the loop
			cost := took(func() { ringtest.RunIdle(t, l) }) / time.Duration(n)
			require.Zero(t, left)
			return cost
		}},
		"a link of a quiet chain": {1000, func(t *testing.T, _ *liburing.Loop, n int) time.Duration {
			l := ringtest.NewLoop(t, 16000) // a chain goes as a whole
			last := false
			for i := range n - 1 {
				if i < n/2 {
					l.Nop(nil).LinkNext()
				} else { // of which the loop is told
					l.Shutdown(r, 0, nil).LinkNext()
				}
			}
			l.Nop(func(liburing.Completion) { last = true }).SkipSuccess()
			cost := took(func() { ringtest.RunIdle(t, l) }) / time.Duration(n)
			require.True(t, last)
			return cost
		}},
		"the end of chains": {1000, func(t *testing.T, l *liburing.Loop, n int) time.Duration {
			for range n {
				read(l, nil).LinkNext()
				l.Nop(nil)
			}
			ringtest.RunFor(t, l, time.Millisecond)
			return took(func() { ringtest.CloseLoop(t, l) }) / time.Duration(n)
		}},
		"the end of chains of which each link waits": {2000, func(t *testing.T, l *liburing.Loop, n int) time.Duration {
			for range n {
				read(l, nil).HardLinkNext()
				read(l, nil)
			}
			ringtest.RunFor(t, l, time.Millisecond)
			return took(func() { ringtest.CloseLoop(t, l) }) / time.Duration(n)
		}},
		"revoking many": {2000, func(t *testing.T, l *liburing.Loop, n int) time.Duration {
			return stopping(t, l, n, func(cb liburing.Callback) func() {
				token := l.PollAdd(r, unix.POLLIN, cb).Token()
				return func() { l.Revoke(token) }
			})
		}},
		"stopping many streams": {2000, func(t *testing.T, l *liburing.Loop, n int) time.Duration {
			return stopping(t, l, n, func(cb liburing.Callback) func() {
				return l.Rearm(func(cb liburing.Callback) liburing.Request {
					return l.PollMultishot(r, unix.POLLIN, cb)
				}, cb).Stop
			})
		}},
		"the end after contexts of what waits behind links": {500, func(t *testing.T, l *liburing.Loop, n int) time.Duration {
			ctx, cancel := context.WithCancel(t.Context())
			for range n {
				read(l, nil).LinkNext()
				read(l, nil).WithContext(ctx)
			}
			ringtest.RunFor(t, l, time.Millisecond)
			cancel()
			ringtest.RunFor(t, l, 300*time.Millisecond)
			return took(func() { ringtest.CloseLoop(t, l) }) / time.Duration(n)
		}},
		"the end of what never ran": {4000, func(t *testing.T, l *liburing.Loop, n int) time.Duration {
			for range n {
				read(l, nil)
			}
			return took(func() { ringtest.CloseLoop(t, l) }) / time.Duration(n)
		}},
		"the end of what is observed": {1000, func(t *testing.T, l *liburing.Loop, n int) time.Duration {
			require.NoError(t, l.Observe(liburing.ObserveStacks))
			for range n {
				read(l, nil)
			}
			ringtest.RunFor(t, l, time.Millisecond)
			return took(func() { ringtest.CloseLoop(t, l) }) / time.Duration(n)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			few, many := time.Duration(1<<62), time.Duration(1<<62)
			for range 3 { // something else may run meanwhile
				few = min(few, c.cost(t, ringtest.NewLoop(t, 256), c.few))
				many = min(many, c.cost(t, ringtest.NewLoop(t, 256), 16*c.few))
			}
			t.Logf("%v with %d, %v with %d", few, c.few, many, 16*c.few)
			require.Less(t, many, 4*few+time.Microsecond/4)
		})
	}
}

// look returns what a State costs.
func look(l *liburing.Loop, token liburing.Token) time.Duration {
	const looks = 1000
	return took(func() {
		for range looks {
			l.State(token)
		}
	}) / looks
}

// stopping returns what it costs to stop one of n requests oneself, all at once. begin makes
// one and returns what stops it.
func stopping(t *testing.T, l *liburing.Loop, n int, begin func(liburing.Callback) (stop func())) time.Duration {
	left := n
	var stops []func()
	for range n {
		stops = append(stops, begin(func(c liburing.Completion) {
			require.ErrorIs(t, c.Err(), unix.ECANCELED)
			left--
		}))
	}
	ringtest.RunFor(t, l, time.Millisecond)
	cost := took(func() {
		for _, stop := range stops {
			stop()
		}
		ringtest.RunIdle(t, l)
	}) / time.Duration(n)
	require.Zero(t, left)
	return cost
}

// noOp returns what a no-op costs, each in a turn of its own.
func noOp(t *testing.T, l *liburing.Loop) time.Duration {
	const noOps = 1000
	left := noOps
	var next liburing.Callback
	next = func(liburing.Completion) {
		if left--; left == 0 {
			l.Stop()
			return
		}
		l.Nop(next)
	}
	l.Nop(next)
	return took(func() { require.NoError(t, l.Run(t.Context())) }) / noOps
}

// took returns how much of the processors' time f takes, all of the process counted: what else
// the machine does makes it wait, and spoils no more than its caches.
func took(f func()) time.Duration {
	used := func() time.Duration {
		time.Sleep(2 * time.Millisecond) // of a thread that runs yet the kernel counts only what it did up to its last tick
		var now unix.Timespec
		if err := unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &now); err != nil {
			panic(err)
		}
		return time.Duration(now.Nano())
	}
	start := used()
	f()
	return used() - start
}
