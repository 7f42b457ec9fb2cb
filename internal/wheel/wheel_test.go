package wheel_test

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/go-liburing/liburing/internal/wheel"
	"github.com/stretchr/testify/require"
)

type timer = wheel.Timer

// testWheel is a wheel with a clock that the test sets.
type testWheel struct{ wheel.Wheel }

func (w *testWheel) next() time.Duration { w.Settle(); return w.Next }

// set has a timer be due at when, however it is now.
func (w *testWheel) set(t *timer, when time.Duration) {
	if w.PutOff(t, when) {
		return
	}
	w.drop(t)
	t.When = when
	w.Add(t)
}

func (w *testWheel) drop(t *timer) {
	if t.Pending() {
		w.Remove(t)
	}
}

// turn returns what is due, in its order.
func (w *testWheel) turn(now time.Duration) (due []*timer) {
	w.Turn(now)
	for t := w.First(); t != nil; t = w.First() {
		w.Remove(t)
		due = append(due, t)
	}
	w.Settle()
	return due
}

// kept is a timer of a wheel beside what the test knows of it.
type kept struct {
	*timer
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
		var w testWheel
		var now time.Duration
		timers, armed := make([]*kept, 1+rnd.IntN(50)), 0
		for i := range timers {
			timers[i] = &kept{timer: &timer{Inner: i%8 == 0}}
		}
		pick := func() *kept { return timers[rnd.IntN(len(timers))] }
		for range 500 {
			switch rnd.IntN(8) {
			case 0:
				k := pick()
				w.drop(k.timer)
				k.pending = false
			case 1, 2:
				now = requireTurn(t, &w, timers, now, w.next())
			case 3:
				now = requireTurn(t, &w, timers, now, now+time.Duration(rnd.Int64N(int64(spans[rnd.IntN(len(spans))]))))
			case 4: // the same time as another one
				k, other := pick(), pick()
				armed++
				k.when, k.armed, k.pending = max(other.when, now), armed, true
				w.set(k.timer, k.when)
			default:
				k := pick()
				armed++
				k.when, k.armed, k.pending = now+time.Duration(rnd.Int64N(int64(spans[rnd.IntN(len(spans))]))), armed, true
				w.set(k.timer, k.when)
			}
			requireNext(t, &w, timers)
		}
		w.Clear()
		require.Zero(t, w.Pending)
		require.Empty(t, w.turn(now+time.Hour))
	}
}

// requireTurn turns the wheel to a time and compares what is due.
func requireTurn(t *testing.T, w *testWheel, timers []*kept, now, to time.Duration) time.Duration {
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
	got := w.turn(to)
	require.Len(t, got, len(want))
	for i := range want {
		require.Same(t, want[i].timer, got[i], "number %d of %d", i, len(want))
	}
	return to
}

// requireNext compares how many are pending and when the wheel wants to be looked at:
// not after the first of them.
func requireNext(t *testing.T, w *testWheel, timers []*kept) {
	t.Helper()
	n, first := 0, time.Duration(1<<63-1)
	for _, k := range timers {
		if k.pending {
			n++
			first = min(first, k.when)
		}
	}
	require.Equal(t, n, w.Pending)
	if n <= 8 {
		require.Equal(t, first, w.next())
	} else {
		require.LessOrEqual(t, w.next(), first)
	}
}

// What is due late is told as soon as possible, and costs few looks: the wheel does not
// have the loop wake up at each of its slots.
func TestWheelLooksSeldom(t *testing.T) {
	var w testWheel
	const when = 1000 * time.Hour
	w.set(new(timer), when)
	require.Equal(t, when, w.next())
	for i := range 1000 { // the last slot before it is crowded
		w.set(new(timer), when-time.Duration(i)*time.Second)
	}
	looks, fired := 0, 0
	for now := time.Duration(0); w.Pending > 0; looks++ {
		now = w.next()
		fired += len(w.turn(now))
	}
	require.Equal(t, 1001, fired)
	require.Less(t, looks, 1100)
}
