package liburing

import (
	"syscall"
	"time"
)

// Timer is a timeout in the kernel that calls a function of the loop.
type Timer struct {
	loop  *Loop
	token Token // of the timeout that is in flight
	every time.Duration
	f     func()
}

// After has the loop call f once when d has passed (IORING_OP_TIMEOUT). Least
// kernel: 5.4.
func (l *Loop) After(d time.Duration, f func()) *Timer {
	t := &Timer{loop: l, f: f}
	t.arm(d, 0)
	return t
}

// Every has the loop call f again and again, each time d has passed. The kernel
// keeps the beat from Linux 6.4 on; before that each timeout begins when f
// returns from the last.
func (l *Loop) Every(d time.Duration, f func()) *Timer {
	t := &Timer{loop: l, every: d, f: f}
	t.arm(d, TimeoutMultishot)
	return t
}

// Stop ends the timer: f will not be called any more. Call it where requests
// are made; a timer that has ended is left alone.
func (t *Timer) Stop() {
	t.f = nil
	t.loop.revoke(t.token)
}

func (t *Timer) arm(d time.Duration, flags TimeoutFlags) {
	t.token = t.loop.Timeout(d, 0, flags, func(c Completion) { t.fired(c, flags) }).Token()
}

func (t *Timer) fired(c Completion, flags TimeoutFlags) {
	switch {
	case t.f == nil: // stopped
		return
	case c.Res == -int32(syscall.ETIME):
		t.f()
	case c.Res == -int32(syscall.EINVAL) && flags != 0: // no multishot timeouts
		flags = 0
	default:
		return // cancelled with the loop
	}
	if t.every > 0 && t.f != nil && !c.More() {
		t.arm(t.every, flags)
	}
}

// Deadline has the request cancelled if it has not completed when d has passed;
// it then completes with ECANCELED. The kernel links a timeout to the request
// (IORING_OP_LINK_TIMEOUT), so call it before the next request is queued;
// afterwards it does nothing.
func (r Request) Deadline(d time.Duration) Request {
	if r.open() != nil && r.sqe == r.loop.lastEntry() {
		r.Link()
		r.loop.LinkTimeout(d, 0, nil)
	}
	return r
}
