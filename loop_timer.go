package liburing

import (
	"time"
	"unsafe"

	"github.com/go-liburing/liburing/internal/wheel"
)

// Timer calls a function on its loop when its time has come. The loop itself keeps the
// times of all its timers: the kernel only hears of the next one, as the limit of a
// wait. The cost of arming, stopping and resetting one does not depend on how many
// there are.
//
// For all of them:
//
//   - The clock is the one that Go measures durations with (CLOCK_MONOTONIC): it is
//     never set, and stops while the machine is suspended. Ring.RegisterClock does not
//     change it: that chooses the clock of the kernel's waits, and a wait that ends
//     before a timer is due is followed by another.
//   - A timer is never early. It is late by what the kernel's wait adds (some 50 µs),
//     and by callbacks that run when it is due: a turn of the loop calls those of
//     completions first.
//   - Timers are called in the order of their times, those with the same time in the
//     order in which they were armed.
//   - A timer that a callback arms is not called before the next turn, so timers that
//     arm each other leave room for completions.
//   - While the loop is not running none is called; the next Run begins with those that
//     are due.
//   - RunUntilIdle waits for timers; Close drops them, also those that are due.
//
// Call its methods where requests are made; once the loop is closed, Stop and Err
// anywhere.
type Timer struct {
	in   wheel.Timer // first: see ofWheel. One that is Inner is the loop's own: RunUntilIdle does not wait for it
	loop *Loop
	f    func()

	every time.Duration // of one that repeats

	fault   timerFault
	repeats bool
}

// timerFault is why a timer is never called.
type timerFault uint8

const (
	_               timerFault = iota
	timerClosed                // the loop is
	timerWithout               // a function
	timerWithPeriod            // that is none
)

// init makes a timer of a loop's, which is one of the loop's own if it is inner.
func (t *Timer) init(l *Loop, f func(), inner bool) {
	t.loop, t.f = l, f
	t.in.Inner = inner
}

// ofWheel returns the timer that a timer of the wheel is the first field of. A pointer
// back would make it longer than a cache line.
func ofWheel(t *wheel.Timer) *Timer { return (*Timer)(unsafe.Pointer(t)) }

var _ [64]byte = [(unsafe.Sizeof(Timer{}) + 63) &^ 63]byte{}

// After has the loop call f once when d has passed, in the next turn if d is not above
// zero. Reset has it called again.
func (l *Loop) After(d time.Duration, f func()) *Timer {
	t := new(Timer)
	t.init(l, f, false)
	t.Reset(d)
	return t
}

// Every has the loop call f again and again, each time d has passed, which must be
// above zero. It keeps the beat: the n-th call is due n times d after Every, however
// late earlier ones were. Beats that have passed by the time f is called are skipped.
func (l *Loop) Every(d time.Duration, f func()) *Timer {
	t := &Timer{repeats: true}
	t.init(l, f, false)
	t.Reset(d)
	return t
}

// Reset arms the timer again, whether it is pending, has been called or was stopped: f
// is called when d has passed from now, with Every repeatedly, d being the new period.
// Use it for idle timeouts: it allocates nothing, and postponing a pending timer costs
// little more than reading the clock.
//
//	conn.idle = loop.After(time.Minute, conn.expired)
//	…
//	conn.idle.Reset(time.Minute) // something has come
func (t *Timer) Reset(d time.Duration) {
	l := t.loop
	if l == nil || t.refuses(d) {
		return
	}
	l.checkAwake()
	now := clock()
	when := now + min(max(d, 0), wheel.Never-1-now)
	t.every = d
	if l.timers.PutOff(&t.in, when) {
		return
	}
	if t.in.Pending() {
		l.timers.Remove(&t.in)
	}
	t.in.When = when
	l.timers.Add(&t.in)
}

// refuses reports whether the timer can't be armed, and notes why; then it is not
// pending.
func (t *Timer) refuses(d time.Duration) bool {
	switch {
	case t.loop.refuses():
		t.fault = timerClosed
	case t.f == nil:
		t.fault = timerWithout
	case t.repeats && d <= 0:
		t.every, t.fault = d, timerWithPeriod
	default:
		t.fault = 0
		return false
	}
	t.Stop()
	return true
}

// Err returns why f will never be called: ErrClosed, or EINVAL for an Every without a
// duration or a nil function. nil means that it will be, unless the timer is stopped.
func (t *Timer) Err() error {
	switch t.fault {
	case timerClosed:
		return ErrClosed
	case timerWithout:
		return badInput("timer", "there is no function to call")
	case timerWithPeriod:
		return badInput("timer", "every %v: it must be more than nothing", t.every)
	}
	return nil
}

// Stop stops the timer: f will not be called any more, even if its time has already
// come, unless Reset arms it again. It does nothing to a timer that is not pending.
func (t *Timer) Stop() {
	if t.loop == nil {
		return
	}
	t.loop.checkCaller()
	if t.in.Pending() {
		t.loop.timers.Remove(&t.in)
	}
}

// fireTimers calls what is due. Should a function panic, or stop the loop, the next turn
// goes on with the rest.
func (l *Loop) fireTimers() {
	w := &l.timers
	now := clock()
	if now < w.Next {
		return
	}
	w.Turn(now)
	for due := w.First(); due != nil && !l.mail.stopping.Load(); due = w.First() {
		t := ofWheel(due)
		w.Remove(due)
		if t.repeats {
			due.When += t.every
			if late := now - due.When; late >= 0 {
				due.When += t.every * (late/t.every + 1)
			}
			w.Add(due)
		}
		l.tick(t)
	}
	w.Settle()
}

func (l *Loop) tick(t *Timer) {
	if l.observer != nil {
		defer l.region("timer")()
	}
	t.f()
}

// untilTimer returns how long it is until a timer is due, something negative if there
// is none.
func (l *Loop) untilTimer() time.Duration {
	w := &l.timers
	if w.Pending == 0 {
		return -1
	}
	if w.Stale {
		w.Settle()
	}
	return max(w.Next-clock(), 0)
}

// pause calls f when d has passed. It does not count as something to wait for.
func (l *Loop) pause(d time.Duration, f func()) {
	t := new(Timer)
	t.init(l, f, true)
	t.Reset(d)
}
