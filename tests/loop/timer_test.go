//go:build linux

package loop_test

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestTimers(t *testing.T) {
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		start := time.Now()
		var after time.Duration
		l.After(20*time.Millisecond, func() { after = time.Since(start) })
		never := l.After(10*time.Millisecond, func() { t.Error("stopped, and fired") })
		never.Stop()
		beats := 0
		var beat *liburing.Timer
		beat = l.Every(5*time.Millisecond, func() {
			if beats++; beats == 4 {
				beat.Stop()
			}
		})
		ringtest.RunIdle(t, l)
		require.GreaterOrEqual(t, after, 20*time.Millisecond)
		require.Equal(t, 4, beats)
		require.GreaterOrEqual(t, time.Since(start), 20*time.Millisecond)
		never.Stop()
		beat.Stop()
		ringtest.RunIdle(t, l)
	})
}

// Reset arms a timer anew, whatever has become of it.
func TestTimerReset(t *testing.T) {
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		start := time.Now()
		var calls []time.Duration
		timer := l.After(time.Hour, func() { calls = append(calls, time.Since(start)) })
		timer.Reset(10 * time.Millisecond) // sooner
		timer.Reset(20 * time.Millisecond) // later
		ringtest.RunIdle(t, l)
		require.Len(t, calls, 1)
		require.GreaterOrEqual(t, calls[0], 20*time.Millisecond)
		timer.Reset(0) // it has been called
		timer.Reset(time.Millisecond)
		ringtest.RunIdle(t, l)
		require.Len(t, calls, 2)
		timer.Stop()
		ringtest.RunIdle(t, l)
		timer.Reset(-1) // it was stopped
		ringtest.RunIdle(t, l)
		require.Len(t, calls, 3)
		timer.Reset(time.Hour)
		ringtest.CloseLoop(t, l)
		timer.Reset(0)
		require.ErrorIs(t, timer.Err(), liburing.ErrClosed)
	})
}

// An idle timeout is put off again and again, while the loop runs, and then passes.
func TestTimerPutOff(t *testing.T) {
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		const idle = 100 * time.Millisecond // no machine stands still for so long between two beats
		var last, passed time.Time
		timeout := l.After(idle, func() { passed = time.Now() })
		beats := 0
		var beat *liburing.Timer
		beat = l.Every(2*time.Millisecond, func() {
			require.True(t, passed.IsZero())
			last = time.Now()
			timeout.Reset(idle)
			if beats++; beats == 30 {
				beat.Stop()
			}
		})
		ringtest.RunIdle(t, l)
		require.GreaterOrEqual(t, passed.Sub(last), idle)
	})
}

// A callback may stop, reset and arm timers that are due in the same moment, its own
// too; what it arms comes a turn later.
func TestTimersThatAreDueTogether(t *testing.T) {
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		var order []string
		note := func(what string) func() { return func() { order = append(order, what) } }
		var stopped, later, own *liburing.Timer
		own = l.After(0, func() {
			order = append(order, "first")
			stopped.Stop()
			later.Reset(0)
			if len(order) < 4 {
				own.Reset(0)
			}
			l.After(0, note("new"))
		})
		stopped = l.After(0, func() { t.Error("stopped, and called") })
		later = l.After(0, note("later"))
		l.After(0, note("second"))
		time.Sleep(time.Millisecond)
		ringtest.RunIdle(t, l)
		require.Equal(t, []string{"first", "second", "later", "first", "new", "later", "new"}, order)
	})
}

// Timers that arm each other leave room for completions.
func TestTimersLetOthersBe(t *testing.T) {
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		completed, calls := false, 0
		var again func()
		again = func() {
			if calls++; !completed {
				l.After(0, again)
			}
		}
		again()
		l.Timeout(5*time.Millisecond, 0, 0, func(liburing.Completion) { completed = true })
		ringtest.RunIdle(t, l)
		require.Greater(t, calls, 1)
	})
}

// Every keeps its beat while its function takes time, and leaves beats out that have
// passed.
func TestEveryKeepsTheBeat(t *testing.T) {
	l := ringtest.NewLoop(t, 8)
	const period, end = 10 * time.Millisecond, 200 * time.Millisecond
	calls := 0
	start := time.Now()
	var beat *liburing.Timer
	beat = l.Every(period, func() {
		calls++
		at := time.Since(start)
		require.GreaterOrEqual(t, at, time.Duration(calls)*period)
		if calls == 2 {
			time.Sleep(5 * period / 2)
		}
		if at >= end {
			beat.Stop()
		}
	})
	ringtest.RunIdle(t, l)
	require.Less(t, calls, int(end/period), "beats that have passed are left out")
}

// A call that is late puts off none behind it: the next one is due when it would have been,
// here half a period later. Since a busy machine may have any of them be later still, it
// need not be seen each time; where the beat drifts it never is.
func TestEveryDoesNotDrift(t *testing.T) {
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		const period = 10 * time.Millisecond
		calls, kept := 0, 0
		var late time.Time
		l.Every(period, func() {
			if calls++; calls%2 == 0 {
				late = time.Now()
				return
			}
			if time.Since(late) < 3*period/4 {
				kept++
			}
			time.Sleep(3 * period / 2)
		})
		ringtest.RunUntil(t, l, period, func() bool { return kept >= 3 })
	})
}

// What a timer costs does not depend on how many there are. The machine may be busy, so the
// least of several measurements counts, of as many as it takes. What looked at all timers
// would cost some hundred times as much among a thousand times as many, in each of them.
func TestTimersCostTheSameHoweverMany(t *testing.T) {
	const few, many, most = 100, 100_000, 10
	for name, work := range map[string]func(l *liburing.Loop, own *liburing.Timer){
		"arm":    func(l *liburing.Loop, own *liburing.Timer) { l.After(time.Minute, func() {}).Stop() },
		"stop":   func(l *liburing.Loop, own *liburing.Timer) { own.Stop(); own.Reset(time.Hour) },
		"later":  func(l *liburing.Loop, own *liburing.Timer) { own.Reset(2 * time.Hour) },
		"sooner": func(l *liburing.Loop, own *liburing.Timer) { own.Reset(time.Minute); own.Reset(time.Second) },
		"call":   func(l *liburing.Loop, own *liburing.Timer) { l.After(0, l.Stop); l.Run(context.Background()) },
	} {
		t.Run(name, func(t *testing.T) {
			among := func(n int) func() time.Duration {
				l := ringtest.NewLoop(t, 8)
				var own *liburing.Timer
				for i := range n {
					own = l.After(time.Hour+time.Duration(i)*time.Microsecond, func() {})
				}
				return func() time.Duration {
					const rounds = 200
					start := time.Now()
					for range rounds {
						work(l, own)
					}
					return time.Since(start) / rounds
				}
			}
			amongFew, amongMany := among(few), among(many)
			one, other := amongFew(), amongMany()
			for end := time.Now().Add(time.Minute); other >= most*max(one, 1); {
				require.True(t, time.Now().Before(end), "%v among %d, and %v among %d", one, few, other, many)
				one, other = min(one, amongFew()), min(other, amongMany())
			}
		})
	}
}

// Of an Every Reset sets the period.
func TestEveryReset(t *testing.T) {
	l := ringtest.NewLoop(t, 8)
	calls := 0
	var beat *liburing.Timer
	beat = l.Every(time.Hour, func() {
		if calls++; calls == 3 {
			beat.Stop()
		}
	})
	start := time.Now()
	beat.Reset(5 * time.Millisecond)
	ringtest.RunIdle(t, l)
	require.Equal(t, 3, calls)
	require.GreaterOrEqual(t, time.Since(start), 15*time.Millisecond)
}

// The wait for a timer does not spin, and is woken by posts.
func TestWaitForTimers(t *testing.T) {
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		timer := l.After(time.Hour, func() {})
		short := l.After(50*time.Millisecond, func() {})
		short.Stop()
		stop := ringtest.Running(t, l)
		for range 5 {
			called := make(chan bool)
			require.NoError(t, l.Post(func() { close(called) }))
			ringtest.Within(t, func() { <-called })
		}
		before := l.Stats().Enters
		time.Sleep(100 * time.Millisecond)
		require.Less(t, l.Stats().Enters-before, uint64(30))
		stop()
		timer.Stop()
	})
}

// A timer costs memory when it is made, and nothing afterwards.
func TestTimersDoNotAllocate(t *testing.T) {
	l := ringtest.NewLoop(t, 8)
	timers := make([]*liburing.Timer, 100)
	for i := range timers {
		timers[i] = l.After(time.Hour, func() {})
	}
	beat := l.Every(time.Microsecond, l.Stop)
	run := func() {
		for i, timer := range timers {
			timer.Reset(time.Duration(i) * time.Minute)
			timer.Reset(time.Duration(i) * time.Second)
			if timer.Stop(); i%2 == 0 {
				timer.Reset(time.Hour)
			}
		}
	}
	require.Zero(t, testing.AllocsPerRun(100, run))
	idle := testing.AllocsPerRun(100, func() { l.Stop(); l.Run(t.Context()) })
	require.LessOrEqual(t, testing.AllocsPerRun(100, func() { l.Run(t.Context()) }), idle)
	beat.Stop()
	for _, timer := range timers {
		timer.Stop()
	}
}

func TestTimersWithBadInput(t *testing.T) {
	l := ringtest.NewLoop(t, 8)
	fired := 0
	require.NoError(t, l.After(-time.Second, func() { fired++ }).Err())
	require.ErrorIs(t, l.Every(0, func() {}).Err(), unix.EINVAL)
	require.ErrorIs(t, l.Every(-1, func() {}).Err(), unix.EINVAL)
	require.ErrorIs(t, l.Every(time.Second, nil).Err(), unix.EINVAL)
	require.ErrorIs(t, l.After(time.Second, nil).Err(), unix.EINVAL)
	ringtest.RunIdle(t, l)
	require.Equal(t, 1, fired, "what is due already")
	ringtest.CloseLoop(t, l)
	late := l.After(0, func() { t.Error("called") })
	require.ErrorIs(t, late.Err(), liburing.ErrClosed)
	late.Stop()
	var none liburing.Timer // of no loop
	none.Reset(0)
	none.Stop()
}

// A bad Reset of an Every ends it, and a good one mends that.
func TestTimerResetWithBadInput(t *testing.T) {
	l := ringtest.NewLoop(t, 8)
	calls := 0
	beat := l.Every(time.Millisecond, func() { calls++; l.Stop() })
	beat.Reset(0)
	require.ErrorContains(t, beat.Err(), "every 0s: it must be more than nothing")
	ringtest.RunIdle(t, l)
	require.Zero(t, calls)
	beat.Reset(time.Millisecond)
	require.NoError(t, beat.Err())
	require.NoError(t, l.Run(t.Context()))
	require.Equal(t, 1, calls)
	beat.Stop()
	far := l.After(1<<63-1, func() { t.Error("called") })
	ringtest.RunFor(t, l, time.Millisecond)
	far.Stop()
	ringtest.RunIdle(t, l)
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
