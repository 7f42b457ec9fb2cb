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

// aged is a request with its turn to be cancelled.
type aged struct {
	turn  int64
	token Token
}

// cancelOrder returns the requests in flight, but for the loop's own, in the order in
// which the kernel finds each at once.
func (t *handleTable) cancelOrder() []aged {
	var list []aged
	for i := len(t.list) - 1; i >= 0; i-- {
		e := &t.list[i]
		if e.v.kind == kindPlain || e.v.kind == kindExtra {
			list = append(list, aged{t.cancelTurn(e), newToken(uint32(i), e.gen)})
		}
	}
	return inTurn(list)
}

// cancelTurn returns when a request's turn is.
func (t *handleTable) cancelTurn(e *cell[handle]) int64 {
	age := int64(t.uses - e.next)
	if e.v.op == OpTimeout { // after the others, which the kernel would look through for it
		return 1<<33 - age
	}
	return age
}

func inTurn(list []aged) []aged {
	byTurn := func(a, b aged) int { return cmp.Compare(a.turn, b.turn) }
	if !slices.IsSortedFunc(list, byTurn) {
		slices.SortFunc(list, byTurn)
	}
	return list
}

// sweep is a number of requests that are to be cancelled.
type sweep struct {
	list []aged
	next int // the first that has not been
}

// revokeAll cancels requests until they have completed, as revoke does with one. If they
// are many they are swept, turn by turn, and those that have not ended a moment later are
// cancelled one by one.
func (l *Loop) revokeAll(list []aged) {
	for i, r := range list {
		if e := l.table.find(r.token.place(), r.token.gen()); e != nil {
			list[i].turn = l.table.cancelTurn(e)
		}
	}
	if len(inTurn(list)) > fewRevokes && l.cancelsQuietly() {
		l.sweeps = append(l.sweeps, &sweep{list: list})
		return
	}
	for _, r := range list {
		l.revoke(r.token)
	}
}

// fewRevokes is how many requests are cancelled one by one.
const fewRevokes = 8

// cancelsQuietly reports whether cancels may be put into the queue of which the loop
// keeps no book.
func (l *Loop) cancelsQuietly() bool {
	m := l.ring.mem
	special := l.drains || l.holding || l.lacks.cancel || l.viaBacklog || l.inspects || m.mixed()
	return !special && m.features&FeatExtArg != 0 && m.flags&(SetupSQPoll|SetupSQRewind|SetupIOPoll) == 0
}

// sweepOn queues as many cancels of the first sweep as there is room for.
func (l *Loop) sweepOn() {
	s := l.sweeps[0]
	if !l.cancelsQuietly() {
		l.sweepEnds(s.list[s.next:])
		return
	}
	if l.space == 0 && l.closing.Load() {
		return // what waits for room comes first
	}
	l.mayBlock = true // so that it is enterBlocking that submits
	n := l.space
	if n == 0 {
		n = sweptBehind
	}
	for ; s.next < len(s.list) && n > 0; s.next++ {
		t := s.list[s.next].token
		h := l.table.handle(t)
		if h == nil || h.op == OpLinkTimeout { // that ends with its request
			continue
		}
		if l.space > 0 {
			l.toEnd++
		}
		l.sweepOne(t, h.op)
		n--
	}
	if s.next == len(s.list) {
		l.sweepEnds(s.list)
	}
}

// sweptBehind is how many cancels go behind the requests that wait for room in a turn.
const sweptBehind = 32

// sweepEnds has what is left of a sweep cancelled one by one.
func (l *Loop) sweepEnds(left []aged) {
	l.sweeps = l.sweeps[1:]
	l.pause(sweepWait, func() {
		for _, r := range left {
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
