package liburing

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/go-liburing/liburing/internal/wheel"
	"github.com/go-liburing/liburing/internal/yield"
)

// Loop is an event loop over a ring: each request takes a callback, which runs
// when the kernel has completed it. NewLoop makes one; the zero Loop can't be used.
//
// A loop has a thread of its own. The callbacks run on it, and only it talks to the
// kernel, so the ring can be set up for a single issuer and nothing is locked. Call the
// request methods (Read, Accept, Timeout, …) in callbacks, in functions given to Post
// or Control, or, while the loop does not run, on the goroutine that will call Run.
// From other goroutines use Post.
//
// Memory that is passed with a request belongs to the kernel until the callback has
// been called with More false; the loop keeps it alive until then. Buffers, strings and
// structs need no other care. What owns a descriptor, such as an os.File, does: see FD
// and Request.Keep.
//
// Close a loop. If one is merely dropped and the kernel has none of its requests, the
// garbage collector notices: a line in the log (slog.Warn) says where the loop was
// made, and its thread and ring are given back; what it was asked to do is lost. If the
// kernel still has requests of it, they, its thread and its ring stay until the process
// ends, and nothing is reported: the kernel may still write to the memory of its
// requests.
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
	next, have int      // the part of batch that no callback has seen
	portions   portions // how many of them are taken off
	cqTail     uint32   // the completion queue's after the last system call
	sqHead     uint32   // the submission queue's then
	epoch      uint32   // how often the queue's memory has been replaced

	rawEnter   bool          // rawEnter does for the ring
	gather     time.Duration // how long a wait may gather completions
	yield      yield.Yielder
	drains     bool          // a request has drained the ring
	holding    bool          // requests are held back for one that drains the ring (SQPOLL)
	behind     bool          // those are behind it, and it has gone
	stuck      bool          // what goes next is held back
	lacks      lacks         // what the ring refuses
	look       time.Duration // how long the next look for posts may be away
	timers     wheel.Wheel
	watching   map[<-chan struct{}]*watched // the contexts of requests
	spareWatch *watch                       // in stock
	sweeps     []*sweep                     // that are under way
	endings    endings                      // of contexts
	missed     int                          // how many requests a cancel has not found that is to be repeated
	revoked    revoked                      // what is to be cancelled before the next submission
	toEnd      uint32                       // how many cancels of them were queued
	made       []CQE                        // completions that the kernel does not tell
	groups     []*BufGroup                  // nil where one was closed
	offers     []*BufGroup                  // those that have buffers again, and streams that wait for them
	resting    streamList                   // streams in a pause
	countdowns countdowns                   // timeouts that count
	fired      uint64                       // completions of timeouts
	nextGroup  uint16                       // the number that the next one tries first
	eve        eve                          // what is to run before the next submission
	atClose    []func()
	locals     map[any]any // see Local
	stats      Stats
	broken     map[Token]*brokenLink               // requests that are linked behind one that has failed
	big        detail                              // of the big completion whose callback runs
	message    func(userData uint64, c Completion) // see OnMessage

	observer   *observer // nil if nothing is observed
	inspects   bool      // entries are inspected before they go to the kernel
	allSpecial bool      // there is more to do at each completion than to call a callback
	viaBacklog bool      // no request goes straight to the queue

	mail      mailbox
	posts     []func()     // taken out of the mailbox
	nextPost  int          // the first of them that was not run
	armed     bool         // the read of the waker is in flight
	woken     Callback     // of that read
	thread    atomic.Int64 // the id of the loop's thread, 0 when it has ended
	control   chan task    // what the thread is to do, unbuffered
	dropped   runtime.Cleanup
	waiting   atomic.Bool   // the thread waits in the kernel
	quit      bool          // the thread is to end
	vacant    bool          // the kernel has no requests of users, as far as the thread knows
	finishing bool          // it is to be closed when there is nothing more to do
	closing   atomic.Bool   // requests are refused
	answering atomic.Int32  // how deep in answers to refusals the callback is that runs
	done      chan struct{} // closed when the ring is gone
	closer    closer
	closeErr  error // what Close returns; set before done is closed
}

// loopFlags are the setup flags that suit a loop: one thread that submits and
// takes its completions when it asks for them, and submissions that go on after
// a bad request. Kernels too old for some of them get what they know.
var loopFlags = []SetupFlags{
	SetupSingleIssuer | SetupDeferTaskrun | SetupSubmitAll, // Linux 6.1
	SetupCoopTaskrun | SetupSubmitAll,                      // 5.19
	0,
}

// NewLoop sets up a loop whose ring has room for the given number of requests per
// submission, at least two; further ones wait in order, each in some 120 bytes, and
// take two or three times as long as those that find room. With SetupSQEMixed a request
// of a big operation (Nop128, URingCmd128) takes two entries, and a chain of them one
// more, so the minimum is four. SetupCQEMixed is refused where the kernel loses
// completions with it (Linux 6.18 to 7.2, ErrNotSupported). The options are those of
// New; unless flags say otherwise the ring is for a single issuer and defers its task
// work, and the kernel's workers are limited (WithIOWQMaxWorkers). With SetupIOPoll a
// loop that waits for requests takes a whole processor and is not woken by posts. The
// errors are those of New.
//
// A waiting loop is idle. Before Linux 6.15 it counts as waiting for a disk (100 %
// iowait, and in /proc/pressure/io); if you want that, because it keeps the processor's
// frequency up, switch it on: loop.Control with Ring.SetIowait(true).
func NewLoop(entries int, opts ...Option) (*Loop, error) {
	o := newOptions(opts)
	if err := checkMixed(o.Flags); err != nil {
		return nil, err
	}
	if entries >= 1 {
		entries = max(entries, leastEntries(o.Flags))
	}
	l := &Loop{control: make(chan task), done: make(chan struct{})}
	l.woken = func(c Completion) {
		l.uncount()
		l.armed = false
		l.lacks.read = l.lacks.read || c.refusedByRing()
	}
	if err := l.mail.wake.open(); err != nil {
		return nil, explainWaker(err)
	}
	started := make(chan error)
	go l.own(entries, o, started)
	if err := <-started; err != nil {
		l.mail.wake.close()
		return nil, err
	}
	l.dropped = runtime.AddCleanup(l, tellDropped, dropped{l.control, caller()})
	return l, nil
}

// own is the life of the loop's thread. It does not end before the last request
// has completed: requests fail when the thread that submitted them exits. Nothing here
// may hold on to the loop while tend waits.
func (l *Loop) own(entries int, o *options, started chan<- error) {
	runtime.LockOSThread()
	ring, err := newLoopRing(entries, o)
	if err != nil {
		started <- err
		return
	}
	l.ring = *ring
	l.ring.loop = l
	l.backlog, l.apart = newBacklog(ring.mem, &l.table), newBacklog(ring.mem, &l.table)
	l.thread.Store(threadID())
	l.rawEnter = l.ring.mem.canRawEnter()
	if l.ring.Flags()&(SetupCQE32|SetupCQEMixed) != 0 {
		l.bigs = make([][2]uint64, len(l.batch))
		l.allSpecial = true
	}
	if l.ring.Features()&FeatMinTimeout != 0 {
		l.gather = o.latency
	}
	l.inspects = ring.audit != nil
	if l.ring.Flags()&SetupIOPoll != 0 {
		l.lacks = lacks{read: true, cancel: true}
	}
	if l.ring.Features()&FeatNoIowait != 0 {
		cSetIowait(l.ring.mem, false) // a liburing before 2.10 can't
	}
	l.measure()
	l.vacant = true
	close(started)
	tend(l.control, estate{l.ring.mem, l.mail.wake.fd})
}

func newLoopRing(entries int, want *options) (r *Ring, err error) {
	if err := want.prepareThread(); err != nil {
		return nil, err
	}
	r, err = want.withEffort(func() (r *Ring, err error) {
		for _, flags := range loopFlags {
			p := want.Params
			p.Flags |= compatible(flags, want.Flags)
			if r, err = want.queueInit(entries, &p); !errors.Is(err, syscall.EINVAL) {
				break
			}
		}
		return r, err
	})
	if err != nil {
		return nil, err
	}
	r.limitLoopWorkers()
	// The kernel finds a registered ring faster. Before Linux 5.18 it can't
	// register one, and the loop works as well.
	cRegisterRingFD(r.mem)
	askKernel(r)
	if err := want.settle(r, true); err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
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

// Run runs callbacks and posted functions until ctx ends, and then returns ctx.Err(),
// or until Stop, and then returns nil. Requests may still be in flight when it returns;
// another Run goes on with them.
//
// A callback that panics ends Run: it panics in turn, with a *CallbackPanic.
func (l *Loop) Run(ctx context.Context) error { return l.run(ctx, false) }

// RunUntilIdle is Run that also returns nil as soon as no request is in flight and no
// posted function waits. Streams that wait for buffers do not count. While the loop is
// not running afterwards, the kernel may hold on to files that a worker thread has
// used, even closed ones: it releases them when the loop runs again, or is closed.
func (l *Loop) RunUntilIdle(ctx context.Context) error { return l.run(ctx, true) }

// Stop makes Run return after the callback that is running, of a request or a timer: the
// next Run goes on with those that were to come behind it, in their order (and Close with
// those of requests). Only what was given to Post, or to BeforeSubmit, may still be called
// first. It may be called from any goroutine. If the loop is not running the next Run
// returns at once: a Stop that comes just before Run is not lost.
func (l *Loop) Stop() { l.mail.requestStop(nil) }

// Fail is Stop with an error for Run to return; of several calls the first one's
// counts.
func (l *Loop) Fail(err error) { l.mail.requestStop(err) }

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
	case l.control <- task{l, j.run}:
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
		if (untilIdle || l.finishing) && l.idle() {
			if l.finishing {
				l.Close(ctx) // on its thread it does not wait
			}
			return nil
		}
		if err := l.submitAndReap(-1); err != nil {
			return err
		}
		l.dispatch()
		if l.timers.Pending != 0 {
			l.fireTimers()
		}
	}
}

func (l *Loop) idle() bool {
	m := l.ring.mem
	return l.inFlight == l.inner && int32(l.cqTail-*m.cq.khead) <= 0 && l.timers.Pending == l.timers.Inner && l.next == l.have && len(l.made) == 0 && !l.mail.attention.Load() &&
		!l.canFeed() && len(l.eve.list) == 0
}

// Local returns the value that the loop keeps under a key; make makes it on the first
// call. Use it for what the callbacks of one loop share without locks, such as a stock
// of buffers. Keys are compared like a context's: use a type of your own. Call it where
// requests are made.
func (l *Loop) Local(key any, make func() any) any {
	l.checkCaller()
	value, ok := l.locals[key]
	if !ok {
		value = make()
		if l.locals == nil {
			l.locals = map[any]any{}
		}
		l.locals[key] = value
	}
	return value
}

// LoopGroup is several loops that run side by side, as a rule one per processor. Each
// has its own thread and ring, and shares nothing with the others; each gets its
// connections from a listener of its own (SO_REUSEPORT), or from a loop that accepts
// and hands them on with Post and Next, or with HandOver if they are direct
// descriptors.
type LoopGroup struct {
	loops []*Loop
	next  atomic.Uint32
}

// NewLoopGroup sets up n loops as NewLoop does. If one fails, all are closed.
func NewLoopGroup(n, entries int, opts ...Option) (*LoopGroup, error) {
	if n < 1 {
		return nil, badInput("group of loops", "n is %d: it must be 1 at least", n)
	}
	g := new(LoopGroup)
	for range n {
		l, err := NewLoop(entries, opts...)
		if err != nil {
			return nil, errors.Join(err, g.Close(context.Background()))
		}
		g.loops = append(g.loops, l)
	}
	return g, nil
}

// Loops returns the loops.
func (g *LoopGroup) Loops() []*Loop { return g.loops }

// Next returns the loops in turn. It may be called from any goroutine.
func (g *LoopGroup) Next() *Loop { return g.loops[(g.next.Add(1)-1)%uint32(len(g.loops))] }

// Run runs all loops as Loop.Run does. When one ends, by Stop or with an error, the
// others are stopped; the error is the first one's. A callback's panic comes out of it
// as out of Loop.Run, once all have ended.
func (g *LoopGroup) Run(ctx context.Context) error {
	if ctx == nil {
		ctx = context.Background()
	}
	all, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	panics := make(chan any, len(g.loops))
	for _, l := range g.loops {
		wg.Go(func() {
			defer func() {
				if v := recover(); v != nil {
					panics <- v
					cancel(errStopped)
				}
			}()
			err := l.Run(all)
			if err == nil {
				err = errStopped
			}
			cancel(err)
		})
	}
	wg.Wait()
	select {
	case v := <-panics:
		panic(v)
	default:
	}
	switch cause := context.Cause(all); {
	case cause == errStopped:
		return nil
	case ctx.Err() != nil && cause == context.Cause(ctx):
		return ctx.Err()
	default:
		return cause
	}
}

// Stop makes Run return. It may be called from any goroutine.
func (g *LoopGroup) Stop() {
	for _, l := range g.loops {
		l.Stop()
	}
}

// Close closes all loops, side by side, as Loop.Close does.
func (g *LoopGroup) Close(ctx context.Context) error {
	errs := make([]error, len(g.loops))
	var wg sync.WaitGroup
	for i, l := range g.loops {
		wg.Go(func() { errs[i] = l.Close(ctx) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// How a Loop that was dropped without Close is noticed: its thread holds on to it only
// while a function of its runs, or the kernel has requests of its.

// task is a function that a loop's thread is to call.
type task struct {
	loop *Loop // nil: it has been dropped
	do   func()
}

// estate is what a loop that was dropped leaves behind, but for the memory of its
// BufGroups, of which somebody may still have parts.
type estate struct {
	mem  *ringMem
	wake int // the waker's descriptor
}

// tend does what a loop's thread is to do, until the loop is closed or was dropped.
func tend(control <-chan task, left estate) {
	var l *Loop // nil if nobody minds its being dropped
	defer func() {
		if l != nil {
			l.exit() // also if a function has ended the goroutine
		}
	}()
	for {
		t := <-control
		if l = t.loop; l == nil {
			left.settle()
			return
		}
		t.do()
		if l.quit {
			return
		}
		if l.vacant {
			l = nil
		}
	}
}

// settle gives back what can be.
func (e estate) settle() {
	r := Ring{mem: e.mem}
	r.Close()
	closeFD(e.wake)
}

// dropped is what is known of a loop that nobody has any more.
type dropped struct {
	control chan<- task
	made    string // where
}

// tellDropped is called when the garbage collector has found a loop that was not closed.
func tellDropped(d dropped) {
	slog.Warn("liburing: a Loop was dropped without Close: its thread and ring are given back, what it was asked to do is lost", "made", d.made)
	go func() { d.control <- task{} }()
}

// caller returns where the package was called from.
func caller() string {
	var pcs [16]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs[:])])
	for {
		frame, more := frames.Next()
		if !more || !strings.HasPrefix(frame.Function, "github.com/go-liburing/liburing.") {
			return fmt.Sprintf("%s:%d", frame.File, frame.Line)
		}
	}
}
