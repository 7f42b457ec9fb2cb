package liburing

import (
	"cmp"
	"slices"
	"time"
)

// Cancelling many requests at once.
//
// The kernel finds a request to cancel by walking a list of those that it keeps: of
// timeouts the oldest comes first, of all others the newest, in some buckets by their user
// data (16 for a completion queue of 512 entries, 256 from 8192 on). To cancel n requests
// in any order takes n² steps, and so does the kernel's way to cancel all with one request
// (AsyncCancelAny), which passes by those that it has cancelled already: 2 s for 16,000
// polls. In the order of the lists each is found at once.

// sweepToken is the user data of cancels that nobody wants to be told of.
const sweepToken = Token(tokenBit | 1<<32 - 1)

// aged is a request with its turn to be cancelled: part by part, within one by turn.
type aged struct {
	part  part
	turn  int64
	token Token
}

// part names requests that may be cancelled together: those as deep in their chains, of a
// block of chains. When a link ends the next one becomes the newest in its list, and is to be
// cancelled before it has many others in front of it: so a block is small.
type part struct {
	block int64
	depth int64 // 0: linked to nothing that is in flight
}

// blockAges is how many requests may have been made within a block.
const blockAges = 256

// ofTimeouts is the block of timeouts, behind all others, which the kernel would look through for
// them.
const ofTimeouts = 1 << 62

// all returns the requests in flight, but for the loop's own.
func (t *handleTable) all() []aged {
	var list []aged
	t.inFlight(func(token Token) { list = append(list, aged{token: token}) })
	slices.Reverse(list) // as a rule they are in order then
	return list
}

// inOrder puts requests in the order in which the kernel finds each at once; where those
// come that have completed does not matter. One that is linked to another is not found before
// that has ended and it has begun: it comes behind those that are less deep in their chains.
func (t *handleTable) inOrder(list []aged) []aged {
	for i, r := range list {
		if e := t.find(r.token.place(), r.token.gen()); e != nil {
			list[i].turn = int64(t.uses - e.next)
		}
	}
	inTurn(list)
	var here part
	linked := int64(-1) // the age of the next one if that is linked to this one
	for i, r := range slices.Backward(list) {
		e := t.find(r.token.place(), r.token.gen())
		if e == nil {
			continue
		}
		age := r.turn
		switch {
		case age == linked:
			here.depth++
		case e.v.op == OpTimeout:
			here = part{ofTimeouts, 0}
		default:
			here = part{age / blockAges, 0}
		}
		linked = -1
		if e.v.marks&markLinked != 0 {
			linked = age - 1
		}
		if e.v.op == OpTimeout {
			list[i].turn = -age
		}
		list[i].part = here
	}
	return inTurn(list)
}

func inTurn(list []aged) []aged {
	byTurn := func(a, b aged) int {
		return cmp.Or(cmp.Compare(a.part.block, b.part.block), cmp.Compare(a.part.depth, b.part.depth), cmp.Compare(a.turn, b.turn))
	}
	if !slices.IsSortedFunc(list, byTurn) {
		slices.SortFunc(list, byTurn)
	}
	return list
}

// sweep is a number of requests that are to be cancelled.
type sweep struct {
	list []aged
	next int  // the first that has not been
	part part // of the last that has been
	loud bool // the loop is to be told of each cancel
	open int  // what it has not been told of: cancels, and that all are queued
}

func newSweep(list []aged, loud bool) *sweep { return &sweep{list: list, loud: loud, open: 1} }

// take returns the next request that has not ended. After those that have been queued already
// in this turn it takes none that may not have begun until they have ended.
func (s *sweep) take(t *handleTable, queued int) (token Token, op Op, ok bool) {
	for ; s.next < len(s.list); s.next++ {
		r := s.list[s.next]
		h := t.handle(r.token)
		if h == nil || h.op == OpLinkTimeout { // that ends with its request
			continue
		}
		if queued > 0 && r.part.depth > 0 && r.part != s.part {
			break
		}
		s.part = r.part
		s.next++
		return r.token, h.op, true
	}
	return 0, 0, false
}

// revokeAll cancels requests until they have completed, as revoke does with one. If they
// are many they are swept, turn by turn, and those that have not ended a moment later are
// cancelled one by one.
func (l *Loop) revokeAll(list []aged) {
	last := len(l.sweeps) - 1
	switch {
	case len(list) <= fewRevokes:
		for _, r := range l.table.inOrder(list) {
			l.revoke(r.token)
		}
	case last < 0 || l.sweeps[last].next > 0:
		l.sweeps = append(l.sweeps, newSweep(slices.Clone(list), false))
	default: // it has not begun
		l.sweeps[last].list = append(l.sweeps[last].list, list...)
	}
}

// fewRevokes is how many requests are cancelled one by one.
const fewRevokes = 8

// cancelsQuietly reports whether cancels may be put into the queue of which the loop
// keeps no book.
func (l *Loop) cancelsQuietly() bool {
	m := l.ring.mem
	special := l.drains || l.holding || l.lacks.cancel || l.viaBacklog || m.mixed()
	return !special && m.features&FeatExtArg != 0 && m.flags&(SetupSQPoll|SetupSQRewind|SetupIOPoll) == 0
}

// sweepOn queues as many cancels of the first sweep as there is room for.
func (l *Loop) sweepOn() {
	s := l.sweeps[0]
	s.loud = s.loud || !l.cancelsQuietly()
	switch {
	case l.closing.Load() && (l.waitsForRoom() || !s.loud && l.space == 0):
		return // what waits for room comes first
	case s.loud && l.ring.mem.cqReady() != 0:
		return // with those there would be enough, and the next ones would not be ended
	}
	if s.next == 0 { // once: there may be many
		l.table.inOrder(s.list)
	}
	if s.loud {
		l.sweepLoudly(s)
	} else {
		l.sweepQuietly(s)
	}
	if s.next == len(s.list) {
		l.sweeps = l.sweeps[1:]
		l.sweptOne(s)
	}
}

func (l *Loop) sweepQuietly(s *sweep) {
	l.mayBlock = true // so that it is enterBlocking that submits
	most := int(l.space)
	if most == 0 {
		most = sweptBehind
	}
	for n := 0; n < most; n++ {
		t, op, ok := s.take(&l.table, n)
		if !ok {
			break
		}
		if l.space > 0 {
			l.toEnd++
		}
		l.sweepOne(t, op)
	}
}

// sweepLoudly queues cancels of which the loop is told.
func (l *Loop) sweepLoudly(s *sweep) {
	m := l.ring.mem
	l.mayBlock = true
	inner, n := l.inner, 0
	for n < sweptLoudly {
		t, _, ok := s.take(&l.table, n)
		if !ok {
			break
		}
		s.open++
		l.queueCancel(t, 0, func(c Completion) {
			l.closer.cancelled(c)
			l.sweptOne(s)
		})
		n++
	}
	if m.features&FeatExtArg != 0 && m.flags&SetupIOPoll == 0 {
		l.toEnd += uint32(n + l.inner - inner) // those, and the cancels that are requests
	}
	l.endChain()
	l.fill()
}

// sweptLoudly is how many of them go in a turn.
const sweptLoudly = 64

// sweptBehind is how many cancels go behind the requests that wait for room in a turn.
const sweptBehind = 32

// sweptOne has what is left of a sweep cancelled one by one if it was all that was open. With
// SQPOLL it may be long until the kernel's thread has got to the cancels, and to what they end.
func (l *Loop) sweptOne(s *sweep) {
	if s.open--; s.open > 0 {
		return
	}
	wait := sweepWait
	if l.ring.mem.flags&SetupSQPoll != 0 {
		wait *= 10
	}
	l.pause(wait, func() {
		for _, r := range s.list {
			l.revoke(r.token)
		}
	})
}

// endSome submits what a sweep has queued, and waits until as many requests have ended:
// the kernel does not end more than 20 in each call unless more are waited for, and those
// that it has not ended are in the way of the next ones.
func (l *Loop) endSome() error {
	m := l.ring.mem
	n := min(l.toEnd, m.cq.ringEntries)
	l.toEnd = 0
	return l.enterError(cSubmitAndWaitTimeout(m, n, sweepWait))
}

// sweepWait is how long a sweep waits for what it has cancelled: nearly all ends at once.
const sweepWait = time.Millisecond

// sweepOne queues a cancel that is told of by no callback.
func (l *Loop) sweepOne(t Token, op Op) {
	m := l.ring.mem
	var sqe *SQE
	if l.space > 0 {
		l.space--
		sqe = m.sqe(m.sq.sqeTail)
		m.sq.sqeTail++
	} else {
		sqe = l.backlog.push()
	}
	*sqe = SQE{}
	if op == OpTimeout {
		sqe.PrepTimeoutRemove(uint64(t), 0)
	} else {
		sqe.PrepCancel64(uint64(t), 0)
	}
	sqe.UserData = uint64(sweepToken)
	if m.features&FeatCQESkip != 0 {
		sqe.Flags = SQECQESkipSuccess
	}
}
