package liburing

import (
	"slices"
	"syscall"
)

// Stream is a multishot request that is made again when it ends before its time.
type Stream struct {
	loop  *Loop
	arm   func(cb Callback) Request
	cb    Callback
	each  Callback // completed, made once
	op    Op
	token Token     // of the request in flight
	group *BufGroup // whose buffers the stream waits for
	ended bool      // cb has been told, or will not be
	stop  bool
	err   error // why there was no first request
}

// Rearm makes a request that completes more than once with arm, and makes it
// again when it ends without an error, as the kernel may have it, or for want of
// provided buffers: then as soon as there are some. cb is told neither of these
// ends. What ends a stream for cb, with More false, is an error, a receive, read
// or splice of 0 bytes, Stop, and the loop's Close. A datagram of 0 bytes is such
// an end too, but not for RecvmsgMultishot, whose results are never 0: where the
// peer can close, look at the payload and call Stop.
//
//	loop.Rearm(func(cb liburing.Callback) liburing.Request {
//		return loop.RecvMultishot(fd, nil, 0, cb).Buffers(group)
//	}, received)
func (l *Loop) Rearm(arm func(cb Callback) Request, cb Callback) *Stream {
	if cb == nil {
		cb = ignore
	}
	s := &Stream{loop: l, arm: arm, cb: cb}
	s.each = s.completed
	if arm == nil {
		s.fail(badInput("stream", "there is no function that makes the request"))
		return s
	}
	s.again()
	return s
}

// Err returns why there was no request to begin with, nil if there was: ErrClosed
// where the loop is closed, or that arm made none. The callback is told too.
func (s *Stream) Err() error { return s.err }

// Stop ends the stream: the request is cancelled, and the callback called a last
// time, with ECANCELED or what else came first. Call it where requests are made.
func (s *Stream) Stop() {
	s.loop.checkCaller()
	if s.stop || s.ended {
		return
	}
	s.stop = true
	if s.group != nil {
		s.group.leave(s)
		// Not now: the caller may be the callback, or not ready for it.
		if s.loop.Post(s.end) != nil {
			s.end()
		}
		return
	}
	s.loop.revoke(s.token)
}

// again makes the request.
func (s *Stream) again() {
	s.group = nil
	r := s.arm(s.each)
	switch h := s.loop.table.handle(r.token); {
	case r.loop != s.loop:
		s.fail(badInput("stream", "its function must make a request of the stream's own loop"))
	case r.token == 0: // refused, which each is told
		s.err = ErrClosed
	case h != nil:
		s.token, s.op = r.token, h.op
	}
}

// fail ends the stream for want of a request.
func (s *Stream) fail(why error) {
	s.ended, s.err = true, why
	s.loop.queueBad(s.op, s.cb, why)
}

// completed is the callback of each request that the stream makes.
func (s *Stream) completed(c Completion) {
	switch {
	case s.ended: // it was not this loop's request
	case c.More():
		s.cb(c)
	case s.stop || s.loop.closing.Load():
		s.ended = true
		s.cb(c)
	case c.Res == -int32(syscall.ENOBUFS) && c.detail != nil && c.detail.group != nil:
		s.wait(c.detail.group)
	case c.Res < 0 || c.Err() != nil || c.isEOF():
		s.ended = true
		s.cb(c)
	default:
		defer s.goOn() // also if the callback panics
		c.Flags |= CQEFMore
		s.cb(c)
	}
}

// goOn makes the request again, or ends a stream that was stopped meanwhile.
func (s *Stream) goOn() {
	if s.stop {
		s.end()
		return
	}
	s.again()
}

// wait has the request made again when g has buffers.
func (s *Stream) wait(g *BufGroup) {
	s.group = g
	if len(g.waiting) == 0 {
		s.loop.hungry = append(s.loop.hungry, g)
	}
	g.waiting = append(g.waiting, s)
}

// feed makes requests again that wait for buffers, as many of each group as it
// has buffers. It reports whether there are more that can be made: those which
// found no data have taken none.
func (l *Loop) feed() (more bool) {
	if len(l.hungry) == 0 {
		return false
	}
	for _, g := range l.hungry {
		for n := g.ready; n > 0 && len(g.waiting) > 0; n-- {
			s := g.waiting[0] // it has waited longest
			g.leave(s)
			s.again()
		}
	}
	l.hungry = slices.DeleteFunc(l.hungry, func(g *BufGroup) bool { return len(g.waiting) == 0 })
	return l.canFeed()
}

// canFeed reports whether a group has buffers that a request waits for.
func (l *Loop) canFeed() bool {
	return slices.ContainsFunc(l.hungry, func(g *BufGroup) bool { return g.ready > 0 && len(g.waiting) > 0 })
}

// leave takes a stream out of those that wait.
func (g *BufGroup) leave(s *Stream) {
	for i, other := range g.waiting {
		if other == s {
			g.waiting = append(g.waiting[:i], g.waiting[i+1:]...)
			break
		}
	}
	s.group = nil
}

// end tells the callback of an end that no completion tells of.
func (s *Stream) end() {
	if !s.ended {
		s.ended = true
		s.cb(Completion{Res: -int32(syscall.ECANCELED), op: s.op})
	}
}

// isEOF reports whether a completion means that nothing more will come.
func (c Completion) isEOF() bool { return c.Res == 0 && c.op.facts().ends }
