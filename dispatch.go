package liburing

import "sync/atomic"

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
		e := l.table.find(token.place(), token.gen())
		if e == nil || e.v.kind == kindExtra || e.v.group != 0 || l.detailed || cqe.Flags&CQEFMore != 0 {
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
	if l.detailed {
		c.detail = l.detailOf(i, token)
	}
	cb, group, truncated := h.cb, h.group, h.truncated
	if cqe.Flags&CQEFMore == 0 {
		l.table.drop(token)
		l.inFlight--
	}
	if group != 0 {
		l.groups[group-1].deliver(c, cb, truncated)
		return
	}
	cb(c)
}

// dispatchForeign sees to a completion that belongs to no request: a message of
// another ring, a tag, or liburing's own timeout.
func (l *Loop) dispatchForeign(i int) {
	cqe := &l.batch[i]
	l.stats.Completed--
	switch {
	case l.ring.mem.ownTimeout(cqe):
	case cqe.UserData&tokenBit == 0 && l.message != nil:
		c := Completion{Res: cqe.Res, Flags: cqe.Flags, op: OpMsgRing}
		if l.bigs != nil {
			l.big = detail{big: l.bigs[i]}
			c.detail = &l.big
		}
		l.message(cqe.UserData, c)
	default:
		l.stats.Stale++
	}
}

// detailOf returns what there is to know of a completion beyond its 16 bytes, nil
// if there is nothing. What is only for the callback is not allocated.
func (l *Loop) detailOf(i int, token Token) *detail {
	d := detail{err: l.reasons[token], ctx: l.watches[token].err()}
	if h := l.table.handle(token); h.group != 0 {
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
