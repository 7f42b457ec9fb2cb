package liburing

import (
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

// queue takes a place in the handle table and an entry of the submission queue,
// or of the backlog, for a request. The caller prepares the entry; mem is what
// must stay alive until the terminal completion.
//
// Every request goes through here: it is one function so that it costs one call.
func (l *Loop) queue(op Op, kind handleKind, cb Callback, mem unsafe.Pointer) (*SQE, Request) {
	if l.closing.Load() && kind != kindInner || checkThread && l.calledFromElsewhere() {
		return l.refuse()
	}
	if cb == nil {
		cb = ignore
	}
	index, h := l.table.take()
	token := newToken(index, h.gen)
	h.cb = cb
	h.mem = mem
	h.op = op
	h.kind = kind
	l.inFlight++
	var sqe *SQE
	if l.space > 0 {
		l.space--
		m := l.ring.mem
		sqe = m.sqe(m.sq.sqeTail)
		m.sq.sqeTail++
	} else {
		// Once one had to wait in the backlog, the next ones do too: their
		// order is kept.
		sqe = l.backlog.push()
	}
	*sqe = SQE{UserData: uint64(token)}
	return sqe, Request{loop: l, sqe: sqe, token: token}
}

// refuses reports whether the loop takes no request: it is closed, or in a debug
// build, the caller is on the wrong goroutine.
func (l *Loop) refuses() bool { return l.closing.Load() || checkThread && l.calledFromElsewhere() }

// calledFromElsewhere reports whether the loop runs and its caller is not on its
// thread. Only debug builds ask, so say checkThread before.
func (l *Loop) calledFromElsewhere() bool { return l.mail.inRun() && threadID() != l.thread.Load() }

// checkCaller panics in a debug build if its caller is on the wrong goroutine: for
// what returns no error.
func (l *Loop) checkCaller() {
	if checkThread && l.calledFromElsewhere() {
		panic(ErrWrongThread)
	}
}

// refuse is queue for a request that is not taken.
//
//go:noinline
func (l *Loop) refuse() (*SQE, Request) { return new(SQE), l.refusal() }

// refusal returns the request that was not taken.
func (l *Loop) refusal() Request {
	if checkThread && l.calledFromElsewhere() {
		return Request{}
	}
	return Request{loop: l}
}

// lastEntry returns the entry of the request that was queued last, nil if the
// kernel has all.
func (l *Loop) lastEntry() *SQE {
	if waiting := l.backlog.waiting(); len(waiting) > 0 {
		return &waiting[len(waiting)-1].SQE
	}
	m := l.ring.mem
	if m.sq.sqeTail == m.sq.sqeHead {
		return nil
	}
	return m.sqe(m.sq.sqeTail - 1)
}

// queueInner is queue for the loop's own requests, which are counted apart.
func (l *Loop) queueInner(op Op, done Callback, mem unsafe.Pointer) *SQE {
	return l.queueUncounted(op, func(c Completion) {
		l.uncount()
		done(c)
	}, mem)
}

// queueUncounted queues a request of the loop's own, whose callback is to call
// uncount.
func (l *Loop) queueUncounted(op Op, cb Callback, mem unsafe.Pointer) *SQE {
	l.inner++
	if last := l.lastEntry(); last != nil && last.linked() {
		// A chain is being made, of which this is no part: it waits apart.
		l.backlog, l.apart = l.apart, l.backlog
		space := l.space
		l.space = 0
		defer func() {
			l.backlog, l.apart = l.apart, l.backlog
			l.space = space
		}()
	}
	sqe, _ := l.queue(op, kindInner, cb, mem)
	return sqe
}

// uncount takes the completion of a request of the loop's own out of the counts.
func (l *Loop) uncount() {
	l.inner--
	l.stats.Completed--
}

// endChain ends a chain that was left without an end, as the kernel does where
// a submission ends, and queues what had to wait for that.
func (l *Loop) endChain() {
	if last := l.lastEntry(); last != nil {
		last.Flags &^= SQEIOLink | SQEIOHardlink
	}
	if waiting := l.apart.waiting(); len(waiting) > 0 {
		l.backlog.queue = append(l.backlog.queue, waiting...)
		l.apart.queue, l.apart.first = l.apart.queue[:0], 0
		l.space = 0
	}
}

// fill moves what waits into the submission queue. A chain for which the queue
// is too short can't go there as a whole: its requests fail.
func (l *Loop) fill() {
	for {
		tooLong := l.backlog.fill(l.ring.mem)
		if tooLong == nil {
			return
		}
		for _, e := range tooLong {
			e.Flags = 0
			delete(l.chains, Token(e.UserData))
			l.spoil(&e.SQE, badInput(e.Opcode.String(), "its chain has %d requests, the loop's queue %d entries: use a loop with more",
				len(tooLong), l.ring.mem.sq.ringEntries))
		}
	}
}

func ignore(Completion) {}

// queueBad queues a request whose arguments the library refuses: a chain it
// stands in breaks there, and its callback is called in its turn.
func (l *Loop) queueBad(op Op, cb Callback, why error) Request {
	_, r := l.queue(op, kindPlain, cb, nil)
	if r.token != 0 {
		l.spoil(r.sqe, why)
	}
	return r
}

const opBad Op = 0xff

// receive submits what is queued and takes a batch of completions off the ring. It
// waits if there is none, no longer than wait, without a limit if wait is negative;
// a signal or a post may come first.
//
// From Run to the system call there are few calls: processors that guard against
// speculation mispredict the return of each one that is open across it.
func (l *Loop) receive(wait time.Duration) error {
	if l.next != l.have || len(l.made) != 0 {
		return nil // a callback has panicked
	}
	m := l.ring.mem
	// The kernel is not asked again before what it told is dealt with, or the queue
	// is full: a system call should take many requests along.
	if l.space > 0 && int32(l.told-*m.cq.khead) > 0 {
		l.reap()
		return nil
	}
	ready := l.prepare()
	pending := m.unsubmitted()
	done := ready && pending == 0 && !m.needsFlush()
	var err error
	if l.rawEnter && !l.mayBlock && !done && (ready || pending != 0) {
		// Often what is submitted completes right away, and nothing is left to
		// wait for.
		l.stats.Enters++
		m.publish()
		err = l.enterError(m.rawEnter(pending, m.enterFlags()|EnterGetEvents))
		done = err != nil || ready || m.cqReady() != 0
	}
	if !done {
		err = l.enterBlocking(ready, wait)
	}
	l.measure()
	if err != nil {
		return err
	}
	l.told = atomic.LoadUint32(m.cq.ktail)
	l.reap()
	return nil
}

// prepare has the submission queue hold what is to be submitted, whole chains. It
// reports whether there is no time to wait: there are completions, or more requests
// to be made.
func (l *Loop) prepare() (ready bool) {
	l.endChain()
	if len(l.hungry) != 0 {
		ready = l.feed()
		l.endChain()
	}
	if len(l.backlog.waiting()) != 0 {
		l.fill()
	}
	m := l.ring.mem
	if m.overflowed() {
		l.stats.Overflows++
	}
	return ready || m.cqReady() != 0 || len(l.backlog.waiting()) != 0
}

// enterBlocking submits and waits through liburing.
func (l *Loop) enterBlocking(ready bool, wait time.Duration) error {
	m := l.ring.mem
	l.mayBlock = len(l.backlog.waiting()) != 0 // they may be of that kind
	l.stats.Enters++
	defer l.yield.look()
	if ready || wait == 0 {
		return l.enterError(cSubmitAndWait(m, 0))
	}
	if wait > 0 {
		return l.enterError(cSubmitAndWaitTimeout(m, 1, wait))
	}
	switch {
	case m.flags&SetupIOPoll != 0 && l.inFlight > l.inner:
		return l.enterError(cSubmitAndWait(m, 1)) // it polls, which a post can't end
	case m.flags&SetupIOPoll != 0:
		return l.waitForWaker()
	case l.drains:
		return l.waitDraining()
	}
	l.armWaker()
	l.mail.sleeping.Store(true)
	defer l.mail.sleeping.Store(false)
	if l.mail.attention.Load() || len(l.backlog.waiting()) != 0 {
		return l.enterError(cSubmit(m))
	}
	return l.enterError(cSubmitAndWait(m, 1))
}

// enterError returns the error of an enter that the loop cannot go on after.
func (l *Loop) enterError(ret int32) error {
	if ret >= 0 {
		return nil
	}
	switch syscall.Errno(-ret) {
	case syscall.EINTR, syscall.ETIME:
		return nil
	case syscall.EBUSY, syscall.EAGAIN:
		// Completions must be taken first, or the kernel is short of memory:
		// the requests stay in the queue for the next turn.
		return nil
	}
	return opError("io_uring_enter", ret)
}

// waitForWaker submits, and waits for a post outside of the ring if there is no
// completion.
func (l *Loop) waitForWaker() error {
	m := l.ring.mem
	l.mail.sleeping.Store(true)
	defer l.mail.sleeping.Store(false)
	if err := l.enterError(cSubmit(m)); err != nil {
		return err
	}
	cGetEvents(m)
	if m.cqReady() != 0 || l.mail.attention.Load() {
		return nil
	}
	l.mail.wake.wait()
	return l.enterError(cGetEvents(m))
}

// armWaker has a read of the waker in flight, which a post completes.
func (l *Loop) armWaker() {
	if l.armed {
		return
	}
	l.armed = true
	sqe := l.queueUncounted(OpRead, l.woken, nil)
	sqe.PrepRead(l.mail.wake.fd, l.mail.wake.buf[:], 0)
	l.fill()
}

// measure finds out how many requests the kernel has taken, and how many entries
// of the submission queue are free: none as long as requests wait in the backlog.
func (l *Loop) measure() {
	m := l.ring.mem
	head := m.loadSQHead()
	l.stats.Submitted += uint64(head - l.taken)
	l.taken = head
	l.space = 0
	if len(l.backlog.waiting()) == 0 {
		l.space = m.sqSpaceLeft()
	}
}

// reap copies completions off the ring, so that callbacks may do what they like
// with it.
func (l *Loop) reap() {
	m := l.ring.mem
	head, tail := *m.cq.khead, atomic.LoadUint32(m.cq.ktail)
	n := int(min(tail-head, uint32(len(l.batch))))
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
	for head != tail && n < len(l.batch) {
		cqe := m.cqe(head)
		head += cqe.Nr()
		if cqe.Flags&CQEFSkip != 0 {
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
	if m.flags&SetupCQE32 != 0 || cqe.Flags&CQEF32 != 0 {
		return cqe.BigCQE()
	}
	return [2]uint64{}
}

// dispatch calls the callbacks of the batch, and then of the completions that
// the loop has made itself. Should one panic, the next turn goes on behind it.
func (l *Loop) dispatch() {
	l.dispatchBatch()
	for len(l.made) > 0 {
		n := copy(l.batch[:], l.made)
		l.made = append(l.made[:0], l.made[n:]...)
		clear(l.bigs)
		l.next, l.have = 0, n
		l.stats.Completed += uint64(n)
		l.dispatchBatch()
	}
}

// dispatchBatch is short for what most completions are: the last of a request of
// which there is no more to know.
func (l *Loop) dispatchBatch() {
	for l.next < l.have {
		cqe := &l.batch[l.next]
		token := Token(cqe.UserData)
		h := l.table.find(token)
		if h == nil || h.kind == kindExtra || h.group != 0 || l.detailed || cqe.Flags&CQEFMore != 0 {
			l.dispatchSpecial(token, h)
			continue
		}
		l.next++
		c := Completion{Res: cqe.Res, Flags: cqe.Flags, op: h.op}
		cb := h.cb
		l.table.vacate(token.index(), h)
		l.inFlight--
		cb(c)
	}
}

// dispatchSpecial calls the callback of any completion; h is nil if there is none.
func (l *Loop) dispatchSpecial(token Token, h *handle) {
	i := l.next
	l.next++
	cqe := &l.batch[i]
	if h == nil {
		l.stats.Completed--
		if !l.ring.mem.ownTimeout(cqe) {
			l.stats.Stale++
		}
		return
	}
	c := Completion{Res: cqe.Res, Flags: cqe.Flags, op: h.op}
	if l.detailed {
		c.detail = l.detail(i, token)
	}
	cb, group, truncated := h.cb, h.group, h.truncated
	if cqe.Flags&CQEFMore == 0 {
		l.table.release(token.index(), h)
		l.inFlight--
	}
	if group != 0 {
		l.groups[group-1].deliver(c, cb, truncated)
		return
	}
	cb(c)
}

// detail returns what there is to know of a completion beyond its 16 bytes, nil
// if there is nothing. What is only for the callback is not allocated.
func (l *Loop) detail(i int, token Token) *detail {
	d := detail{err: l.reasons[token], ctx: l.watches[token].err()}
	if h := l.table.find(token); h.group != 0 {
		d.group = l.groups[h.group-1]
	}
	if l.bigs != nil {
		d.big = l.bigs[i]
	}
	if l.batch[i].Flags&CQEFMore == 0 {
		l.settleChain(token)
		l.forget(token)
	}
	switch {
	case d.err != nil || d.ctx != nil: // Err may be called later
		told := d
		return &told
	case l.bigs != nil:
		l.big = d
		return &l.big
	}
	return nil
}

// forget drops what the loop knows of a request beside its handle.
func (l *Loop) forget(token Token) {
	l.watches[token].end()
	delete(l.watches, token)
	delete(l.reasons, token)
	delete(l.chains, token)
	l.detailed = l.bigs != nil || len(l.reasons)+len(l.watches)+len(l.chains) > 0
}
