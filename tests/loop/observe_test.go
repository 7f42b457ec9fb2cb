//go:build linux

package loop_test

import (
	"bytes"
	"context"
	"fmt"
	"runtime/trace"
	"testing"
	"time"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// inFlight returns the loop's only request in flight.
func inFlight(t *testing.T, l *liburing.Loop) liburing.InFlight {
	t.Helper()
	all, err := l.InFlight()
	require.NoError(t, err)
	require.Len(t, all, 1)
	return all[0]
}

// Without being observed a loop knows operations, and how far they have come.
func TestInFlightUnobserved(t *testing.T) {
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		require.NoError(t, l.Observe(0))
		all, err := l.InFlight()
		require.NoError(t, err)
		require.Empty(t, all)
		rd, _ := ringtest.Pipe(t)
		token := l.PollAdd(rd, unix.POLLIN, nil).Token()
		require.Equal(t, liburing.InFlight{Token: token, Op: liburing.OpPollAdd, State: liburing.StateQueued, FD: -1}, inFlight(t, l))
		ringtest.RunFor(t, l, time.Millisecond)
		require.Equal(t, liburing.InFlight{Token: token, Op: liburing.OpPollAdd, State: liburing.StateInFlight, FD: -1}, inFlight(t, l))
	})
}

// An observed one knows descriptors, ages, completions and who made what.
func TestInFlightObserved(t *testing.T) {
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		require.NoError(t, l.Observe(liburing.ObserveStacks))
		rd, _ := ringtest.Pipe(t)
		l.PollAdd(rd, unix.POLLIN, nil)
		r := inFlight(t, l)
		require.Equal(t, liburing.StateQueued, r.State)
		require.Zero(t, r.Age)
		require.Contains(t, r.Stack[0], "TestInFlightObserved")
		require.Contains(t, r.Stack[0], "observe_test.go:")
		begun := time.Now()
		ringtest.RunFor(t, l, 2*time.Millisecond)
		r = inFlight(t, l)
		require.Equal(t, liburing.StateInFlight, r.State)
		require.Equal(t, rd, r.FD)
		require.Positive(t, r.Age)
		require.LessOrEqual(t, r.Age, time.Since(begun))
		require.Contains(t, r.Stack[0], "TestInFlightObserved")
		require.Regexp(t, fmt.Sprintf(`^poll_add in flight, fd %d, .* old, made by .*TestInFlightObserved`, rd), r.String())

		require.NoError(t, l.Observe(0))
		r = inFlight(t, l)
		require.Equal(t, -1, r.FD)
		require.Empty(t, r.Stack)
	})
}

// A place that is used again has nothing of the request before.
func TestObservedPlacesAreUsedAgain(t *testing.T) {
	l := ringtest.NewLoop(t, 8)
	require.NoError(t, l.Observe(liburing.ObserveRequests))
	rd, _ := ringtest.Pipe(t)
	l.PollAdd(rd, unix.POLLIN, nil).Deadline(time.Millisecond)
	ringtest.RunIdle(t, l)
	l.Timeout(time.Hour, 0, 0, nil)
	r := inFlight(t, l)
	require.Equal(t, liburing.InFlight{Token: r.Token, Op: liburing.OpTimeout, State: liburing.StateQueued, FD: -1}, r)
	ringtest.RunFor(t, l, time.Millisecond)
	r = inFlight(t, l)
	require.Equal(t, -1, r.FD, "a timeout has none")
	require.Positive(t, r.Age)
	require.Empty(t, r.Stack)
}

func TestInFlightFixedFiles(t *testing.T) {
	l := ringtest.NewLoop(t, 8)
	require.NoError(t, l.Observe(liburing.ObserveRequests))
	rd, _ := ringtest.Pipe(t)
	require.NoError(t, l.Control(func(r *liburing.Ring) error { return r.RegisterFiles([]int{-1, rd}) }))
	fixed := liburing.Fixed(1).FD()
	l.PollAdd(fixed, unix.POLLIN, nil)
	ringtest.RunFor(t, l, time.Millisecond)
	r := inFlight(t, l)
	require.Equal(t, fixed, r.FD)
	require.Contains(t, r.String(), ", file 1, ")
}

// Another goroutine asks while the loop runs, and waits in the kernel.
func TestInFlightFromOutside(t *testing.T) {
	l := ringtest.NewLoop(t, 8)
	rd, wr := ringtest.Pipe(t)
	ringtest.NeedsOps(t, liburing.OpPollAdd)
	var told int
	l.PollMultishot(rd, unix.POLLIN, func(c liburing.Completion) {
		if c.Err() == nil {
			told++
		}
	})
	require.NoError(t, l.Observe(liburing.ObserveRequests))
	stop := ringtest.Running(t, l)
	ringtest.WaitAsleep(t, l)
	r := inFlight(t, l)
	require.Equal(t, liburing.OpPollAdd, r.Op)
	require.Equal(t, rd, r.FD)
	require.Zero(t, r.Completions)
	_, err := unix.Write(wr, []byte("x"))
	require.NoError(t, err)
	require.Eventually(t, func() bool { return inFlight(t, l).Completions == 1 }, 10*time.Second, time.Millisecond)
	stop()
	ringtest.CloseLoop(t, l)
	_, err = l.InFlight()
	require.ErrorIs(t, err, liburing.ErrClosed)
	require.ErrorIs(t, l.Observe(liburing.ObserveRequests), liburing.ErrClosed)
	_, err = l.Latencies()
	require.ErrorIs(t, err, liburing.ErrClosed)
}

// A histogram for each operation, of the time to the first completion.
func TestLatencies(t *testing.T) {
	l := ringtest.NewLoop(t, 8)
	all, err := l.Latencies()
	require.NoError(t, err)
	require.Empty(t, all)
	l.Nop(nil)
	ringtest.RunIdle(t, l)
	require.NoError(t, l.Observe(liburing.ObserveLatency))
	for range 20 {
		l.Nop(nil)
	}
	for i := range 10 {
		l.Timeout(time.Duration(i+1)*time.Millisecond, 0, 0, nil)
	}
	ringtest.RunIdle(t, l)
	all, err = l.Latencies()
	require.NoError(t, err)
	require.Len(t, all, 2)
	nops, timeouts := all[0], all[1]
	require.Equal(t, liburing.OpNop, nops.Op)
	require.EqualValues(t, 20, nops.Count)
	require.Equal(t, liburing.OpTimeout, timeouts.Op)
	require.EqualValues(t, 10, timeouts.Count)
	require.GreaterOrEqual(t, timeouts.Max, 10*time.Millisecond)
	require.GreaterOrEqual(t, timeouts.Quantile(0.9), 9*time.Millisecond)
	require.GreaterOrEqual(t, timeouts.Quantile(0.5), 5*time.Millisecond)
	require.LessOrEqual(t, timeouts.Quantile(0.5), timeouts.Quantile(1))
	require.Equal(t, timeouts.Max, timeouts.Quantile(1))
	require.GreaterOrEqual(t, timeouts.Mean(), 5500*time.Microsecond)
	total, last := uint64(0), time.Duration(-1)
	for end, n := range timeouts.Buckets() {
		require.Greater(t, end, last)
		total, last = total+n, end
	}
	require.EqualValues(t, 10, total)
	require.GreaterOrEqual(t, last, timeouts.Max)
}

// Callbacks are regions of a trace.
func TestRegions(t *testing.T) {
	if trace.IsEnabled() {
		t.Skip("the tests are traced already")
	}
	l := ringtest.NewLoop(t, 8)
	require.NoError(t, l.Observe(liburing.ObserveRegions))
	var out bytes.Buffer
	require.NoError(t, trace.Start(&out))
	l.Nop(nil)
	beats := 0
	var beat *liburing.Timer
	beat = l.Every(20*time.Millisecond, func() { // one of them is waited for, also where all is slow
		if beats++; beats == 10 {
			beat.Stop()
		}
	})
	err := l.RunUntilIdle(context.Background())
	trace.Stop()
	require.NoError(t, err)
	for _, name := range []string{"liburing: nop", "liburing: timer", "liburing: wait"} {
		require.Contains(t, out.String(), name)
	}
}

// Observing, without stacks or with them, allocates nothing in steady state.
func TestObservingAllocatesNothing(t *testing.T) {
	for _, what := range []liburing.Observed{0, liburing.ObserveLatency, liburing.ObserveStacks, liburing.ObserveRegions} {
		l := ringtest.NewLoop(t, 64)
		require.NoError(t, l.Observe(what))
		batch := func() {
			for range 32 {
				l.Nop(nil)
			}
			ringtest.RunIdle(t, l)
		}
		batch()
		without := ringtest.Mallocs(func() { ringtest.RunIdle(t, l) })
		got := min(ringtest.Mallocs(batch), ringtest.Mallocs(batch), ringtest.Mallocs(batch))
		require.LessOrEqual(t, got, without+4, "%v", what)
	}
}
