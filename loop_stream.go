package liburing

import (
	"context"
	"encoding/binary"
	"os"
	"slices"
	"syscall"
	"time"

	"github.com/go-liburing/liburing/internal/wheel"
)

// Stream is a multishot request that is made again when it ends early.
type Stream struct {
	loop  *Loop
	arm   func(cb Callback) Request
	cb    Callback
	each  Callback // completed, made once
	op    Op
	token Token // of the request in flight
	ctxs  []context.Context
	due   time.Duration // when its limit passes, as it was when the last request ended; 0: it has none
	entry SQE           // as arm made it
	ended bool          // cb has been told, or will not be
	stop  bool
	err   error // why there was no first request

	barren int // requests in a row that ended and had brought nothing

	// There is no request while it waits for buffers, or in a pause.
	in         *streamList   // the list of those that wait for the same
	next, prev *Stream       // of the list
	pause      *Timer        // made for the first one
	stops      []func() bool // end the watching of the contexts meanwhile
	alarm      *Timer        // for the limit meanwhile, made for the first one
}

// Rearm makes a multishot request by calling arm, and makes it again when it ends: at
// once if it ended without an error, which the kernel is free to do at any time, or as
// soon as there are provided buffers if it ended for lack of them. cb is not told of
// these ends. What ends a stream for cb, with More false, is an error, a receive, read
// or splice of 0 bytes, Stop, the end of a context that arm has given the request, and
// the loop's Close.
//
//	loop.Rearm(func(cb liburing.Callback) liburing.Request {
//		return loop.RecvMultishot(fd, nil, 0, cb).Buffers(group)
//	}, received)
//
// A datagram of 0 bytes is such an end too, even for a multishot receive, so use
// RecvmsgMultishot where datagrams may be empty: its results are never 0. On a
// connection it ends when the peer closes; on a registered file, whose kind can't be
// determined, the callback sees payloads of 0 bytes then and has to call Stop.
//
// An accept that finds no room (EMFILE, ENFILE, ENOBUFS, ENOMEM), or whose peer has
// gone (ECONNABORTED and the like), does not end the stream: cb is told of the error,
// with More true, and the stream goes on, in the first case after a pause. A client
// waits while there is no descriptor for it; where there is no place for it among the
// registered files it loses its connection, for the kernel accepts before it looks for a
// place: have one for each client.
//
// A peer that sends more than a group holds ends the request each time the group has
// run out: 200 messages of 1,000 bytes, sent as fast as possible, took 195 requests
// with bundles into 16 buffers of 64 bytes; messages of 10,000 bytes took 27 with 16
// buffers of 4,096 and one with 256. Asking for less per request would end it as often.
// Have room for several messages.
//
// If requests end again and again without bringing anything, whether because of the
// peer or the kernel, from the ninth on there is a pause before the next, which grows
// up to 100 ms; the first result above 0 ends that. Stats.StreamPauses counts the
// pauses.
//
// A limit (WithTimeout) that arm gives a request is the stream's from then on: its time goes
// on from one request to the next, also while the stream waits for buffers or pauses, and
// what arm gives the later ones does not count. WithTimeout on the request that is in flight
// sets it anew, or removes it; if arm has given none, that is the one request's alone. A
// Deadline is each request's own.
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

// Err returns why the first request was not made, nil if it was: ErrClosed if the loop
// is closed, or that arm made none. The callback is told too.
func (s *Stream) Err() error { return s.err }

// Token returns the name of the request that is in flight, for State and Cancel; 0
// while the stream waits for buffers, or pauses. Only Stop is sure to end the stream.
func (s *Stream) Token() Token {
	if s.waits() || s.ended {
		return 0
	}
	return s.token
}

// Stop ends the stream: the request is cancelled, and the callback called one last
// time, with ECANCELED or whatever came first. Call it where requests are made.
func (s *Stream) Stop() {
	s.loop.checkCaller()
	if s.stop || s.ended {
		return
	}
	s.stop = true
	if s.waits() {
		s.leave()
		// Not now: the caller may be the callback, or not ready for it.
		if s.loop.Post(s.end) != nil {
			s.end()
		}
		return
	}
	s.loop.Revoke(s.token)
}

// again makes the request. Should arm panic before it has made one, the stream ends:
// nothing else would tell its callback.
func (s *Stream) again() {
	before, returned := s.loop.inFlight, false
	defer func() {
		if !returned && s.loop.inFlight == before {
			s.fail(badInput("stream", "the function that makes its request has panicked"))
		}
	}()
	r := s.arm(s.each)
	returned = true
	switch h := s.loop.table.handle(r.token); {
	case r.loop != s.loop:
		s.fail(badInput("stream", "its function must make a request of the stream's own loop"))
	case r.token == 0: // refused, which each is told
		s.err = ErrClosed
	case h != nil:
		s.token, s.op = r.token, h.op
		s.adopt(r)
		if sqe := r.open(); sqe != nil {
			s.entry = *sqe
		}
	}
}

// adopt has what ends the request before its time end the stream, also while there is no
// request.
func (s *Stream) adopt(r Request) {
	if s.due != 0 { // arm has begun another time
		r.WithTimeout(s.timeLeft())
	}
	s.ctxs = s.ctxs[:0]
	a := s.loop.table.aside(r.token)
	if a == nil {
		return
	}
	if a.limit.inUse() {
		a.limit.stream = s
	}
	for w := a.watch; w != nil; w = w.also {
		s.ctxs = append(s.ctxs, w.ctx)
	}
}

// timeLeft returns how much of its time the stream has left, as WithTimeout takes it.
func (s *Stream) timeLeft() time.Duration {
	if s.due == wheel.Never { // the limit was removed
		return -1
	}
	return max(s.due-clock(), 0)
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
		if c.Res > 0 {
			s.barren = 0
		}
		s.cb(c)
	case s.stop || s.loop.closing.Load() || c.lapsed():
		s.ended = true
		s.cb(c)
	case c.Res == -int32(syscall.ENOBUFS) && c.detail != nil && c.detail.group != nil:
		s.wait(c.detail.group)
	case c.op == OpAccept && c.Res < 0 && acceptGoesOn(c):
		s.goOnAfter(c)
	case c.Res < 0 || c.Err() != nil || s.isEOF(c):
		s.ended = true
		s.cb(c)
	default:
		s.goOnAfter(c)
	}
}

// lapsed reports whether a context or a deadline has ended the request.
func (c Completion) lapsed() bool { return c.detail != nil && c.detail.end != nil }

// goOnAfter tells cb of a request that has ended, and makes the next one.
func (s *Stream) goOnAfter(c Completion) {
	switch {
	case c.op == OpAccept && noRoom(c):
		s.barren = max(s.barren, freeTries) + 1
	case c.Res < 0, c.Res == 0 && c.op != OpAccept, s.isEmpty(c):
		s.barren++
	default:
		s.barren = 0
	}
	defer s.goOn() // also if the callback panics
	c.Flags |= CQEFMore
	s.cb(c)
}

// goOn makes the request again, at once or after a pause, or ends a stream that was
// stopped meanwhile.
func (s *Stream) goOn() {
	switch {
	case s.stop:
		s.end()
	case s.barren > freeTries:
		s.rest()
	default:
		s.again()
	}
}

// freeTries is how many requests in a row may bring nothing before the next one has
// to wait.
const freeTries = 8

// rest makes the request again after a pause.
func (s *Stream) rest() {
	l := s.loop
	if l.closing.Load() {
		s.end()
		return
	}
	l.stats.StreamPauses++
	if s.pause == nil {
		s.pause = new(Timer)
		s.pause.init(l, s.rested, false)
	}
	s.pause.Reset(min(time.Millisecond<<min(s.barren-freeTries-1, 10), longestPause))
	l.resting.add(s)
}

// rested is told that a pause has ended.
func (s *Stream) rested() {
	s.leave()
	s.again()
}

// streamList has streams that wait, in their order.
type streamList struct {
	first, last *Stream
	n           int
}

// add has a stream wait. The end of a context or of its time ends it meanwhile.
func (w *streamList) add(s *Stream) {
	s.in, s.prev = w, w.last
	if w.last == nil {
		w.first = s
	} else {
		w.last.next = s
	}
	w.last = s
	w.n++
	s.watchContexts()
	s.watchTime()
}

// waits reports whether there is no request, but there will be.
func (s *Stream) waits() bool { return s.in != nil }

// leave takes the stream out of those that wait.
func (s *Stream) leave() {
	w := s.in
	if s.prev == nil {
		w.first = s.next
	} else {
		s.prev.next = s.next
	}
	if s.next == nil {
		w.last = s.prev
	} else {
		s.next.prev = s.prev
	}
	w.n--
	s.in, s.next, s.prev = nil, nil, nil
	if s.pause != nil {
		s.pause.Stop()
	}
	if s.alarm != nil {
		s.alarm.Stop()
	}
	for _, stop := range s.stops {
		stop()
	}
	s.stops = s.stops[:0]
}

// watchContexts has the end of a context end the stream while it waits.
func (s *Stream) watchContexts() {
	for _, ctx := range s.ctxs {
		s.stops = append(s.stops, context.AfterFunc(ctx, func() { s.loop.Post(s.lapse) }))
	}
}

// watchTime has the end of its time end the stream while it waits.
func (s *Stream) watchTime() {
	if s.due == 0 || s.due == wheel.Never {
		return
	}
	if s.alarm == nil {
		s.alarm = new(Timer)
		s.alarm.init(s.loop, s.expire, true)
	}
	s.alarm.Reset(s.timeLeft())
}

// expire ends a stream that waits, for its time has passed.
func (s *Stream) expire() {
	s.leave()
	s.endWith(&detail{end: os.ErrDeadlineExceeded})
}

// wait has the request made again when g has buffers. If it seems to have some again
// and again, but not for the kernel, it is made again after a pause.
func (s *Stream) wait(g *BufGroup) {
	if g.ready > 0 {
		s.barren++
	}
	if s.barren > freeTries {
		s.rest()
		return
	}
	g.waiting.add(s)
	if g.canFeed() {
		g.offer()
	}
}

// lapse ends a stream that waits if a context of its has ended.
func (s *Stream) lapse() {
	for _, ctx := range s.ctxs {
		if s.waits() && ctx.Err() != nil {
			s.leave()
			s.endWith(&detail{end: contextError(ctx)})
		}
	}
}

// canFeed reports whether the group has buffers that a request waits for.
func (g *BufGroup) canFeed() bool { return g.ready > 0 && g.waiting.n > 0 }

// offer has the group's buffers fed to those that wait for them.
func (g *BufGroup) offer() {
	if !g.offered {
		g.offered = true
		g.loop.offers = append(g.loop.offers, g)
	}
}

// feed makes requests again that wait for buffers, as many of each group as it
// has buffers. It reports whether there are more that can be made: those which
// found no data have taken none.
func (l *Loop) feed() (more bool) {
	for _, g := range l.offers {
		for n := g.ready; n > 0 && g.waiting.n > 0; n-- {
			s := g.waiting.first // it has waited longest
			s.leave()
			s.again()
		}
	}
	l.offers = slices.DeleteFunc(l.offers, func(g *BufGroup) bool {
		g.offered = g.canFeed()
		return !g.offered
	})
	return len(l.offers) != 0
}

// canFeed reports whether a group has buffers that a request waits for.
func (l *Loop) canFeed() bool { return slices.ContainsFunc(l.offers, (*BufGroup).canFeed) }

// end tells the callback of an end that no completion tells of.
func (s *Stream) end() { s.endWith(nil) }

func (s *Stream) endWith(d *detail) {
	if !s.ended {
		s.ended = true
		s.cb(Completion{Res: -int32(syscall.ECANCELED), op: s.op, detail: d})
	}
}

// isEOF reports whether the last completion of a request means that nothing more will
// come.
func (s *Stream) isEOF(c Completion) bool {
	if c.Res == 0 {
		return c.op.facts().ends
	}
	return s.isEmpty(c) && s.entry.socketType() == sockStream
}

// isEmpty reports whether it is a recvmsg that was multishot and has brought no bytes
// but those that tell so.
func (s *Stream) isEmpty(c Completion) bool {
	if c.op != OpRecvmsg || c.detail == nil || c.detail.group == nil {
		return false
	}
	multishot, header := s.entry.IOPrio&uint16(RecvMultishot) != 0, c.Buffer()
	return multishot && len(header) >= RecvmsgOutSize && binary.NativeEndian.Uint32(header[8:]) == 0
}

// noRoom reports whether an accept failed because there are too many descriptors, or
// too little memory.
func noRoom(c Completion) bool {
	switch syscall.Errno(-c.Res) {
	case syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM:
		return true
	}
	return false
}

// acceptGoesOn reports whether a listening socket is as good as before an accept
// failed: besides want of room it tells so of errors of the connection.
func acceptGoesOn(c Completion) bool {
	switch syscall.Errno(-c.Res) {
	case syscall.ECONNABORTED, syscall.EPROTO, syscall.ENOPROTOOPT, syscall.ENETDOWN, syscall.ENETUNREACH,
		syscall.EHOSTDOWN, syscall.EHOSTUNREACH, syscall.ETIMEDOUT, enonet:
		return true
	}
	return noRoom(c)
}
