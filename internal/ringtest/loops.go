//go:build linux

package ringtest

import (
	"context"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/go-liburing/liburing"
	"github.com/stretchr/testify/require"
)

// patience is how long something may take that must happen.
const patience = time.Minute

// NewLoop returns a loop that is closed when the test ends, and which must be
// empty then. It skips as NewRing does.
func NewLoop(t testing.TB, entries int, opts ...liburing.Option) *liburing.Loop {
	t.Helper()
	return newLoop(t, entries, opts)
}

func newLoop(t testing.TB, entries int, opts []liburing.Option) *liburing.Loop {
	t.Helper()
	watched.test(t)
	l, err := liburing.NewLoop(entries, opts...)
	SkipOldKernel(t, err)
	require.NoError(t, err)
	track(t, l, 3)
	t.Cleanup(func() { CloseLoop(t, l) })
	return l
}

// CloseLoop closes a loop and asserts that it was clean: no completion without a
// request, no request without a completion.
func CloseLoop(t testing.TB, l *liburing.Loop) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	require.NoError(t, l.Close(ctx))
	require.Zero(t, l.Stats().Stale, "stale completions")
	require.Equal(t, Books{}, BooksOf(l))
}

// OverLoops runs a test on a loop of each of the Setups, and on one that is observed.
func OverLoops(t *testing.T, entries int, test func(t *testing.T, l *liburing.Loop)) {
	for _, s := range Setups {
		t.Run(s.Name, func(t *testing.T) { test(t, newLoop(t, entries, s.Opts)) })
	}
	t.Run("observed", func(t *testing.T) {
		l := newLoop(t, entries, nil)
		require.NoError(t, l.Observe(liburing.ObserveStacks|liburing.ObserveLatency|liburing.ObserveRegions))
		test(t, l)
	})
}

// RunIdle runs the loop until nothing is in flight, which must come to pass.
func RunIdle(t testing.TB, l *liburing.Loop) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	require.NoError(t, l.RunUntilIdle(ctx))
}

// RunFor runs a loop that may not come to rest for d, and on a busy machine until
// the kernel has been handed what was queued.
func RunFor(t testing.TB, l *liburing.Loop, d time.Duration) {
	t.Helper()
	RunUntil(t, l, d, func() bool { return !queued(l) })
}

// RunUntil runs a loop that may not come to rest, for each at a time, until ok.
func RunUntil(t testing.TB, l *liburing.Loop, each time.Duration, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); ; {
		ctx, cancel := context.WithTimeout(context.Background(), each)
		err := l.RunUntilIdle(ctx)
		cancel()
		if err != nil {
			require.ErrorIs(t, err, context.DeadlineExceeded)
		}
		if ok() {
			return
		}
		require.True(t, time.Now().Before(end), "it never comes; %+v", l.Stats())
	}
}

// Running has the loop run on another goroutine and returns when it sleeps. stop
// ends that; so does the end of the test.
func Running(t testing.TB, l *liburing.Loop) (stop func()) {
	t.Helper()
	ran := make(chan error, 1)
	go func() { ran <- l.Run(context.Background()) }()
	stop = sync.OnceFunc(func() {
		l.Stop()
		Within(t, func() { <-ran })
	})
	t.Cleanup(stop)
	WaitAsleep(t, l)
	return stop
}

// WaitAsleep waits until a running loop is asleep.
func WaitAsleep(t testing.TB, l *liburing.Loop) {
	t.Helper()
	require.Eventually(t, Asleep(l).Load, patience, 100*time.Microsecond, "the loop does not sleep")
}

// Within fails if f does not return soon.
func Within(t testing.TB, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); f() }()
	select {
	case <-done:
	case <-time.After(patience):
		require.FailNow(t, "it hangs")
	}
}

// Do runs one request to its last completion and returns them all.
func Do(t testing.TB, l *liburing.Loop, request func(cb liburing.Callback) liburing.Request) (all []liburing.Completion) {
	t.Helper()
	require.NoError(t, request(func(c liburing.Completion) { all = append(all, c) }).Err())
	RunIdle(t, l)
	require.NotEmpty(t, all, "the callback was not called")
	return all
}

// Finish runs one request to its end and returns its last completion.
func Finish(t testing.TB, l *liburing.Loop, queue func(liburing.Callback) liburing.Request) liburing.Completion {
	t.Helper()
	all := Do(t, l, queue)
	return all[len(all)-1]
}

// One is Do for requests with one completion, which must succeed. It returns the
// result.
func One(t testing.TB, l *liburing.Loop, request func(cb liburing.Callback) liburing.Request) int {
	t.Helper()
	all := Do(t, l, request)
	require.Len(t, all, 1)
	n, err := all[0].Result()
	require.NoError(t, err)
	return n
}

// SparseFiles gives the loop a table of n registered files, all empty. It needs
// Linux 5.19.
func SparseFiles(t testing.TB, l *liburing.Loop, n int) {
	t.Helper()
	NeedsOps(t, liburing.OpSocket) // came with sparse tables
	require.NoError(t, l.Control(func(r *liburing.Ring) error { return r.RegisterFilesSparse(n) }))
}

// NewGroup returns a group of buffers. It needs Linux 5.19.
func NewGroup(t testing.TB, l *liburing.Loop, count, size int, flags liburing.BufRingFlags) *liburing.BufGroup {
	t.Helper()
	g, err := l.NewBufGroup(count, size, flags)
	if err != nil {
		NeedsOps(t, liburing.OpSocket) // came with rings of buffers
	}
	require.NoError(t, err)
	return g
}

// AllBack asserts that the kernel has every buffer of a group and that nobody uses
// it, and closes it.
func AllBack(t testing.TB, g *liburing.BufGroup) {
	t.Helper()
	in := InsideGroup(g)
	require.Equal(t, Group{ID: in.ID, Buffers: in.Buffers, Ready: in.Buffers, Mapped: true}, in)
	require.NoError(t, (*pointer[*liburing.Loop](g, "loop")).Control(func(*liburing.Ring) error {
		RequireAvailable(t, RingOf(g), in.Buffers)
		return nil
	}))
	require.NoError(t, g.Close())
}

// RequestMethods calls f for each method of the Loop that makes a request, and
// returns how many there are.
func RequestMethods(l *liburing.Loop, f func(name string, method reflect.Value)) (n int) {
	v := reflect.ValueOf(l)
	for i := range v.NumMethod() {
		method := v.Method(i)
		typ := method.Type()
		last := typ.NumIn() - 1
		if last >= 0 && typ.In(last) == reflect.TypeFor[liburing.Callback]() && typ.Out(0) == reflect.TypeFor[liburing.Request]() {
			f(v.Type().Method(i).Name, method)
			n++
		}
	}
	return n
}

// NopTime returns what a turn of a loop takes, for tests that race with the kernel
// also where all is slow.
func NopTime(t testing.TB) time.Duration {
	t.Helper()
	nopTime.Do(func() {
		const n = 1000
		l := NewLoop(t, 8)
		left := n
		var again liburing.Callback
		again = func(liburing.Completion) {
			if left--; left > 0 {
				l.Nop(again)
			}
		}
		start := time.Now()
		l.Nop(again)
		RunIdle(t, l)
		nopTime.each = max(time.Since(start)/n, 1)
	})
	return nopTime.each
}

var nopTime struct {
	sync.Once
	each time.Duration
}
