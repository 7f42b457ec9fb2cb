package liburing

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"
)

// Loop is an event loop over a ring: each request takes a callback, which runs
// when the kernel has completed it.
//
// A loop has a thread of its own. The callbacks run on it, and it alone talks
// to the kernel, so the ring can be set up for a single issuer and nothing is
// locked. Call the request methods (Read, Accept, Timeout, …) in callbacks, in
// functions given to Post or Control, or, while the loop does not run, on the
// goroutine that will call Run. From other goroutines use Post.
//
// Memory that is handed over with a request belongs to the kernel until the
// callback has been called with More false; the loop keeps it alive until then.
// Buffers, strings and structs need no other care.
type Loop struct {
	ring  Ring // not a pointer to one: that would be one more step for each request
	table handleTable

	space    int // free entries of the submission queue; 0 while requests wait
	backlog  backlog
	apart    backlog   // requests of the loop's own that wait for the end of a chain
	deadline *deadline // the last that was set
	mayBlock bool      // a request to be submitted may block the submitter
	inFlight int       // requests without their terminal completion
	inner    int       // those of them that are the loop's own

	batch      [64]CQE // completions taken off the ring
	bigs       [][2]uint64
	next, have int    // the part of batch that no callback has seen
	cqTail     uint32 // the completion queue's after the last system call
	sqHead     uint32 // the submission queue's then
	epoch      uint32 // how often the queue's memory has been replaced

	rawEnter  bool // rawEnter does for the ring
	yield     yielder
	drains    bool        // a request has drained the ring
	made      []CQE       // completions that the kernel does not tell
	groups    []*BufGroup // nil where one was closed
	hungry    []*BufGroup // those that streams wait for
	nextGroup uint16      // the number that the next one tries first
	stats     Stats
	big       detail                              // of the big completion whose callback runs
	message   func(userData uint64, c Completion) // see OnMessage

	mail     mailbox
	posts    []func()      // taken out of the mailbox
	nextPost int           // the first of them that was not run
	armed    bool          // the read of the waker is in flight
	woken    Callback      // of that read
	thread   atomic.Int64  // the id of the loop's thread, 0 when it has ended
	control  chan func()   // what the thread is to do, unbuffered
	waiting  atomic.Bool   // the thread waits in the kernel
	quit     bool          // the thread is to end
	closing  atomic.Bool   // requests are refused
	done     chan struct{} // closed when the ring is gone
	closeErr error         // what Close returns; set before done is closed
}

// loopFlags are the setup flags that suit a loop: one thread that submits and
// takes its completions when it asks for them, and submissions that go on after
// a bad request. Kernels too old for some of them get what they know.
var loopFlags = []SetupFlags{
	SetupSingleIssuer | SetupDeferTaskrun | SetupSubmitAll, // Linux 6.1
	SetupCoopTaskrun | SetupSubmitAll,                      // 5.19
	0,
}

// NewLoop sets up a loop whose ring has room for entries requests per
// submission, two at least; more wait in order. The options are those of New;
// without flags that say otherwise the ring is for a single issuer and defers its
// task work. With SetupIOPoll a loop that waits for requests takes a whole
// processor and is not woken by posts. The errors are those of New.
func NewLoop(entries int, opts ...Option) (*Loop, error) {
	p := newParams(opts)
	if p.Flags&SetupSQEMixed != 0 {
		return nil, badInput("io_uring_setup", "a loop's entries are of one size: use SetupSQE128, or a Ring")
	}
	if entries == 1 {
		entries = 2 // a request with a deadline
	}
	l := &Loop{control: make(chan func()), done: make(chan struct{})}
	l.woken = func(Completion) {
		l.uncount()
		l.armed = false
	}
	if err := l.mail.wake.open(); err != nil {
		return nil, err
	}
	started := make(chan error)
	go l.own(entries, p, started)
	if err := <-started; err != nil {
		l.mail.wake.close()
		return nil, err
	}
	return l, nil
}

// own is the life of the loop's thread. It does not end before the last request
// has completed: requests fail when the thread that submitted them exits.
func (l *Loop) own(entries int, p *Params, started chan<- error) {
	runtime.LockOSThread()
	ring, err := newLoopRing(entries, p)
	if err != nil {
		started <- err
		return
	}
	l.ring = *ring
	l.ring.looped = true
	l.thread.Store(threadID())
	l.rawEnter = l.ring.mem.canRawEnter()
	if l.ring.Flags()&(SetupCQE32|SetupCQEMixed) != 0 {
		l.bigs = make([][2]uint64, len(l.batch))
	}
	l.measure()
	// The kernel finds a registered ring faster. Before Linux 5.18 it can't
	// register one, and the loop works as well.
	cRegisterRingFD(l.ring.mem)
	defer l.exit()
	close(started)
	for !l.quit {
		do := <-l.control
		do()
	}
}

func newLoopRing(entries int, want *Params) (r *Ring, err error) {
	for _, flags := range loopFlags {
		p := *want
		p.Flags |= compatible(flags, want.Flags)
		if r, err = QueueInitParams(entries, &p); !errors.Is(err, syscall.EINVAL) {
			return r, err
		}
	}
	return r, err
}

// compatible returns those of the loop's flags that go with the wanted ones.
func compatible(flags, want SetupFlags) SetupFlags {
	if want&SetupSQPoll != 0 {
		flags &^= SetupDeferTaskrun | SetupCoopTaskrun
	}
	if want&SetupCoopTaskrun != 0 {
		flags &^= SetupDeferTaskrun
	}
	return flags
}

// Run runs callbacks and posted functions until ctx ends, then its error is
// ctx.Err(), or until Stop, then it is nil. Requests may still be in flight
// when it returns; a further Run goes on with them.
//
// A callback that panics ends Run: it panics in turn, with a *CallbackPanic.
func (l *Loop) Run(ctx context.Context) error { return l.run(ctx, false) }

// RunUntilIdle is Run that also returns, with nil, as soon as no request is in
// flight and no posted function waits. Streams that wait for buffers are no
// requests in flight.
func (l *Loop) RunUntilIdle(ctx context.Context) error { return l.run(ctx, true) }

// Stop makes Run return after the callback that is running. It may be called
// from any goroutine; a loop that stands still is not changed.
func (l *Loop) Stop() { l.mail.requestStop() }

func (l *Loop) run(ctx context.Context, untilIdle bool) error {
	if ctx == nil {
		ctx = context.Background()
	}
	if l.onThread() {
		return ErrRunning
	}
	if err := l.mail.begin(); err != nil {
		return err
	}
	defer context.AfterFunc(ctx, l.mail.alert)()
	j := l.newJob(func() error { return l.turns(ctx, untilIdle) }, l.mail.end)
	select {
	case l.control <- j.run:
		return j.wait()
	case <-l.done: // closed at the same time
		return ErrClosed
	}
}

// turns is Run on the loop's thread.
func (l *Loop) turns(ctx context.Context, untilIdle bool) error {
	for {
		if l.mail.attention.Load() {
			if stop, err := l.attend(ctx); stop {
				return err
			}
		}
		if untilIdle && l.idle() {
			return nil
		}
		if err := l.submitAndReap(-1); err != nil {
			return err
		}
		l.dispatch()
	}
}

func (l *Loop) idle() bool {
	return l.inFlight == l.inner && l.next == l.have && len(l.made) == 0 && !l.mail.attention.Load() && !l.canFeed()
}

// Close cancels what is in flight, waits until the kernel is done with it, its
// callbacks having been called, and gives the ring back. The loop takes nothing
// more from the moment of the call; a running Run returns. Requests that were
// queued go to the kernel and are cancelled there: they may still succeed. If a
// callback panics meanwhile that is the error, as a *CallbackPanic.
//
// If ctx ends first, the error is its error, wrapped: the loop goes on in the
// background until the kernel is done, and the memory of its requests stays
// alive until then. In a callback Close does not wait. A second Close waits for
// the first. Without a context it waits as long as it takes.
func (l *Loop) Close(ctx context.Context) error {
	l.closing.Store(true)
	if l.mail.beginClose() {
		go func() {
			select {
			case l.control <- func() { l.quit = true }:
			case <-l.done: // a callback has ended the thread (runtime.Goexit)
			}
		}()
	}
	if l.onThread() {
		return nil
	}
	if ctx == nil {
		ctx = context.Background()
	}
	select {
	case <-l.done:
		return l.closeErr
	default:
	}
	select {
	case <-l.done:
		return l.closeErr
	case <-ctx.Done():
		return fmt.Errorf("liburing: requests are still in flight, their memory is kept: %w", contextError(ctx))
	}
}

// longestRound is how long a round of cancelling waits for completions before
// the next: a request may slip through a round while it changes from one of the
// kernel's lists to another. The first rounds wait for a few milliseconds only.
const longestRound = 100 * time.Millisecond

// exit ends the loop: it runs what was posted, cancels until nothing is in flight,
// tells of what was refused and gives the ring back. A callback that ends the
// goroutine meanwhile (runtime.Goexit) does not stop it: the rest is done on the
// way out.
func (l *Loop) exit() {
	ended := false
	defer func() {
		if !ended {
			l.exit()
		}
	}()
	l.mail.beginClose()
	l.runLastPosts()
	l.closing.Store(true)
	// Should it have been set up disabled, nothing would end. Kernels before 5.18
	// wait for all that is in flight first, so they are not asked without need.
	if m := l.ring.mem; m.flags&SetupRDisabled != 0 && m.loadSQHead() == 0 {
		cEnableRings(m)
	}
	for round := 0; l.inFlight > 0; round++ {
		l.inClose(func() error { return l.cancelRound(round) })
		l.tellRefused()
		l.mail.leaveStats(l.counted())
	}
	l.endStreams()
	for round := 1; !l.mail.endRefusals(round > refusalRounds); round++ {
		l.tellRefused()
	}
	ended = true
	l.free()
}

// runLastPosts runs what was posted before the loop was closed, all of it, should
// one of the functions panic too.
func (l *Loop) runLastPosts() {
	for done := false; !done; {
		l.inClose(func() error {
			_, err := l.attend(context.Background())
			done = true
			return err
		})
	}
}

// endStreams ends the streams that wait for buffers.
func (l *Loop) endStreams() {
	for _, g := range l.hungry {
		for len(g.waiting) > 0 {
			s := g.waiting[0]
			g.leave(s)
			l.inClose(func() error { s.end(); return nil })
		}
	}
}

// free gives everything back.
func (l *Loop) free() {
	l.mail.leaveStats(l.counted())
	l.ring.Close()
	for _, g := range l.groups {
		if g != nil {
			g.abandon()
		}
	}
	l.thread.Store(0)
	l.mail.wake.close()
	close(l.done)
}

// inClose calls f, whose first error or panic Close returns.
func (l *Loop) inClose(f func() error) {
	err, panicked := guard(f)
	if l.closeErr == nil && panicked != nil {
		l.closeErr = panicked
	} else if l.closeErr == nil {
		l.closeErr = err
	}
}

// cancelRound cancels what is in flight and takes completions for a while.
func (l *Loop) cancelRound(round int) error {
	if l.armed {
		l.mail.wake.signal()
	}
	l.table.inFlight(func(t Token) { l.queueCancel(t, 0, ignore) })
	if round > 2 {
		l.choke()
	}
	wait := min(time.Millisecond<<min(round, 10), longestRound)
	for end := time.Now().Add(wait); l.inFlight > 0; {
		if err := l.submitAndReap(wait); err != nil {
			time.Sleep(wait) // it is going to be tried again
			return err
		}
		l.dispatch()
		if !time.Now().Before(end) {
			break
		}
	}
	return nil
}

// choke lets the completion queue fill up, for a while at most. A multishot
// timeout of a few microseconds is firing whenever a cancel comes, and so not
// found; but like all multishot requests it ends when there is no room. Others end
// with it, without an error, as the kernel may have it at any time. (Before Linux 6.16
// a request that drains the ring may then wait for ever: the kernel counts what it
// found no room for.)
func (l *Loop) choke() {
	m := l.ring.mem
	ready := m.cqReady()
	for last := time.Now(); m.cqReady() < m.cq.ringEntries && time.Since(last) < chokeWait; {
		cGetEvents(m)
		if now := m.cqReady(); now != ready {
			ready, last = now, time.Now()
		}
	}
	if m.cqReady() == m.cq.ringEntries {
		time.Sleep(chokeWait) // for one more that finds it full
		cGetEvents(m)
	}
}

// chokeWait is how long choke waits for one more completion: what fires less
// often is found when it is cancelled.
const chokeWait = 200 * time.Microsecond
