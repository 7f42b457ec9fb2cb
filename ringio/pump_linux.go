//go:build linux

package ringio

import (
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// What is done with the ring's lock, by the pump or in its place: requests go to the
// kernel, and completions are told.

// pump serves the ring until it is given back.
func (e *engine) pump() {
	defer close(e.gone)
	for {
		e.mu.Lock()
		e.crowd.ran(-int(e.awaited.Load()))
		did := e.turn(e.crowd.most())
		e.crowd.woke(e.woken)
		e.await(e.woken)
		e.woken = 0
		if !did {
			e.crowd.size = 0 // how long it sleeps says nothing of those who were woken
		}
		e.mu.Unlock()
		if did || e.waiting.Load() {
			runtime.Gosched() // who was woken may have more to submit
			continue
		}
		e.parked.Store(true)
		if !e.waiting.Load() && e.park() != nil {
			return
		}
		e.parked.Store(false)
	}
}

// park waits until the ring has a completion. It fails when the poller is closed.
func (e *engine) park() error {
	e.parks.Add(1)
	return e.readied.Read(e.look)
}

// ready reports whether there are completions. It looks without the lock: whoever has
// that may be past taking completions, and the netpoller tells each one once.
func (e *engine) ready(uintptr) bool { return e.ring.CQReady() != 0 || e.ring.CQHasOverflow() }

// turn submits what is staged and tells what is done, so many completions at most. It
// reports whether there was anything.
func (e *engine) turn(most int) (did bool) {
	e.takeStaged()
	if e.ended {
		e.refuse()
		return false
	}
	if e.forbidden.is() {
		e.refuse()
	}
	woken := e.woken
	filled := e.sendAll()
	did = e.reap(most) != 0 || filled != 0
	e.few.woke(e.woken - woken)
	if did {
		e.present.Store(int32(e.flying))
	}
	return did
}

// refuse ends what is staged when the ring is gone, or forbidden.
func (e *engine) refuse() {
	for _, o := range e.queued {
		o.finish(-int32(unix.ECANCELED), 0)
	}
	clear(e.queued)
	e.queued = e.queued[:0]
}

// tryLater has the ring looked at again when the kernel may have memory or room.
func (e *engine) tryLater() {
	time.AfterFunc(200*time.Microsecond, func() {
		e.waiting.Store(true)
		e.kick()
	})
}

// takeStaged moves what is staged to the end of the queue.
func (e *engine) takeStaged() {
	if !e.waiting.Load() {
		return
	}
	e.waiting.Store(false)
	s := &e.staging
	s.Lock()
	if len(e.queued) == 0 {
		e.queued, s.ops = s.ops, e.queued[:0]
	} else {
		e.queued = append(e.queued, s.ops...)
		clear(s.ops)
		s.ops = s.ops[:0]
	}
	s.Unlock()
}

// sendAll hands over all that is queued, a ring's queue full at a time.
func (e *engine) sendAll() (filled int) {
	for {
		n, took := e.send()
		filled += n
		if !took {
			if !e.forbidden.is() {
				e.tryLater()
			}
			return filled
		}
		if len(e.queued) == 0 && (e.sqPoll || e.ring.SQReady() == 0) {
			return filled
		}
	}
}

// send hands over what is queued and has room, and reports whether the kernel took it. The
// goroutine stays on the thread for that long which is said to owe the requests.
func (e *engine) send() (filled int, took bool) {
	if len(e.queued) != 0 {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
	}
	filled = e.fill()
	return filled, e.ring.SQReady() == 0 || !e.forbidden.is() && e.enter()
}

// fill puts requests into the ring's queue, as many as have room.
func (e *engine) fill() (filled int) {
	if len(e.queued) == 0 {
		return 0
	}
	thread, n := thisThread(), 0
	e.home.submits(thread)
	for ; n < len(e.queued); n++ {
		o := e.queued[n]
		if o.cancelled.Load() {
			o.finish(-int32(unix.ECANCELED), 0)
			continue
		}
		sqe := e.ring.GetSQE()
		if sqe == nil {
			break
		}
		o.use++
		o.flying, o.first = true, false
		if o.late != nil {
			o.late(o)
		}
		*sqe = o.sqe
		sqe.UserData = o.token()
		o.place, o.thread = e.owing.more(thread), thread
		e.files = o.forFile()
		e.brief.lasting = e.brief.lasting || !o.brief
		filled++
	}
	rest := copy(e.queued, e.queued[n:])
	clear(e.queued[rest:])
	e.queued = e.queued[:rest]
	e.flying += filled
	if e.sqPoll {
		e.counts.submitted += uint64(filled)
	}
	return filled
}

// enter submits, and reports whether the kernel took all that it looked at. If not, it
// has no memory or no room for completions: what it has not taken stays in the queue.
func (e *engine) enter() bool {
	e.counts.enters++
	n, err := e.submitFilled()
	if !e.sqPoll { // where n has again what the kernel's thread has not taken yet
		e.counts.submitted += uint64(n)
	}
	if e.sqPoll && len(e.queued) != 0 {
		if e.ring.CQHasOverflow() { // before Linux 5.19 the kernel's thread waits for that to end
			return false
		}
		err = e.ring.SQRingWait()
	}
	e.refused(err)
	return err == nil
}
