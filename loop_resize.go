package liburing

import (
	"sync/atomic"
)

// A ring that changes under its loop.

// Resize gives the loop queues of other sizes: sq requests per submission, two at
// least (four with SetupSQEMixed), and room for cq completions, no fewer; 0 leaves a
// size as it is. Call it where requests are made, or while the loop runs from any
// goroutine, and under load: what is queued or in flight stays, and a chain that is
// being made goes on. EOVERFLOW if what the kernel holds does not fit; then nothing has
// changed. A chain that is longer than the new queue fails. The ring must have
// SetupDeferTaskrun, which NewLoop sets where it can. See Ring.ResizeRings. Needs Linux
// 6.13.
func (l *Loop) Resize(sq, cq int) error {
	if sq < 0 || sq > MaxEntries || cq < 0 || cq > 2*MaxEntries {
		return badInput("io_uring_resize_rings", "the sizes (%d and %d) must be up to %d and %d", sq, cq, MaxEntries, 2*MaxEntries)
	}
	p := &Params{SQEntries: uint32(sq), CQEntries: uint32(cq)}
	if cq != 0 {
		p.Flags = SetupCQSize
	}
	return l.Control(func(r *Ring) error {
		if sq != 0 {
			p.SQEntries = uint32(max(sq, leastEntries(r.Flags())))
		}
		return r.ResizeRings(p)
	})
}

// replaceQueues calls f, which gives the ring other queues: what the kernel has not been
// told of is taken out of them first, and waits for the next turn.
func (l *Loop) replaceQueues(f func() error) error {
	m := l.ring.mem
	l.recall()
	entries := m.sq.sqes
	err := f()
	if m.sq.sqes != entries {
		l.epoch++
	}
	l.cqTail = atomic.LoadUint32(m.cq.ktail)
	l.measure()
	return err
}

// recall takes the requests that the kernel has not been told of out of the queue.
func (l *Loop) recall() {
	if m := l.ring.mem; m.sq.sqeTail != m.sq.sqeHead {
		l.backlog.takeBack(m, m.sq.sqeHead)
		l.epoch++
	}
}
