package liburing

import (
	"slices"
	"syscall"
	"time"
)

// chain is a chain of links whose requests, but for the last, are to complete without a
// word if they succeed. The first of them do; the loop works out from those that speak
// what became of them. From the first on that the kernel would keep silent about if it
// fails (goesOn) all speak to the loop, which keeps successes to itself.
type chain struct {
	tokens []Token
	at     int // the place among them of the request that has this
	silent int // how many do not speak
}

// SkipSuccess makes the requests before this one in its chain call their callbacks only if
// they end it: fail, or read or write less than was asked for (IOSQE_CQE_SKIP_SUCCESS).
// That saves their completions, except for
// those from the first request on whose failure does not end the chain (see LinkNext).
// Call it on the last request of a chain made with LinkNext, before the next is queued.
// Some chains are left unchanged, because the remaining completions would not tell all:
// those with a HardLinkNext, a Deadline or another link timeout, with Buffers before
// the last request, with a request that completes more than once (a zero-copy send, a
// multishot) or a command (OpURingCmd: a drive's refusal is a result above 0), or with
// a request that drains the ring. A ring that has had silent requests can drain no
// more: the kernel then refuses SQEIODrain (EOPNOTSUPP). On kernels before 5.17 it does
// nothing.
func (r Request) SkipSuccess() Request {
	sqe := r.open()
	if sqe == nil {
		return r
	}
	l := r.loop
	if l.ring.mem.features&FeatCQESkip == 0 { // the kernel would refuse the chain
		return r
	}
	entries := l.lastChain()
	if len(entries) < 2 || entries[len(entries)-1] != sqe {
		return r
	}
	c := chain{silent: len(entries) - 1}
	for i, e := range entries {
		last := i == len(entries)-1
		if e.mustSpeak() || !last && e.Flags&SQEBufferSelect != 0 {
			return r
		}
		if e.Opcode.facts().goesOn {
			c.silent = min(c.silent, i)
		}
		c.tokens = append(c.tokens, Token(e.UserData))
	}
	for i, e := range entries {
		if i < c.silent {
			e.Flags |= SQECQESkipSuccess
		}
		c.at = i
		l.table.withAside(c.tokens[i]).chain = c
	}
	return r
}

// mustSpeak reports whether a request keeps the chain that it stands in from being
// quiet: the kernel would refuse the chain, or its silence would not tell all.
func (s *SQE) mustSpeak() bool {
	switch s.Opcode {
	case OpLinkTimeout, OpURingCmd, OpURingCmd128:
		return true
	}
	return s.Flags&(SQEIOHardlink|SQEIODrain) != 0 || s.repeats()
}

// repeats reports whether a request may complete more than once.
func (s *SQE) repeats() bool {
	switch s.Opcode {
	case OpSendZC, OpSendmsgZC, OpReadMultishot, OpRecvZC:
		return true
	case OpRecv, OpRecvmsg:
		return s.IOPrio&uint16(RecvMultishot) != 0
	case OpSend: // a bundle goes on behind its first completion
		return s.IOPrio&uint16(RecvSendBundle) != 0
	case OpAccept:
		return s.IOPrio&uint16(AcceptMultishot) != 0
	case OpPollAdd:
		return s.Len&uint32(PollAddMulti) != 0
	case OpTimeout:
		return s.OpFlags&uint32(TimeoutMultishot) != 0
	}
	return false
}

// lastChain returns the entries of the chain that the last request ends and that
// has not been submitted: they may lie in the submission queue, in the backlog,
// or in both.
func (l *Loop) lastChain() (entries []*SQE) {
	for sqe := range l.entriesBackwards {
		if len(entries) > 0 && !sqe.linked() {
			break
		}
		entries = append(entries, sqe)
	}
	slices.Reverse(entries)
	return entries
}

// settleChain is told of each request that has completed, and reports whether that is to
// be kept from its callback. If it is one of a quiet chain, the silent ones before it have
// succeeded. If it is a silent one it has failed, or done less than was asked for, and the
// kernel does not say that those behind it are cancelled.
func (l *Loop) settleChain(c chain, failed bool) (quiet bool) {
	// Where one is gone, so are all before it: an earlier completion has seen to them. To
	// look at them each time would make a chain cost the square of its length.
	for i := min(c.at, c.silent) - 1; i >= 0 && l.table.handle(c.tokens[i]) != nil; i-- {
		l.table.drop(c.tokens[i])
		l.inFlight--
	}
	if c.at < c.silent {
		for _, t := range c.tokens[c.at+1:] {
			if a := l.table.aside(t); a != nil {
				a.chain = chain{}
				l.made = append(l.made, CQE{UserData: uint64(t), Res: -int32(syscall.ECANCELED)})
			}
		}
	}
	return !failed && c.at >= c.silent && c.at < len(c.tokens)-1
}

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
		to.takeNext(&l.backlog)
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
	return h != nil && h.kind == kindInner || e.UserData == uint64(sweepToken)
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

// What a loop itself needs of its ring, and what it does where the ring refuses that:
// restrictions, filters, or SetupIOPoll, which knows no cancels.

// LoopNeeds returns what a restricted ring (RegisterRestrictions) has to allow, besides
// the program's own requests, for a loop to work best: add them to the list. BPF
// filters should allow the same operations.
//
// Without OpRead the loop waits for posts outside the ring, by an eventfd that it
// registers; if it can't do that either, it checks for posts at least every 16 ms.
// Without OpAsyncCancel contexts, Stop and Close cancel by RegisterSyncCancel; if that
// is refused too, contexts and Stop have no effect, and Close gives up on what does not
// end by itself, as described there. OpTimeout is for kernels before 5.11, whose waits
// have no limit.
//
// The list leaves out what this kernel does not know, because the kernel would refuse
// the whole list.
func LoopNeeds() []Restriction {
	list := []Restriction{
		{Opcode: RestrictionSQEOp, Value: uint8(OpRead)},
		{Opcode: RestrictionSQEOp, Value: uint8(OpTimeout)},
		{Opcode: RestrictionSQEOp, Value: uint8(OpLinkTimeout)},
		{Opcode: RestrictionSQEOp, Value: uint8(OpAsyncCancel)},
		{Opcode: RestrictionSQEFlagsAllowed, Value: uint8(SQEAsync | SQEIOLink)},
		{Opcode: RestrictionRegisterOp, Value: uint8(RegisterEnableRings)},
		{Opcode: RestrictionRegisterOp, Value: uint8(RegisterEventfd)},
		{Opcode: RestrictionRegisterOp, Value: uint8(UnregisterEventfd)},
		{Opcode: RestrictionRegisterOp, Value: uint8(UnregisterFiles)},
		{Opcode: RestrictionRegisterOp, Value: uint8(UnregisterBuffers)},
	}
	for _, newer := range []struct {
		op   RegisterOp
		with Op // came with the same kernel
	}{
		{UnregisterPbufRing, OpSocket}, // Linux 5.19
		{RegisterSyncCancel, OpSendZC}, // 6.0
	} {
		if p, err := GetProbe(); err == nil && p.OpcodeSupported(newer.with) {
			list = append(list, Restriction{Opcode: RestrictionRegisterOp, Value: uint8(newer.op)})
		}
	}
	return list
}

// lacks says which of its own requests the ring has refused to a loop.
type lacks struct {
	read   bool
	cancel bool
}

// refusedByRing reports whether a request of the loop's own was refused, which it
// will be each time.
func (c Completion) refusedByRing() bool {
	switch syscall.Errno(-c.Res) {
	case syscall.EACCES, syscall.EPERM, syscall.EINVAL, syscall.EOPNOTSUPP:
		return true
	}
	return false
}

// waitOutside waits without a read of the waker, which the kernel tells of
// completions too meanwhile, no longer than limit unless that is negative.
func (l *Loop) waitOutside(limit time.Duration) error {
	m := l.ring.mem
	// Kernels that can't register a ring (before 5.18) wait for all requests before
	// they change an eventfd.
	if l.armed || m.enterFlags()&EnterRegisteredRing == 0 || !l.ring.CQEventfdEnabled() ||
		cRegisterEventfd(m, int32(l.mail.wake.fd)) < 0 {
		return l.waitLooking(limit)
	}
	defer cUnregisterEventfd(m)
	return l.waitForWaker(limit)
}

// waitLooking waits for completions and looks for posts, less often the longer there
// is neither.
func (l *Loop) waitLooking(limit time.Duration) error {
	m := l.ring.mem
	l.look = max(l.look, shortestLook)
	look := l.look
	if limit >= 0 {
		look = min(look, limit)
	}
	err := l.enterError(cSubmitAndWaitTimeout(m, 1, look))
	l.look = min(2*l.look, longestLook)
	if m.cqReady() != 0 || l.mail.attention.Load() {
		l.look = shortestLook
	}
	return err
}

// How long posts may have to wait where the loop has to look for them itself.
const (
	shortestLook = time.Millisecond
	longestLook  = 16 * time.Millisecond
)
