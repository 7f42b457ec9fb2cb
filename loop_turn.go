package liburing

import (
	"slices"
	"sync/atomic"
	"syscall"
	"time"
)

// One turn of a loop: what is queued goes to the kernel, completions come back.

// submitAndReap submits what is queued and takes a batch of completions off the
// ring. It waits if there is none, no longer than wait, without a limit if wait is
// negative; a signal or a post may come first.
//
// From Run to the system call there are few calls: processors that guard against
// speculation mispredict the return of each one that is open across it.
func (l *Loop) submitAndReap(wait time.Duration) error {
	if l.next != l.have || len(l.made) != 0 {
		return nil // a callback has panicked, or stopped the loop
	}
	m := l.ring.mem
	// The kernel is not asked again before what it told is dealt with, or the queue
	// is full: a system call should take many requests along, unless files wait.
	more := l.space > 0 && int32(l.cqTail-*m.cq.khead) > 0
	if more && !l.submitsBeforeAll() {
		l.reap()
		return nil
	}
	ready := l.prepare()
	pending := m.sq.sqeTail - l.sqHead // which measure has found: only an enter moves it
	done := ready && pending == 0 && !m.needsFlush() && l.toEnd == 0
	files, before := l.mayBlock, l.cqTail
	var err error
	if l.rawEnter && !l.mayBlock && !done && (ready || pending != 0) {
		// Often what is submitted completes right away, and nothing is left to
		// wait for.
		l.stats.Enters++
		m.flushSQ()
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
	l.cqTail = atomic.LoadUint32(m.cq.ktail)
	l.portions.files = files
	if more {
		l.portions.noteEarly(pending, l.cqTail-before)
	}
	l.reap()
	return nil
}

// prepare has the submission queue hold what is to be submitted, whole chains. It
// reports whether there is no time to wait: there are completions, or more requests
// to be made.
func (l *Loop) prepare() (ready bool) {
	l.endChain()
	if l.revoked.n != 0 {
		l.revokeTogether()
	}
	if l.countdowns.Len() != 0 {
		l.endCountdowns()
	}
	if len(l.offers) != 0 {
		ready = l.feed()
		l.endChain()
	}
	if len(l.eve.list) != 0 {
		l.runEve()
		ready = ready || l.inFlight == l.inner || len(l.eve.list) != 0 // there may be nothing to wait for
	}
	if l.backlog.len() != 0 || l.holding {
		l.fill()
	}
	if len(l.sweeps) != 0 {
		l.sweepOn()
		ready = ready || len(l.sweeps) != 0
	}
	if l.inspects {
		l.inspect()
	}
	m := l.ring.mem
	if m.overflowed() {
		l.stats.Overflows++
	}
	return ready || m.cqReady() != 0 || l.waitsForRoom()
}

// eve is what is to be called before the loop submits.
type eve struct {
	list    []func()
	next    int // the first of them whose turn has not come
	running bool
}

// eveRounds is how many functions in a row, each of which the one before has asked for, run
// before one submission. One that asks for itself would keep the loop from everything else.
const eveRounds = 16

// BeforeSubmit has the loop call f once, the next time before it submits requests: what
// callbacks have collected until then can go to the kernel as one request. If f calls
// BeforeSubmit in turn, that is as a rule still before the same submission; after 16 in a
// row the loop submits first. A loop that has ended calls f at once; there, and where it is
// being closed, such a row may end with the 16th. Call it where requests are made.
func (l *Loop) BeforeSubmit(f func()) {
	l.checkCaller()
	l.checkAwake()
	l.eve.list = append(l.eve.list, f)
	select {
	case <-l.done: // it does not submit any more
		l.runEve()
	default:
	}
}

// runEve calls those functions. Should one panic, the next turn goes on behind it.
func (l *Loop) runEve() {
	e := &l.eve
	if e.running {
		return // one of them has asked for more, which comes behind it
	}
	e.running = true
	defer func() { e.running = false }()
	for round := 0; e.next < len(e.list) && round < eveRounds; round++ {
		for end := len(e.list); e.next < end; {
			l.runNextEve()
		}
	}
	e.list, e.next = slices.Delete(e.list, 0, e.next), 0
}

func (l *Loop) runNextEve() {
	e := &l.eve
	f := e.list[e.next]
	e.list[e.next] = nil
	e.next++
	f()
	if l.ring.mem != nil {
		l.endChain() // that it has left open
	}
}

// waitsForRoom reports whether there are requests in the backlog which only wait for
// room in the queue.
func (l *Loop) waitsForRoom() bool { return l.backlog.len() != 0 && !l.stuck }

// enterBlocking submits and waits through liburing.
func (l *Loop) enterBlocking(ready bool, wait time.Duration) error {
	m := l.ring.mem
	l.mayBlock = l.backlog.len() != 0 // they may be of that kind
	l.stats.Enters++
	defer l.yield.Look()
	if l.observer != nil {
		defer l.region("wait")()
	}
	if l.toEnd > 0 {
		return l.endSome()
	}
	if ready || wait == 0 {
		return l.enterError(cSubmitAndWait(m, 0))
	}
	if wait > 0 {
		return l.enterError(cSubmitAndWaitTimeout(m, 1, wait))
	}
	limit := l.untilTimer()
	switch {
	case limit == 0:
		return l.enterError(cSubmitAndGetEvents(m))
	case m.flags&SetupIOPoll != 0 && l.inFlight > l.inner:
		return l.pollWithin(limit)
	case m.flags&SetupIOPoll != 0:
		return l.waitForWaker(limit)
	case l.drains || l.lacks.read:
		return l.waitOutside(limit)
	case limit > 0 && m.features&FeatExtArg == 0:
		return l.waitBeside(limit)
	}
	l.armWaker()
	l.sleep()
	defer l.awake()
	if l.mail.attention.Load() || l.waitsForRoom() {
		return l.enterError(cSubmit(m))
	}
	switch {
	case l.gather > 0:
		return l.enterError(l.gatherWithin(orLong(limit)))
	case limit > 0:
		return l.enterError(cSubmitAndWaitTimeout(m, 1, limit))
	}
	return l.enterError(cSubmitAndWait(m, 1))
}

// gatherWithin submits and waits as WithLatency says, no longer than limit.
func (l *Loop) gatherWithin(limit time.Duration) int32 {
	m := l.ring.mem
	n := min(uint32(max(l.inFlight-l.inner, 1)), uint32(len(l.batch)), m.mostPlaces())
	return cSubmitAndWaitMinTimeout(m, n, limit, microseconds(min(l.gather, limit)))
}

// sleep says that the thread is about to wait in the kernel: whoever posts wakes
// it, and whoever makes a request finds out that it is on the wrong goroutine.
func (l *Loop) sleep() {
	l.space = 0 // measured anew afterwards
	l.waiting.Store(true)
	l.mail.sleeping.Store(true)
}

func (l *Loop) awake() {
	l.mail.sleeping.Store(false)
	l.waiting.Store(false)
}

// enterError returns the error of an enter that the loop cannot go on after.
func (l *Loop) enterError(ret int32) error {
	if ret >= 0 {
		if l.ring.mem.flags&SetupSQRewind != 0 { // measure can't tell
			l.took(uint32(ret))
		}
		return nil
	}
	switch syscall.Errno(-ret) {
	case syscall.EINTR, etime:
		return nil
	case syscall.EBUSY, syscall.EAGAIN:
		// Completions must be taken first, or the kernel is short of memory:
		// the requests stay in the queue for the next turn.
		return nil
	}
	return opError("io_uring_enter", ret)
}

// waitForWaker submits, and waits for a post outside of the ring if there is no
// completion, no longer than limit unless that is negative.
func (l *Loop) waitForWaker(limit time.Duration) error {
	m := l.ring.mem
	l.sleep()
	defer l.awake()
	if err := l.enterError(cSubmit(m)); err != nil {
		return err
	}
	cGetEvents(m)
	if m.cqReady() != 0 || l.mail.attention.Load() {
		return nil
	}
	l.mail.wake.wait(limit)
	return l.enterError(cGetEvents(m))
}

// waitBeside is the wait of kernels that know none with a limit (Linux 5.10).
func (l *Loop) waitBeside(limit time.Duration) error {
	m := l.ring.mem
	l.sleep()
	defer l.awake()
	err := l.enterError(cSubmit(m))
	if err != nil || m.cqReady() != 0 || l.mail.attention.Load() {
		return err
	}
	if l.armed { // the kernel reads the waker
		waitReadable(limit, int(m.ringFD), -1)
	} else if waitReadable(limit, int(m.ringFD), l.mail.wake.fd) {
		l.mail.wake.wait(-1)
	}
	return nil
}

// pollWithin submits and polls for completions, no longer than limit. Without one the
// kernel polls, which a post can't end.
func (l *Loop) pollWithin(limit time.Duration) error {
	m := l.ring.mem
	if limit < 0 {
		return l.enterError(cSubmitAndWait(m, 1))
	}
	end := clock() + limit
	err := l.enterError(cSubmitAndWait(m, 0))
	for err == nil && m.cqReady() == 0 && clock() < end && !l.mail.attention.Load() {
		err = l.enterError(cGetEvents(m))
		l.yield.Crossed()
	}
	return err
}

// armWaker has a read of the waker in flight, which a post completes.
func (l *Loop) armWaker() {
	if l.armed {
		return
	}
	l.armed = true
	sqe := l.queueUncounted(OpRead, l.woken, nil)
	sqe.PrepRead(l.mail.wake.fd, l.mail.wake.buf[:], 0)
	l.endChain()
	l.fill()
	if l.inspects {
		l.inspect() // there was no room for some before
	}
}

// measure finds out how many requests the kernel has taken, and how many entries
// of the submission queue are free: none as long as requests wait in the backlog, or
// are to, as all do on a ring of mixed entries. With SetupSQRewind the kernel moves no
// head, and enterError counts.
func (l *Loop) measure() {
	m := l.ring.mem
	head := m.loadSQHead()
	handed := head
	if m.flags&SetupSQPoll != 0 { // whose thread takes them in its own time
		handed = m.sq.sqeHead
	}
	l.took(handed - l.sqHead)
	l.sqHead = handed
	l.space = 0
	if l.backlog.len() == 0 && !l.holding && !l.viaBacklog && !m.mixed() {
		l.space = m.sqSpace(head)
	}
}

// took counts the requests that are in the places of the queue which the kernel has
// taken.
func (l *Loop) took(places uint32) {
	surplus := min(uint64(places), l.backlog.surplus)
	l.backlog.surplus -= surplus
	l.stats.Submitted += uint64(places) - surplus
}
