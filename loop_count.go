package liburing

import (
	"slices"
	"syscall"
)

// countdown is a Timeout that ends when as many other requests have completed. The
// kernel's count has the loop's own requests too, so the loop counts for itself.
type countdown struct {
	loop    *Loop
	token   Token
	count   int
	last    uint64 // the completion that ends it, as others counts
	reached bool
	cb      Callback
}

// others counts the completions that callbacks have seen, but for those of timeouts,
// which the kernel does not count either.
func (l *Loop) others() uint64 { return l.stats.Completed - uint64(l.have-l.next) - l.fired }

// count has the loop count for a Timeout that was just queued. In a chain its end has to
// look like a success to the kernel, which must count then.
func (l *Loop) count(sqe *SQE, token Token, n int) {
	if n == 0 || TimeoutFlags(sqe.OpFlags)&TimeoutMultishot != 0 || l.behindLink(sqe) {
		return
	}
	h := l.table.handle(token)
	c := &countdown{loop: l, token: token, count: n, last: l.others() + uint64(n), cb: h.cb}
	h.cb = c.ended
	sqe.Off = 0
	l.countdowns = append(l.countdowns, c)
}

// behindLink reports whether the entry that was queued last is linked to the one before.
func (l *Loop) behindLink(last *SQE) bool {
	for sqe := range l.entriesBackwards {
		if sqe != last {
			return sqe.linked()
		}
	}
	return false
}

// letKernelCount is for a Timeout that becomes a part of a chain.
func (l *Loop) letKernelCount(sqe *SQE) {
	for _, c := range l.countdowns {
		if uint64(c.token) == sqe.UserData {
			sqe.Off = uint64(c.count)
			l.leave(c)
			return
		}
	}
}

// endCountdowns ends those that have seen enough.
func (l *Loop) endCountdowns() {
	for _, c := range l.countdowns {
		if !c.reached && l.others() >= c.last {
			c.reached = true
			l.revoke(c.token)
		}
	}
}

// ended is the timeout's callback.
func (c *countdown) ended(end Completion) {
	c.loop.leave(c)
	if c.reached && end.Res == -int32(syscall.ECANCELED) && !end.lapsed() {
		end.Res, end.detail = 0, nil
	}
	c.cb(end)
}

func (l *Loop) leave(c *countdown) {
	l.countdowns = slices.DeleteFunc(l.countdowns, func(o *countdown) bool { return o == c })
}
