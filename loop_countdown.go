package liburing

import (
	"container/heap"
	"syscall"
)

// A Timeout ends, too, when as many other requests have completed. The kernel's count has
// the loop's own requests as well, so the loop counts for itself.

// countdown is a Timeout that counts.
type countdown struct {
	loop    *Loop
	token   Token
	count   int
	last    uint64 // the completion that ends it, as others counts
	place   int    // in the heap, -1: not there
	reached bool
	cb      Callback
}

// countdowns are those that have not ended, by their tokens and in the order of their
// ends.
type countdowns struct {
	next []*countdown // a heap
	of   map[Token]*countdown
}

func (c *countdowns) Len() int           { return len(c.next) }
func (c *countdowns) Less(i, j int) bool { return c.next[i].last < c.next[j].last }

func (c *countdowns) Swap(i, j int) {
	c.next[i], c.next[j] = c.next[j], c.next[i]
	c.next[i].place, c.next[j].place = i, j
}

// Push is for container/heap.
func (c *countdowns) Push(x any) {
	d := x.(*countdown)
	d.place = len(c.next)
	c.next = append(c.next, d)
}

// Pop is for container/heap.
func (c *countdowns) Pop() any {
	last := len(c.next) - 1
	d := c.next[last]
	c.next[last] = nil
	c.next = c.next[:last]
	d.place = -1
	return d
}

func (c *countdowns) add(d *countdown) {
	if c.of == nil {
		c.of = make(map[Token]*countdown)
	}
	c.of[d.token] = d
	heap.Push(c, d)
}

func (c *countdowns) remove(d *countdown) {
	delete(c.of, d.token)
	if d.place >= 0 {
		heap.Remove(c, d.place)
	}
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
	l.countdowns.add(c)
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
	if c := l.countdowns.of[Token(sqe.UserData)]; c != nil {
		sqe.Off = uint64(c.count)
		l.countdowns.remove(c)
	}
}

// endCountdowns ends those that have seen enough.
func (l *Loop) endCountdowns() {
	c := &l.countdowns
	var list []aged
	for others := l.others(); c.Len() != 0 && c.next[0].last <= others; {
		d := heap.Pop(c).(*countdown)
		d.reached = true
		list = append(list, aged{token: d.token})
	}
	l.revokeAll(list)
}

// ended is the timeout's callback.
func (c *countdown) ended(end Completion) {
	c.loop.countdowns.remove(c)
	if c.reached && end.Res == -int32(syscall.ECANCELED) && !end.lapsed() {
		end.Res, end.detail = 0, nil
	}
	c.cb(end)
}
