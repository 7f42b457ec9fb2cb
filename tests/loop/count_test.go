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

// A timeout with a count ends after as many requests of others, not of the loop's own:
// here those that wake it.
func TestTimeoutCountsOthers(t *testing.T) {
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		var ends []int32
		stop := ringtest.Running(t, l)
		call := func(f func()) {
			called := make(chan bool)
			require.NoError(t, l.Post(func() { f(); close(called) }))
			ringtest.Within(t, func() { <-called })
		}
		call(func() { l.Timeout(time.Minute, 3, 0, func(c liburing.Completion) { ends = append(ends, c.Res) }) })
		for range 10 {
			call(func() {})
			ringtest.WaitAsleep(t, l)
		}
		for n := range 3 {
			early := 0
			call(func() { early = len(ends) })
			require.Zero(t, early, "after %d", n)
			call(func() { l.After(0, func() {}) }) // timers don't count
			call(func() { l.Nop(nil) })
			ringtest.WaitAsleep(t, l)
		}
		stop()
		ringtest.RunIdle(t, l)
		require.Equal(t, []int32{0}, ends)
	})
}

// What else ends one: its time, a cancel, a context, the loop.
func TestTimeoutWithACountEnds(t *testing.T) {
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		var errs []error
		keep := func(c liburing.Completion) { errs = append(errs, c.Err()) }
		l.Timeout(time.Millisecond, 3, 0, keep)
		ringtest.RunIdle(t, l)
		l.Cancel(l.Timeout(time.Minute, 3, 0, keep).Token(), 0, nil)
		ringtest.RunIdle(t, l)
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		l.Timeout(time.Minute, 3, 0, keep).WithContext(ctx)
		ringtest.RunIdle(t, l)
		l.Timeout(time.Minute, 3, 0, keep)
		ringtest.CloseLoop(t, l)
		require.Len(t, errs, 4)
		for i, want := range []error{unix.ETIME, unix.ECANCELED, context.DeadlineExceeded, unix.ECANCELED} {
			require.ErrorIs(t, errs[i], want)
		}
	})
}

// In a chain the kernel counts: what is linked behind runs when it has.
func TestTimeoutWithACountInAChain(t *testing.T) {
	l := ringtest.NewLoop(t, 8)
	var order []string
	note := func(name string, err error) liburing.Callback {
		return func(c liburing.Completion) {
			require.ErrorIs(t, c.Err(), err, name)
			order = append(order, name)
		}
	}
	l.Nop(nil).LinkNext()
	l.Timeout(time.Minute, 1, 0, note("second", nil))
	l.Timeout(time.Minute, 2, 0, note("first", nil)).LinkNext()
	l.Nop(note("behind", nil))
	for range 3 {
		l.Nop(nil)
	}
	ringtest.RunIdle(t, l)
	require.Len(t, order, 3)
}
