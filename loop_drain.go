package liburing

// A request with SQEIODrain begins when all before it have completed, and what
// comes behind it waits for it. The loop's own requests are no exception, so from
// the first such request on it does without: it waits for posts outside of the
// ring, and cancels by a register call.
//
// It stays so. Since Linux 6.16 the kernel lets go what it has held back, but holds
// what comes after that until all of it has completed, and so on until a request
// comes when the kernel has nothing else in hand. A loop can't know when that was:
// completions are told before the kernel is done with their requests.

// drain notes that a request drains the ring. The read of the waker would be one
// of those it waits for, so it is ended.
func (l *Loop) drain() {
	if !l.drains && !l.holding {
		l.setApart()
	}
	if l.ring.mem.flags&SetupSQPoll != 0 {
		l.recall()
		l.holding = true
		l.space = 0
		return
	}
	l.drains = true
	if l.armed {
		l.mail.wake.signal()
	}
}

// setApart has the loop's own requests that the kernel has not been told of wait apart,
// from where they go in front of all: some may be behind the one that drains, which
// waits for what they are to end.
func (l *Loop) setApart() {
	own := false
	for e := range l.entriesBackwards {
		own = own || l.isInner(e)
	}
	if !own {
		return
	}
	l.recall()
	l.epoch++
	for range l.backlog.len() {
		to := &l.backlog
		if l.isInner(l.backlog.at(0)) {
			to = &l.apart
		}
		copySQE(to.push(), l.backlog.at(0), to.step)
		l.backlog.pop()
	}
	l.space = 0
}

// With SQPOLL the register call does not find what a worker is blocked in: that is
// the worker of the kernel's submitting thread, and the call looks at the caller's. So
// there the loop drains itself: requests stay in the backlog until all before them
// have completed, and the kernel has no drain of which a cancel could be behind.

// heldBack reports whether the n requests of the backlog that go next have to wait:
// for all before them if one of them drains the ring, or for one that does.
func (l *Loop) heldBack(n int) bool {
	if !l.holding || l.isInner(l.backlog.at(0)) {
		return false
	}
	drains := false
	for i := range n {
		drains = drains || l.backlog.at(i).Flags&SQEIODrain != 0
	}
	l.stuck = (drains || l.behind) && l.outstanding() > 0
	if l.stuck {
		return true
	}
	l.behind = drains
	for i := range n {
		l.backlog.at(i).Flags &^= SQEIODrain
	}
	return false
}

// isInner reports whether an entry is for a request of the loop's own, which waits for
// nothing and which nothing waits for.
func (l *Loop) isInner(e *SQE) bool {
	h := l.table.handle(Token(e.UserData))
	return h != nil && h.kind == kindInner
}

// outstanding returns how many of the program's requests have been taken out of the
// backlog and have not completed, when those of the loop's own, which are in front, are
// out of it.
func (l *Loop) outstanding() int { return l.inFlight - l.inner - l.backlog.len() }

// letGo ends the holding back when there is nothing more to be held back for.
func (l *Loop) letGo() {
	if l.backlog.len() == 0 && (!l.behind || l.outstanding() == 0) {
		l.holding, l.behind = false, false
	}
}
