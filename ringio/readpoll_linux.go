//go:build linux

package ringio

import (
	"sync"
	"sync/atomic"

	"github.com/go-liburing/liburing"
	"golang.org/x/sys/unix"
)

// readPoll tells who reads a busy TCP connection when there is something to read, by a poll
// that stays in the kernel: then a Read that waits asks for nothing, and one that would find
// nothing is not tried. What has come stays in the kernel until somebody reads it.
//
// It is told of changes alone, and a read that found less than it had room for has found all
// there was. Not so where the end is behind that: from when the poll has told of anything but
// bytes, each read is tried. For what else there may be, see recheck.
//
// It knows nothing of its socket, so that one that is forgotten can be closed.
//
// There may be many: it is as small as can be.
type readPoll struct {
	mu          sync.Mutex
	op          *op           // the request, nil if there is none
	wake        chan struct{} // one place, for the reader who waits
	engine      *engine
	gone        chan struct{} // closed when the request that was asked back is
	unsure      atomic.Bool   // a short read does not say that there is nothing more
	fd          int32
	why         outcome  // the reader was woken
	waits       bool     // there is one
	news        bool     // something came while there was none
	interrupted bool     // the deadline or Close wants the reader to look up
	barred      bool     // no request is made any more
	trust       trust    // of the reader who waits
	_           [10]byte // to a whole line

	near near // another line
}

// outcome says why a reader need not wait any more.
type outcome uint8

const (
	mustWait  outcome = iota
	hasNews           // there may be something to read
	lookUp            // the deadline or Close may have come
	askKernel         // there is no poll: the engine is shut down, or this kernel has none
)

// newPolls came with Linux 5.17 beside polls that were written anew. With those before, which
// stay in the kernel from 5.13 on, and in Debian's 5.10, the tests did not end.
const newPolls = liburing.FeatLinkedFile

// pollsFor is what a reader is to be told of.
const pollsFor = unix.POLLIN | unix.POLLRDHUP

// newReadPoll returns a TCP connection's.
func newReadPoll(e *engine, fd int) *readPoll {
	return &readPoll{engine: e, fd: int32(fd), wake: make(chan struct{}, 1)}
}

// noteLeast has each read tried where the program has said that few bytes are nothing to be told
// of (SO_RCVLOWAT). Who waits already does so on net, too.
func (r *readPoll) noteLeast() {
	least, err := unix.GetsockoptInt(int(r.fd), unix.SOL_SOCKET, unix.SO_RCVLOWAT)
	if err != nil || least > 1 {
		r.unsure.Store(true)
	}
}

// wait waits until there is something new, for one who is going to read it to p.
func (r *readPoll) wait(p []byte) outcome {
	r.mu.Lock()
	anew := r.op == nil
	is := r.state()
	r.waits, r.trust = is == mustWait, believed
	r.mu.Unlock()
	if is != mustWait {
		return is
	}
	if anew { // it is staged
		r.engine.kickAside()
	}
	r.engine.recheckLater()
	r.near.waits(p)
	<-r.wake
	return r.why // which nobody else has to do with before the next wait
}

// leaveShut takes the request back for good once the engine is being shut down: that waits for
// who reads now, and not for what he reads next.
func (r *readPoll) leaveShut() {
	if !r.engine.closed() {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.barred = true
	r.getBack()
}

// state says why a reader need not wait. If he must there is a request.
func (r *readPoll) state() outcome {
	switch {
	case r.news:
		r.news = false
		return hasNews
	case r.interrupted:
		r.interrupted = false
		return lookUp
	case r.op == nil && !r.arm():
		return askKernel
	}
	return mustWait
}

// arm makes the request, if it may. The lock is held.
func (r *readPoll) arm() bool {
	if r.barred {
		return false
	}
	o := r.engine.acquire()
	o.entry().PrepPollMultishot(int(r.fd), pollsFor)
	o.keep, o.told = r, toldRead
	if r.engine.stage(o) != nil {
		r.engine.release(o)
		return false
	}
	r.op = o
	return true
}

func toldRead(o *op, res int32, _ liburing.CQEFlags, more bool) {
	o.keep.(*readPoll).told(o, res, more)
}

// told takes what the poll tells. The ring is locked.
func (r *readPoll) told(o *op, res int32, more bool) {
	r.mu.Lock()
	if res > 0 && res&^unix.POLLIN != 0 {
		r.unsure.Store(true)
	}
	if more {
		r.follow(o)
	} else {
		r.ends(o, res)
	}
	switch {
	case res <= 0 && r.op != nil: // made anew: it tells what there is
	case !r.waits:
		r.news = true
	case r.engine.closed() && r.op != nil && !readableNow(int(r.fd)):
		// Shutdown waits for him as long as he waits; he is not to look in vain.
	default:
		r.engine.woken++
		r.wakeReader(hasNews)
	}
	r.mu.Unlock()
}

// ends notes that the request has ended. A reader who waits makes it anew, if it may be.
func (r *readPoll) ends(o *op, res int32) {
	r.op = nil
	if res < 0 && res != -int32(unix.ECANCELED) {
		r.barred = true // requests of his own tell the reader more
	}
	if r.gone != nil {
		close(r.gone)
		r.gone = nil
		return
	}
	r.engine.release(o)
	if res == -int32(unix.ECANCELED) && r.waits { // it follows the pump, see home
		r.arm() // whoever has the ring looks again
	}
}

// wakeReader wakes the reader who waits. The lock is held.
func (r *readPoll) wakeReader(why outcome) {
	r.waits, r.why = false, why
	r.wake <- struct{}{}
}

// expire has the reader look up, now or when it is about to wait.
func (r *readPoll) expire() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.waits {
		r.wakeReader(lookUp)
	} else {
		r.interrupted = true
	}
}

// recallUnread asks for the request back if nobody waits for what it tells. The ring is locked.
func (r *readPoll) recallUnread() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.waits && r.op != nil {
		r.engine.cancelHere(r.op)
	}
}

// getBack returns when the kernel has the request no more. The lock is held, but not
// meanwhile. There is one caller at a time: who has the half, or nobody else has the socket.
func (r *readPoll) getBack() {
	o := r.op
	if o == nil {
		return
	}
	gone := make(chan struct{})
	r.gone = gone
	r.mu.Unlock()
	r.engine.cancel(o)
	<-gone
	r.engine.release(o) // not before: it would be another's that is cancelled
	r.mu.Lock()
}

// end takes the request back.
func (r *readPoll) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.getBack()
}
