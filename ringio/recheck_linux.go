//go:build linux

package ringio

import "time"

// A read that found less than it had room for has found all there was, as a rule. But the
// kernel also stops before a byte that is urgent, and of what is behind that nobody is told
// again. A poll can't tell of that one: to POLLPRI the kernel says yes for plain bytes, too. So
// who has waited behind a short read for a while is looked after, once.

// recheckPause is for how long, up to twice that.
const recheckPause = time.Second

// recheckLater has those looked after that wait behind a short read.
func (e *engine) recheckLater() {
	if !e.rechecks.Load() && !e.rechecks.Swap(true) {
		time.AfterFunc(recheckPause, e.recheck)
	}
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
	case r.trust == believed:
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
	proven   trust = iota // the kernel has said so
	believed              // a read was short
	doubted               // and that is a while ago
)
