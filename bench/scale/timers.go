package main

import (
	"context"
	"time"

	"github.com/go-liburing/liburing"
)

// Of what takes no system call.
const (
	many  = 1_000_000
	turns = 10_000
)

// pendingTimers arms n timers for times up to a minute.
func pendingTimers(l *liburing.Loop, n int) []*liburing.Timer {
	timers := make([]*liburing.Timer, n)
	for i := range timers {
		timers[i] = l.After(time.Minute*time.Duration(i+1)/time.Duration(n)+time.Minute, func() {})
	}
	return timers
}

// timerArm arms and stops a timer with n others pending.
func timerArm(n int) (time.Duration, error) {
	return with(8, func(l *liburing.Loop) (time.Duration, error) {
		pendingTimers(l, n)
		f := func() {}
		return each(many, func(int) { l.After(90*time.Second, f).Stop() }), nil
	})
}

// timerReset puts one timer off with n others pending.
func timerReset(n int) (time.Duration, error) {
	return with(8, func(l *liburing.Loop) (time.Duration, error) {
		timer := pendingTimers(l, n)[n/2]
		return each(many, func(int) { timer.Reset(time.Minute) }), nil
	})
}

// timerResetAll puts n timers off, one after another.
func timerResetAll(n int) (time.Duration, error) {
	return with(8, func(l *liburing.Loop) (time.Duration, error) {
		timers := pendingTimers(l, n)
		at := 0
		return each(many, func(int) {
			timers[at].Reset(2 * time.Minute)
			if at++; at == n {
				at = 0
			}
		}), nil
	})
}

// timerRefile puts n timers off, and has the loop come by where they were: only then does
// it file them anew.
func timerRefile(n int) (time.Duration, error) {
	// They must not be due before all have been put off.
	soon := 100*time.Microsecond + time.Duration(n)*200*time.Nanosecond
	return byTurns(n, func(timers []*liburing.Timer) (took time.Duration) {
		begun := time.Now()
		for _, t := range timers {
			t.Reset(soon)
		}
		start := time.Now()
		for _, t := range timers {
			t.Reset(time.Hour)
		}
		took = time.Since(start)
		time.Sleep(2*soon - time.Since(begun))
		return took
	})
}

// timersFire has n timers fire in the same turn.
func timersFire(n int) (time.Duration, error) {
	return byTurns(n, func(timers []*liburing.Timer) time.Duration {
		for i, t := range timers {
			t.Reset(time.Duration(i) * 100 * time.Nanosecond)
		}
		time.Sleep(time.Duration(n) * 100 * time.Nanosecond)
		return 0
	})
}

// byTurns returns what a timer takes of so many turns of a loop as make some ten thousand
// timers: what prepare returns, and the time from its end until the turn has dealt with
// them.
func byTurns(n int, prepare func([]*liburing.Timer) time.Duration) (time.Duration, error) {
	return with(8, func(l *liburing.Loop) (took time.Duration, err error) {
		timers := pendingTimers(l, n)
		left := max(turns/n, 1)
		var turn func()
		turn = func() {
			took += prepare(timers)
			start := time.Now()
			l.After(0, func() { // behind those that are due
				took += time.Since(start)
				if left--; left == 0 {
					l.Stop()
					return
				}
				l.After(0, turn)
			})
		}
		l.After(0, turn)
		total := time.Duration(n * left)
		err = l.Run(context.Background())
		return took / total, err
	})
}

// timerFire has one timer fire in each turn, beside n.
func timerFire(n int) (time.Duration, error) {
	return firing(n, func(*liburing.Timer) {})
}

// timerFireReset has one timer fire in each turn that puts another one off, the next of n.
func timerFireReset(n int) (time.Duration, error) {
	return firing(n, func(t *liburing.Timer) { t.Reset(3 * time.Minute) })
}

// firing calls f with one of n timers in each turn.
func firing(n int, f func(*liburing.Timer)) (time.Duration, error) {
	return with(8, func(l *liburing.Loop) (took time.Duration, err error) {
		timers := pendingTimers(l, n)
		done, start := 0, time.Now()
		var timer *liburing.Timer
		timer = l.After(0, func() {
			if done == 0 { // the loop runs now
				start = time.Now()
			}
			if done == turns {
				took = time.Since(start) / turns
				l.Stop()
				return
			}
			f(timers[done%n])
			done++
			timer.Reset(0)
		})
		err = l.Run(context.Background())
		return took, err
	})
}
