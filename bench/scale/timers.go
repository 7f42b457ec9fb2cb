package main

import (
	"context"
	"time"

	"github.com/go-liburing/liburing"
)

const many = 1_000_000 // of what takes no system call

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

// timerFire has n timers fire within a tenth of a second.
func timerFire(n int) (time.Duration, error) {
	return with(8, func(l *liburing.Loop) (time.Duration, error) {
		timers := pendingTimers(l, n)
		for i, timer := range timers {
			timer.Reset(100 * time.Millisecond * time.Duration(i) / time.Duration(n))
		}
		time.Sleep(100 * time.Millisecond)
		start := time.Now()
		err := l.RunUntilIdle(context.Background())
		return time.Since(start) / time.Duration(n), err
	})
}
