package liburing

import (
	"syscall"
	"time"
	"unsafe"
)

// Timer is a timeout in the kernel that calls a function of the loop.
type Timer struct {
	loop  *Loop
	token Token // of the timeout that is in flight
	every time.Duration
	f     func()
	err   error // why there is no timeout
}

// After has the loop call f once when d has passed, in the next turn if d is not
// above zero (IORING_OP_TIMEOUT). Needs Linux 5.4.
func (l *Loop) After(d time.Duration, f func()) *Timer {
	t := &Timer{loop: l, f: f}
	t.arm(max(d, 0), 0)
	return t
}

// Every has the loop call f again and again, each time d has passed, which must
// be above zero. The kernel keeps the beat from Linux 6.4 on; before that each
// timeout begins when f returns from the last.
func (l *Loop) Every(d time.Duration, f func()) *Timer {
	t := &Timer{loop: l, every: d, f: f}
	if d <= 0 {
		t.err = badInput("timer", "every %v: it must be more than nothing", d)
		return t
	}
	t.arm(d, TimeoutMultishot)
	return t
}

// Err returns why f will never be called, nil if it will: ErrClosed, or EINVAL
// for an Every without a duration or a function that is nil.
func (t *Timer) Err() error { return t.err }

// Stop ends the timer: f will not be called any more. Call it where requests
// are made; a timer that has ended is left alone.
func (t *Timer) Stop() {
	t.loop.checkCaller()
	t.f = nil
	t.endByGo()
	t.loop.revoke(t.token)
}

func (t *Timer) arm(d time.Duration, flags TimeoutFlags) {
	if t.f == nil {
		t.err = badInput("timer", "there is no function to call")
		return
	}
	if t.loop.lacks.timeout {
		t.byGo(d)
		return
	}
	r := t.loop.Timeout(d, 0, flags, func(c Completion) { t.fired(c, d, flags) })
	t.token, t.err = r.Token(), r.Err()
}

func (t *Timer) fired(c Completion, d time.Duration, flags TimeoutFlags) {
	switch {
	case t.f == nil: // stopped
	case c.Res == -int32(etime):
		defer t.goOn(c, flags) // also if f panics
		t.f()
	case c.Res == -int32(syscall.EINVAL) && flags != 0: // no multishot timeouts
		t.goOn(c, 0)
	case c.refusedByRing():
		t.loop.lacks.timeout = true
		t.byGo(d)
	} // else it was cancelled with the loop
}

// goOn makes the next timeout of an Every that has not been stopped, if the last has
// ended.
func (t *Timer) goOn(c Completion, flags TimeoutFlags) {
	if t.every > 0 && t.f != nil && !c.More() {
		t.arm(t.every, flags)
	}
}

// pause calls f when d has passed. It does not count as a request in flight.
func (l *Loop) pause(d time.Duration, f func()) {
	if l.drains || l.lacks.timeout { // a timeout would not begin
		time.AfterFunc(d, func() { l.Post(f) })
		return
	}
	ts := NewTimespec(d)
	sqe := l.queueInner(OpTimeout, func(Completion) { f() }, unsafe.Pointer(&ts))
	sqe.PrepTimeout(&ts, 0, 0)
}
