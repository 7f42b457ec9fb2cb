//go:build linux

package liburing_test

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/stretchr/testify/require"
)

// kept is a timer of a wheel beside what the test knows of it.
type kept struct {
	*liburing.Timer
	when    time.Duration
	armed   int // the how many-th it was
	pending bool
}

// spans are the times that timers are armed for: from less than a tick to years, and
// what lies around the ends of slots.
var spans = []time.Duration{1, 100, 65_535, 65_536, 1 << 20, 1 << 22, 1 << 28, time.Second, 1 << 34, time.Hour, 1 << 46, 1 << 55}

// The wheel beside a list that is searched: it calls the same timers, in the same order,
// never early and never late.
func TestWheelAgainstAList(t *testing.T) {
	for seed := range uint64(200) {
		rnd := rand.New(rand.NewPCG(seed, 0))
		var w liburing.Wheel
		var now time.Duration
		timers, armed := make([]*kept, 1+rnd.IntN(50)), 0
		for i := range timers {
			timers[i] = &kept{Timer: liburing.NewWheelTimer(i%8 == 0)}
		}
		pick := func() *kept { return timers[rnd.IntN(len(timers))] }
		for range 500 {
			switch rnd.IntN(8) {
			case 0:
				k := pick()
				w.Remove(k.Timer)
				k.pending = false
			case 1, 2:
				now = requireTurn(t, &w, timers, now, w.Next())
			case 3:
				now = requireTurn(t, &w, timers, now, now+time.Duration(rnd.Int64N(int64(spans[rnd.IntN(len(spans))]))))
			case 4: // the same time as another one
				k, other := pick(), pick()
				armed++
				k.when, k.armed, k.pending = max(other.when, now), armed, true
				w.Set(k.Timer, k.when)
			default:
				k := pick()
				armed++
				k.when, k.armed, k.pending = now+time.Duration(rnd.Int64N(int64(spans[rnd.IntN(len(spans))]))), armed, true
				w.Set(k.Timer, k.when)
			}
			requireNext(t, &w, timers)
		}
		w.Clear()
		require.Zero(t, w.Pending())
		require.Empty(t, w.Turn(now+time.Hour))
	}
}

// requireTurn turns the wheel to a time and compares what is due.
func requireTurn(t *testing.T, w *liburing.Wheel, timers []*kept, now, to time.Duration) time.Duration {
	t.Helper()
	to = max(now, min(to, now+1<<56)) // nothing is pending, or it is far away
	var want []*kept
	for _, k := range timers {
		if k.pending && k.when <= to {
			want = append(want, k)
			k.pending = false
		}
	}
	slices.SortFunc(want, func(a, b *kept) int {
		return cmp.Or(cmp.Compare(a.when, b.when), cmp.Compare(a.armed, b.armed))
	})
	got := w.Turn(to)
	require.Len(t, got, len(want))
	for i := range want {
		require.Same(t, want[i].Timer, got[i], "number %d of %d", i, len(want))
	}
	return to
}

// requireNext compares how many are pending and when the wheel wants to be looked at:
// not after the first of them.
func requireNext(t *testing.T, w *liburing.Wheel, timers []*kept) {
	t.Helper()
	n, first := 0, time.Duration(1<<63-1)
	for _, k := range timers {
		if k.pending {
			n++
			first = min(first, k.when)
		}
	}
	require.Equal(t, n, w.Pending())
	if n <= 8 {
		require.Equal(t, first, w.Next())
	} else {
		require.LessOrEqual(t, w.Next(), first)
	}
}

// What is due late is told as soon as possible, and costs few looks: the wheel does not
// have the loop wake up at each of its slots.
func TestWheelLooksSeldom(t *testing.T) {
	var w liburing.Wheel
	const when = 1000 * time.Hour
	w.Set(liburing.NewWheelTimer(false), when)
	require.Equal(t, when, w.Next())
	for i := range 1000 { // the last slot before it is crowded
		w.Set(liburing.NewWheelTimer(false), when-time.Duration(i)*time.Second)
	}
	looks, fired := 0, 0
	for now := time.Duration(0); w.Pending() > 0; looks++ {
		now = w.Next()
		fired += len(w.Turn(now))
	}
	require.Equal(t, 1001, fired)
	require.Less(t, looks, 1100)
}

// Many timers of a loop: none too early, and all in order.
func TestManyTimers(t *testing.T) {
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		const n = 2000
		rnd := rand.New(rand.NewPCG(1, 1))
		var last time.Duration // a time before the one that the last was armed for
		called := 0
		start := time.Now()
		for i := range n {
			d := time.Duration(rnd.IntN(30_000)) * time.Microsecond
			var before, after time.Duration
			before = time.Since(start)
			timer := l.After(d, func() {
				called++
				require.GreaterOrEqual(t, time.Since(start), before+d, "too early")
				require.Greater(t, after+d, last, "out of order")
				last = before + d
			})
			after = time.Since(start)
			if i%3 == 0 {
				timer.Stop()
			}
		}
		require.Equal(t, n-(n+2)/3, l.Stats().Timers)
		ringtest.RunIdle(t, l)
		require.Equal(t, n-(n+2)/3, called)
		require.Zero(t, l.Stats().Timers)
	})
}
