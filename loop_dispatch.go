package liburing

import (
	"fmt"
	"sync/atomic"
	"syscall"
)

// reap copies completions off the ring, so that callbacks may do what they like
// with it.
func (l *Loop) reap() {
	m := l.ring.mem
	head, tail := *m.cq.khead, atomic.LoadUint32(m.cq.ktail)
	n := min(int(tail-head), l.portion(tail-head))
	if l.bigs != nil {
		n, head = l.reapBig(head, tail)
	} else {
		// All entries have one size, so there are no fillers among them.
		batch := l.batch[:n]
		for i := range batch {
			batch[i] = *m.cqe(head)
			head++
		}
	}
	m.storeCQHead(head)
	l.next, l.have = 0, n
	if n > 0 {
		l.stats.Batches++
	}
	l.stats.Completed += uint64(n)
}

// reapBig is reap for a ring that can have big completions. It returns how many
// it copied and where the next one is.
func (l *Loop) reapBig(head, tail uint32) (n int, next uint32) {
	m := l.ring.mem
	most := l.portion(tail - head)
	for int32(tail-head) > 0 && n < most {
		cqe := m.cqe(head)
		head += m.placesOf(cqe)
		if m.ignored(cqe) {
			continue
		}
		l.batch[n] = *cqe
		l.bigs[n] = m.bigCQE(cqe)
		n++
	}
	return n, head
}

// bigCQE returns the second half of a completion, zeros if it has none.
func (m *ringMem) bigCQE(cqe *CQE) [2]uint64 {
	if m.flags&SetupCQE32 != 0 || m.placesOf(cqe) == 2 {
		return cqe.BigCQE()
	}
	return [2]uint64{}
}

// dispatch calls the callbacks of the batch, and then of the completions that
// the loop has made itself. Should one panic, or stop the loop, the next turn goes on
// behind it.
func (l *Loop) dispatch() {
	l.dispatchBatch()
	for len(l.made) > 0 && l.next == l.have {
		n := copy(l.batch[:], l.made)
		l.made = append(l.made[:0], l.made[n:]...)
		clear(l.bigs)
		l.next, l.have = 0, n
		l.stats.Completed += uint64(n)
		l.dispatchBatch()
	}
}

// dispatchBatch is short for what most completions are: the last of a request of
// which there is no more to know. The flag is in a cache line that each turn reads.
func (l *Loop) dispatchBatch() {
	for l.next < l.have && !l.mail.stopping.Load() {
		cqe := &l.batch[l.next]
		token := Token(cqe.UserData)
		e := l.table.find(token.place(), token.gen())
		if e == nil || e.v.special || cqe.Flags&CQEFMore != 0 || l.allSpecial || cqe.Res < 0 {
			l.dispatchSpecial(token)
			continue
		}
		l.next++
		c := Completion{Res: cqe.Res, Flags: cqe.Flags, op: e.v.op}
		cb := e.v.cb
		l.table.release(token.place(), e)
		l.inFlight--
		cb(c)
	}
}

// dispatchSpecial calls the callback of any completion.
func (l *Loop) dispatchSpecial(token Token) {
	i := l.next
	l.next++
	cqe := &l.batch[i]
	h := l.table.handle(token)
	if h == nil {
		l.dispatchForeign(i)
		return
	}
	c := Completion{Res: cqe.Res, Flags: cqe.Flags, op: h.op}
	a := l.table.aside(token)
	var big [2]uint64
	if l.bigs != nil {
		big = l.bigs[i]
	}
	// A group that is used up bit by bit has to hear of its buffers in their order.
	if a != nil && !l.usedBitByBit(h) && a.deadline.holds(c, big) {
		return
	}
	c.detail = l.detailOf(h, a, big)
	if c.Res < 0 {
		l.name(h, a, &c)
		l.remember(token, h, &c)
	}
	if l.observer != nil {
		l.completeObserved(token, h, a, c)
		return
	}
	l.complete(token, h, a, c)
}

// complete calls the callback of a completion, and frees the request's place if it
// was the last.
func (l *Loop) complete(token Token, h *handle, a *aside, c Completion) {
	cb, group, truncated := h.cb, h.group, h.marks&markTruncated != 0
	if h.op == OpTimeout && h.kind != kindInner {
		l.fired++
	}
	if c.detail != nil && c.detail.end != nil && c.Res >= 0 {
		l.undo(&c, h, a.made)
	}
	if !c.More() {
		quiet := a != nil && a.chain.tokens != nil && l.settleChain(a.chain, c.Err() != nil)
		l.table.drop(token)
		l.inFlight--
		if quiet {
			return
		}
	}
	if group != 0 {
		l.groups[group-1].deliver(c, cb, truncated)
		return
	}
	cb(c)
}

// dispatchForeign sees to a completion that belongs to no request: a message of
// another ring, a tag, or one of the library's own.
func (l *Loop) dispatchForeign(i int) {
	cqe := &l.batch[i]
	l.stats.Completed--
	switch {
	case l.ring.mem.own(cqe), cqe.UserData == uint64(sweepToken):
	case cqe.UserData&tokenBit == 0 && l.message != nil:
		c := Completion{Res: cqe.Res, Flags: cqe.Flags, op: OpMsgRing}
		if l.bigs != nil {
			l.big = detail{big: l.bigs[i]}
			c.detail = &l.big
		}
		l.message(cqe.UserData, c)
	case cqe.Flags&CQEFNotif != 0: // of a zero-copy send that was cancelled before it began
	default:
		l.stats.Stale++
	}
}

// detailOf returns what there is to know of a completion beyond its 16 bytes, nil
// if there is nothing. What is only for the callback is not allocated.
func (l *Loop) detailOf(h *handle, a *aside, big [2]uint64) *detail {
	d := detail{big: big}
	if a != nil {
		d.refusal, d.end = a.refusal, a.end()
	}
	if h.group != 0 {
		d.group = l.groups[h.group-1]
	}
	switch {
	case d.refusal != nil || d.end != nil: // Err may be called later
		told := d
		return &told
	case l.bigs != nil:
		l.big = d
		return &l.big
	}
	return nil
}

// Callback is called with each completion of a request, on the loop's goroutine and
// with no lock held: it may queue, cancel, stop and close. The loop does nothing else
// until it returns.
type Callback func(c Completion)

// Completion is what a callback is told about its request.
type Completion struct {
	Res    int32    // the result, or an errno below zero
	Flags  CQEFlags // what else there is to know
	op     Op
	detail *detail
}

// detail is what few completions have.
type detail struct {
	refusal error     // why the request is bad, where the library knows
	unbegun bool      // the kernel was never told of it
	end     error     // the request's context has ended, or its deadline passed
	big     [2]uint64 // the second half of a big completion
	group   *BufGroup // where its buffers come from
	failure *failure  // why it has failed, as far as that can be known
	named   *named    // what it was made for, if it has failed
}

// Op returns the request's operation.
func (c Completion) Op() Op { return c.op }

// More reports whether the request is still in flight and this callback will be
// called again: a multishot request, or a zero-copy send whose memory the
// kernel still uses.
func (c Completion) More() bool { return c.Flags&CQEFMore != 0 }

// Err returns the request's error as an *OpError that unwraps to a syscall.Errno, nil
// if it succeeded. Its Hint says why, where that can be known: ask in the callback,
// while the descriptor is still the same. If the request's context (WithContext) ended
// before the request did, the error is also the context's, and if its Deadline passed,
// os.ErrDeadlineExceeded; even if the request has succeeded meanwhile, or in part: Res
// tells. A request that makes a descriptor never has both a success and an error: see
// WithContext. For a driver's command (URingCmd) only a result below zero is an error
// here; one above may be the driver's way to report a failure.
func (c Completion) Err() error {
	err := (&CQE{Res: c.Res, Flags: c.Flags}).Err()
	of := new(named)
	if d := c.detail; d != nil {
		switch {
		case d.refusal != nil:
			return d.refusal
		case d.end != nil && err != nil:
			err = fmt.Errorf("%w: %w", d.end, err)
		case d.end != nil:
			err = d.end
		}
		if d.named != nil {
			of = d.named
		}
	}
	if err == nil {
		return nil
	}
	return &OpError{Op: c.op.String(), Path: of.path, NewPath: of.newPath, Addr: of.addr, Err: err, Hint: c.hint()}
}

// Unbegun reports whether the kernel has certainly not begun the request: what was to
// be closed is still open, what was to be sent was not.
func (c Completion) Unbegun() bool {
	if c.detail != nil && c.detail.refusal != nil {
		return c.detail.unbegun
	}
	return c.Res == -int32(syscall.ECANCELED) || c.refusedByRing()
}

// Result returns the result as the system call that the operation is named after would:
// a number of bytes, a descriptor, or 0, and an error. Both bytes and an error mean a
// transfer that succeeded after its context's end. For a driver's command (URingCmd)
// the meaning is the driver's: as a rule not a number of bytes, but a status.
func (c Completion) Result() (int, error) {
	return int(max(c.Res, 0)), c.Err()
}

// BufferID returns the number of the provided buffer that the kernel chose, and
// whether it chose one.
func (c Completion) BufferID() (uint16, bool) { return c.Flags.bufferID() }

// BigCQE returns the second half of the completion on a ring with big ones (SetupCQE32,
// SetupCQEMixed), zeros otherwise: for an NVMe command the drive's own result, in the
// first word. Call it only in the callback.
func (c Completion) BigCQE() [2]uint64 {
	if c.detail == nil {
		return [2]uint64{}
	}
	return c.detail.big
}
