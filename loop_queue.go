package liburing

import (
	"fmt"
	"runtime"
	"sync"
	"syscall"
	"unsafe"

	"github.com/go-liburing/liburing/internal/debug"
)

// How requests get into the submission queue, or into the backlog behind it.

// queue takes a place in the handle table and an entry of the submission queue,
// or of the backlog, for a request. The caller has asked refuses before, and
// prepares the entry; mem is what must stay alive until the terminal completion.
//
// Every request goes through here: it is one function so that it costs one call.
func (l *Loop) queue(op Op, kind handleKind, cb Callback, mem unsafe.Pointer) (*SQE, Request) {
	space := l.space
	if space == 0 {
		l.checkAwake()
	}
	if cb == nil {
		cb = ignore
	}
	if l.table.full() {
		l.table.grow()
	}
	place, e := l.table.acquire()
	token := newToken(place, e.gen)
	e.v.cb = cb
	e.v.mem = mem
	e.v.op = op
	e.v.kind = kind
	e.v.special = kind == kindExtra
	l.inFlight++
	var sqe *SQE
	if space > 0 {
		l.space = space - 1
		m := l.ring.mem
		sqe = m.sqe(m.sq.sqeTail)
		e.v.pos = uint16(m.sq.sqeTail)
		m.sq.sqeTail++
	} else {
		// Once one had to wait in the backlog, the next ones do too: their
		// order is kept.
		sqe = l.backlog.push()
		e.v.marks = markWaits
		e.v.pos = l.backlog.number + uint16(l.backlog.n-1)
		if l.viaBacklog {
			l.observer.made(token)
		}
	}
	*sqe = SQE{UserData: uint64(token)}
	return sqe, Request{loop: l, sqe: sqe, token: token, epoch: l.epoch}
}

func ignore(Completion) {}

// queueBad queues a request whose arguments the library refuses: a chain it
// stands in breaks there, and its callback is called in its turn.
func (l *Loop) queueBad(op Op, cb Callback, why error) Request {
	if l.refuses() {
		return l.refuse(op, cb)
	}
	sqe, r := l.queue(op, kindPlain, cb, nil)
	l.spoil(sqe, why)
	return r
}

const opBad Op = 0xff

// spoil has the request fail for a reason that the library knows: it goes to the
// kernel as an operation that does not exist, so that it fails in its turn.
func (l *Loop) spoil(sqe *SQE, why error) {
	flags := sqe.Flags
	sqe.PrepRW(opBad, -1, 0, 0, 0)
	sqe.Flags = flags & (SQEIOLink | SQEIOHardlink | SQEIODrain | SQECQESkipSuccess)
	l.table.withAside(Token(sqe.UserData)).refusal = why
}

// lastEntry returns the entry of the request that was queued last, nil if the
// kernel has all.
func (l *Loop) lastEntry() *SQE {
	if n := l.backlog.len(); n > 0 {
		return l.backlog.at(n - 1)
	}
	m := l.ring.mem
	if m.sq.sqeTail == m.sq.sqeHead || m.mixed() { // then all that is there is about to go
		return nil
	}
	return m.sqe(m.sq.sqeTail - 1)
}

// entry returns the entry of a request that has not been handed to the kernel,
// nil if there is none.
func (l *Loop) entry(t Token) *SQE {
	switch h := l.table.handle(t); {
	case h == nil:
		return nil
	case h.marks&markWaits != 0:
		return l.backlog.find(t, h.pos)
	default:
		return l.queued(t, h)
	}
}

// queued returns the entry of a request that is in the submission queue, nil if the kernel
// has been told of it.
func (l *Loop) queued(t Token, h *handle) *SQE {
	m := l.ring.mem
	sqe := l.submitted(t, h)
	if sqe == nil || m.mixed() || m.handedOver(sqe) { // what is in a mixed queue is about to go
		return nil
	}
	return sqe
}

// entriesBackwards yields the entries that have not been handed to the kernel,
// the last first.
func (l *Loop) entriesBackwards(yield func(*SQE) bool) {
	for i := l.backlog.len(); i > 0; i-- {
		if !yield(l.backlog.at(i - 1)) {
			return
		}
	}
	m := l.ring.mem
	if m.mixed() { // where they are about to go
		return
	}
	for pos := m.sq.sqeTail; pos != m.sq.sqeHead; pos-- {
		if !yield(m.sqe(pos - 1)) {
			return
		}
	}
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
	if last := l.lastEntry(); l.holding || last != nil && last.linked() {
		// A chain is being made, of which this is no part, or requests are held back,
		// which this is not to wait for: it waits apart.
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
	if l.apart.len() > 0 {
		switch {
		case l.holding: // what is in the queue was let go, and is not to be judged again
			l.backlog.takeInFront(&l.apart)
		case l.drains:
			l.recall() // a chain may be in both
			l.backlog.takeInFront(&l.apart)
		default:
			l.backlog.take(&l.apart)
		}
		l.space = 0
	}
}

// fill moves what waits into the submission queue. A chain for which the queue
// is too short can't go there as a whole: its requests fail.
func (l *Loop) fill() {
	l.stuck = false
	for {
		tooLong := l.backlog.fill(l.ring.mem, l.heldBack)
		if tooLong == 0 {
			l.letGo()
			return
		}
		m := l.ring.mem
		why := fmt.Sprintf("its chain has %d requests, which may take %d entries, and the loop's queue has %d: use a loop with more",
			tooLong, l.backlog.chainPlaces(m, tooLong), m.sq.ringEntries)
		for i := range tooLong {
			e := l.backlog.at(i)
			e.Flags = 0
			if a := l.table.aside(Token(e.UserData)); a != nil {
				a.chain = chain{}
			}
			l.spoil(e, badInput(e.Opcode.String(), "%s", why))
		}
	}
}

// What a loop does with a request that it can't take: one that comes when it is
// closed is refused, and its callback told; one from the wrong goroutine is a
// mistake in the program, which panics.

// refuses reports whether the loop takes no request any more.
func (l *Loop) refuses() bool {
	l.checkCaller()
	return l.closing.Load()
}

// Closing reports whether the loop is closed, or Close was called: it accepts no more
// requests. Call it where requests are made.
func (l *Loop) Closing() bool {
	l.checkAwake()
	return l.refuses()
}

// refused is a request that was refused and whose callback is to be told.
type refused struct {
	op    Op
	cb    Callback
	depth int // how many refusals, each made in the callback of the one before, led to it
}

// tell calls the callback.
func (r refused) tell() {
	r.cb(Completion{Res: -int32(syscall.ECANCELED), op: r.op, detail: &detail{refusal: &OpError{Op: r.op.String(), Err: ErrClosed}, unbegun: true}})
}

// refuse returns a request that is not taken. Its callback is called with
// ErrClosed by the loop before it ends; if it has ended, here and now.
//
//go:noinline
func (l *Loop) refuse(op Op, cb Callback) Request {
	if cb != nil {
		r := refused{op, cb, int(l.answering.Load())}
		if !l.mail.addRefused(r) {
			l.tellLate(r)
		}
	}
	return Request{loop: l}
}

// A callback that answers each refusal with new requests would go on for ever, and one
// that makes two each time fill the memory. It is told of refusalRounds in a row at
// most; and from the third answer on they count: mostAnswers, and some more for each
// request that was refused first.
const (
	refusalRounds = 16
	freeAnswers   = 2
	mostAnswers   = 1024
)

// answers counts refusals, so as to tell runaway callbacks.
type answers struct{ first, later int }

// end reports whether a refusal is one too many, and counts it.
func (a *answers) end(depth int) bool {
	switch {
	case depth == 0:
		a.first++
	case depth > freeAnswers:
		a.later++
	}
	return depth >= refusalRounds || depth > freeAnswers && a.later > mostAnswers+refusalRounds*a.first
}

// late has the refusals whose callbacks run, of loops that have ended, by thread.
var late struct {
	sync.Mutex
	running map[int64]*lateAnswers
}

type lateAnswers struct {
	depth int
	answers
}

// tellLate tells of a refusal when there is no loop any more to do it. How deep in such
// callbacks its caller is the thread tells, which is held on to for that.
func (l *Loop) tellLate(r refused) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	thread := threadID()
	defer endLate(thread)
	if beginLate(thread) {
		r.tell()
	}
}

// beginLate reports whether a refusal is to be told on a thread.
func beginLate(thread int64) bool {
	late.Lock()
	defer late.Unlock()
	a := late.running[thread]
	if a == nil {
		if late.running == nil {
			late.running = make(map[int64]*lateAnswers)
		}
		a = new(lateAnswers)
		late.running[thread] = a
	}
	a.depth++
	return !a.end(a.depth - 1)
}

func endLate(thread int64) {
	late.Lock()
	defer late.Unlock()
	if a := late.running[thread]; a.depth > 1 {
		a.depth--
	} else {
		delete(late.running, thread)
	}
}

// tellRefused tells of the requests that were refused, and reports whether there
// were any.
func (l *Loop) tellRefused() bool {
	list, told := l.mail.collectRefused(), 0
	defer l.answering.Store(0)
	defer func() { l.mail.returnRefused(list[told:]) }() // a callback has ended the goroutine
	for _, r := range list {
		told++
		l.answering.Store(int32(r.depth) + 1)
		l.inClose(func() error { r.tell(); return nil })
	}
	// What they send is refused. A function of theirs that panics leaves the rest.
	for panicked := true; panicked; {
		l.inClose(func() error { l.runEve(); panicked = false; return nil })
	}
	return len(list) > 0
}

// checkAwake panics if the loop's thread waits in the kernel: then its caller runs
// on another one, and what it is about to change is not its own. This finds most
// mistakes of the kind, in every build, without a cost for each request: while the
// thread waits, the queue is made to look full. The debug tag finds all.
func (l *Loop) checkAwake() {
	if l.waiting.Load() {
		panic(ErrWrongThread)
	}
}

// checkCaller panics in a debug build if the loop runs and its caller is on
// another goroutine.
func (l *Loop) checkCaller() {
	if debug.On && l.mail.inRun() && !l.onThread() {
		panic(ErrWrongThread)
	}
}

// onThread reports whether the caller is on the loop's thread.
func (l *Loop) onThread() bool { return threadID() == l.thread.Load() }
