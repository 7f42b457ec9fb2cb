//go:build linux

package ringio

import (
	"time"

	"github.com/go-liburing/liburing"
)

// A read that found less than it had room for has found all there was, as a rule. But the
// kernel also stops before a byte that is urgent, and of what is behind that nobody is told
// again. A poll can't tell of that one: to POLLPRI the kernel says yes for plain bytes, too. Nor
// can a read that finds nothing: behind an urgent byte the kernel also says so because a request
// of the ring has left the thread something to do, which counts as a signal. So who has waited for
// a while is looked after, once.

// recheckPause is for how long, up to twice that.
const recheckPause = time.Second

// recheckTime is what the kernel has of recheckPause. A timer of Go's would have the scheduler
// look at the clock at each switch of goroutines.
type recheckTime liburing.Timespec

// recheckLater has those looked after that wait.
func (e *engine) recheckLater() {
	if e.rechecks.Load() || e.rechecks.Swap(true) {
		return
	}
	o, after := e.acquire(), recheckTime(liburing.NewTimespec(recheckPause))
	o.entry().PrepTimeout((*liburing.Timespec)(&after), 0, 0)
	o.keep, o.told = &after, toldRecheck
	if e.stage(o) != nil { // Shutdown, which looks for those who wait, may have done so
		e.release(o)
		e.recheck()
		return
	}
	e.kickAside()
}

// toldRecheck is told that the time has passed, or that Shutdown does not wait for that. The ring
// is locked.
func toldRecheck(o *op, _ int32, _ liburing.CQEFlags, _ bool) {
	e := o.engine
	e.release(o)
	go e.recheck()
}

func (e *engine) recheck() {
	e.rechecks.Store(false)
	again := false
	for _, p := range e.table.pieces() {
		again = e.recheckPiece(p) || again
	}
	if again {
		e.recheckLater()
	}
}

// recheckPiece is recheck of some: there may be thousands, and the ring has other things to do.
func (e *engine) recheckPiece(p *piece) (again bool) {
	e.mu.Lock()
	defer e.unlock()
	for i := range p.ops {
		if o := &p.ops[i]; o.flying {
			if r, ok := o.keep.(*readPoll); ok {
				again = r.recheck() || again
			}
		}
	}
	return again
}

// recheck looks whether a reader who has waited since the last time has something to read, and
// reports whether it has to be called again.
func (r *readPoll) recheck() (again bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case !r.waits || r.trust == proven:
		return false
	case r.trust == believed && !r.engine.closed(): // else this is the last time
		r.trust = doubted
		return true
	}
	r.trust = proven
	if readableNow(int(r.fd)) { // the next short reads are not believed
		r.unsure.Store(true)
		r.wakeReader(hasNews)
	}
	return false
}

// trust is how sure it is that there is nothing to read but what a poll tells.
type trust uint8

const (
	proven   trust = iota // a poll has said so
	believed              // a read was short, or has found nothing
	doubted               // and that is a while ago
)
