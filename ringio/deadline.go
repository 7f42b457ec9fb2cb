//go:build linux

package ringio

import (
	"sync"
	"sync/atomic"
	"time"
	"weak"
)

// deadline is a point in time that ends the op which waits under it. It can be set
// anew by any goroutine at any time, as a connection's can. One waiter at a time has it.
type deadline struct {
	over    atomic.Uint32 // isPast, isClosed; first because each read and write looks there, see socket
	armed   bool          // timer runs
	mu      sync.Mutex
	timer   *time.Timer // kept for the next time
	waiting waiter
}

const (
	isPast uint32 = 1 << iota
	isClosed
)

// waiter is what a deadline ends: an op, or a wait without one.
type waiter interface{ expire() }

// expire cancels the op.
func (o *op) expire() { o.engine.cancel(o) }

// set has the deadline be at t, never if that is zero. A closed one stays as it is.
func (d *deadline) set(t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	over := d.over.Load()
	if over&isClosed != 0 {
		return
	}
	d.unset()
	if over&isPast != 0 {
		d.over.And(^isPast)
	}
	if t.IsZero() {
		return
	}
	left := time.Until(t)
	if left <= 0 {
		d.expire()
		return
	}
	d.armed = true
	if d.timer == nil {
		d.timer = d.newTimer(left)
	} else {
		d.timer.Reset(left)
	}
}

// newTimer starts a timer. It does not keep what the deadline is part of: a connection that
// is forgotten is closed, however far off its deadline is.
func (d *deadline) newTimer(left time.Duration) (timer *time.Timer) {
	weakly := weak.Make(d)
	timer = time.AfterFunc(left, func() {
		d := weakly.Value()
		if d == nil {
			return
		}
		d.mu.Lock()
		defer d.mu.Unlock()
		if d.timer == timer { // else it is void
			d.armed = false
			d.expire()
		}
	})
	return timer
}

// unset has a timer that was set be void. One that can't be stopped any more is given up: its
// function is about to run.
func (d *deadline) unset() {
	if d.armed && !d.timer.Stop() {
		d.timer = nil
	}
	d.armed = false
}

func (d *deadline) expire() {
	d.over.Or(isPast)
	d.cancelWaiting()
}

func (d *deadline) cancelWaiting() {
	if d.waiting != nil {
		d.waiting.expire()
	}
}

// close ends what waits, now and later.
func (d *deadline) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.over.Or(isClosed)
	d.unset()
	d.cancelWaiting()
}

// passed reports whether the deadline is over, which close does not make it.
func (d *deadline) passed() bool {
	return d.over.Load()&isPast != 0
}

// attach has the deadline end w, at once if it is over or closed.
func (d *deadline) attach(w waiter) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.waiting = w
	if d.over.Load() != 0 {
		d.cancelWaiting()
	}
}

func (d *deadline) detach() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.waiting = nil
}
