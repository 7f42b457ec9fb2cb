//go:build linux

package ringio

import (
	"github.com/go-liburing/liburing"
	"golang.org/x/sys/unix"
)

// Completions are told to who waits for them.

// mostAtOnce is how many completions the pump tells until it lets those run whom it has
// woken: they find in the processor's caches what it has just touched, and what they stage
// is still enough to go to the kernel together.
const mostAtOnce = 64

// reaped is what reap takes at a time.
type reaped struct {
	cqes  [mostAtOnce]*liburing.CQE
	polls [mostAtOnce]*readPoll // of which some are
}

// reap tells the completions that are there, so many at most.
func (e *engine) reap(most int) (n int) {
	for {
		for n < most && e.ring.CQReady() != 0 {
			some := e.ring.PeekBatchCQE(e.reaped.cqes[:min(most-n, mostAtOnce)])
			if some == mostAtOnce && e.flying >= coldCrowd {
				e.reaped.fetch(e)
			}
			for _, cqe := range e.reaped.cqes[:some] {
				e.complete(cqe)
			}
			e.ring.CQAdvance(some)
			n += some
		}
		if n == most || e.ring.SQFlags()&(liburing.SQCQOverflow|liburing.SQTaskrun) == 0 {
			break
		}
		if e.ring.CQHasOverflow() {
			e.counts.overflows++
		}
		if e.ring.GetEvents() != nil || e.ring.CQReady() == 0 {
			break
		}
	}
	e.counts.completed += uint64(n)
	return n
}

// complete tells one completion.
func (e *engine) complete(cqe *liburing.CQE) {
	o := e.table.find(cqe.UserData)
	if o == nil {
		e.counts.stale++
		return
	}
	res, flags := cqe.Res, cqe.Flags
	if res <= -512 && cqe.Err() != nil { // the kernel's own words for a signal
		res = -int32(unix.EINTR)
	}
	if flags&liburing.CQEFMore == 0 {
		e.flying--
		e.owing.less(o.place)
		if e.lost(o, cqe) {
			return
		}
	}
	if res == -int32(unix.EINTR) && o.cancelled.Load() {
		res = -int32(unix.ECANCELED) // the kernel's word for a cancel that ends what a worker of its waits in
	}
	o.finish(res, flags)
}

// mostRemade is how often a request is made anew which takes a worker. The kernel cancels
// such a one, after some 30 ms, also where none can be had because the limit of tasks is
// reached. The caller then makes a plain system call.
const mostRemade = 1

// errNoThread is what the kernel says of a read that waited for the page cache, and whose thread
// had ended when it was to go on. The caller's memory may be at fault just as well: that is seen
// by a plain system call.
const errNoThread = unix.EFAULT

// takesWorker reports whether the kernel may have one of its threads carry the request out.
func (o *op) takesWorker() bool {
	switch o.sqe.Opcode {
	case liburing.OpRecv, liburing.OpSend, liburing.OpRecvmsg, liburing.OpSendmsg, liburing.OpPollAdd:
		return false // these wait in the kernel without one
	}
	return true
}

// lost makes a request anew that nobody has cancelled and that has come to nothing
// because its thread has ended, and reports whether it did.
func (e *engine) lost(o *op, cqe *liburing.CQE) bool {
	if cqe.Res >= 0 || cqe.Flags&liburing.CQEFNotif != 0 || o.first || o.cancelled.Load() {
		return false
	}
	err := cqe.Err()
	if err != unix.ECANCELED && err != unix.EINTR && (err != errNoThread || !o.forFile()) {
		return false
	}
	if o.remade++; o.remade > mostRemade && o.takesWorker() {
		return false
	}
	o.flying = false
	e.counts.remade++
	e.put(o, true)
	return true
}
