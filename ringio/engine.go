//go:build linux

package ringio

import (
	"context"
	"math"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/yield"
	"golang.org/x/sys/unix"
)

// engine is one ring and the goroutine that serves it, the pump.
//
// Goroutines stage their requests in a list. The pump fills the ring with them,
// submits, takes completions and wakes their goroutines; it lets those run before it
// submits again, so that what they stage goes to the kernel together. When nothing is
// left it parks on the ring's descriptor in the runtime's netpoller. Whoever stages
// while it is parked does its work once, in its place: to submit costs less than to
// wake it. The goroutines of connections send another, the runner, to do so: there are
// thousands of them, and to drive takes a stack of twice the size.
//
// The pump is not locked to a thread, and neither is who takes its place. So the
// thread that submitted a request may end before it, and the kernel then gives up the
// request with ECANCELED and nothing done: one that nobody has cancelled is made anew.
// For the same reason a ring for a single issuer, or one that defers its work, is not
// for this.
type engine struct {
	mu     sync.Mutex // whoever has it uses the ring
	ring   *liburing.Ring
	table  table
	queued []*op // taken from the list that is staged, and to be filled in
	flying int   // requests that the kernel has
	files  bool  // the last one is for a file
	owing  owing // by whom they were submitted
	home   home  // and by whom most are of late
	ended  bool  // the ring is gone
	sqPoll bool  // the kernel takes requests in its own time
	brief  brief // whether they are quick to submit
	watch  *watch
	fixed  fixed
	counts counts

	staging struct {
		sync.Mutex
		ops []*op
	}
	waiters atomic.Int32 // goroutines whose reads and writes wait for a disk, by the ring or not
	syncs   atomic.Int32 // and those that wait until what was written is there
	present atomic.Int32 // flying, for those without the lock

	plainReads atomic.Int32 // those that are under way
	polls      bool         // that stay in the kernel may be relied on
	threads    int32        // how many of them may be, unless it is known that they need not wait
	yield      yield.Shared // before calls that wait for a disk

	waiting  atomic.Bool  // something is staged
	parked   atomic.Bool  // the pump is, or is about to be
	awaited  atomic.Int32 // who has yet to come until somebody submits, see await
	parks    atomic.Uint64
	woken    int // goroutines, in this turn
	reaped   reaped
	crowd    crowd       // whether there are many of them
	few      few         // or few
	shut     atomic.Bool // nothing more is staged; set with the lock of what is
	rechecks atomic.Bool // recheck is going to be called

	poller  *os.File // a duplicate of the ring's descriptor
	readied syscall.RawConn
	look    func(uintptr) bool // ready, made once
	gone    chan struct{}      // the pump has returned
	errands chan struct{}      // one place: the runner has to drive
	stopped atomic.Bool        // the runner has to return

	forbidden forbidden
}

// snapshot returns the counts.
func (e *engine) snapshot() counts {
	e.mu.Lock()
	defer e.unlock()
	c := e.counts
	c.inFlight = e.flying
	c.parks = e.parks.Load()
	return c
}

// spareThreads is how many threads beside one a processor may be in reads of which the
// page cache should have everything.
const spareThreads = 64

// newEngine sets up a ring and starts its pump.
func newEngine(o Options) (*engine, error) {
	ring, err := newRing(o)
	if err != nil {
		return nil, err
	}
	e := &engine{
		ring: ring, sqPoll: ring.Flags()&liburing.SetupSQPoll != 0, polls: ring.Features()&newPolls != 0, threads: int32(runtime.GOMAXPROCS(0)) + spareThreads,
		gone: make(chan struct{}), errands: make(chan struct{}, 1), brief: brief{limit: briefLimit}, few: few{room: pollerRoom()},
	}
	e.look = e.ready
	if e.forbidden.first, err = tryOut(ring); err != nil {
		ring.Close()
		return nil, err
	}
	if err := e.openPoller(); err != nil {
		ring.Close()
		return nil, err
	}
	go e.pump()
	go e.run()
	return e, nil
}

// tryOut makes a request: a sandbox may allow to set a ring up, and not to enter it. It
// returns the first entry of the ring's queue.
func tryOut(ring *liburing.Ring) (first *liburing.SQE, err error) {
	first = ring.GetSQE()
	first.PrepNop()
	if _, err := ring.SubmitAndWait(1); err != nil {
		return nil, err
	}
	cqe, err := ring.PeekCQE()
	if err != nil {
		return nil, err
	}
	defer ring.CQESeen(cqe)
	return first, cqe.Err() // a filter of the thread's may forbid requests
}

// openPoller has the netpoller watch the ring. It must be a descriptor of our own:
// closing the File would close the ring's.
func (e *engine) openPoller() error {
	fd, err := e.duplicate()
	if err != nil {
		return err
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		unix.Close(fd)
		return os.NewSyscallError("fcntl", err)
	}
	e.poller = os.NewFile(uintptr(fd), "io_uring")
	netpollerBegun.Store(true)
	e.readied, err = e.poller.SyscallConn()
	return err
}

// netpollerFDs is how many descriptors Go's netpoller opens when it watches something for the
// first time. Where it can't it ends the process.
const netpollerFDs = 2

// netpollerBegun says that it has watched something of ours. Nobody tells of others'.
var netpollerBegun atomic.Bool

// duplicate returns another descriptor of the ring, if there is room for the netpoller's too.
func (e *engine) duplicate() (int, error) {
	fds := make([]int, 1, 1+netpollerFDs)
	if !netpollerBegun.Load() {
		fds = fds[:cap(fds)]
	}
	for i := range fds {
		fd, err := unix.FcntlInt(uintptr(e.ring.FD()), unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			closeAll(fds[:i])
			return -1, noDescriptor(err)
		}
		fds[i] = fd
	}
	closeAll(fds[1:])
	return fds[0], nil
}

func closeAll(fds []int) {
	for _, fd := range fds {
		unix.Close(fd)
	}
}

// noDescriptor makes an error that says what it takes of fcntl's.
func noDescriptor(err error) error {
	return &liburing.OpError{Op: "fcntl", Err: err,
		Hint: "no file descriptor is left for the engine, which takes two for each ring: raise `ulimit -n` (LimitNOFILE= in systemd), or close what is not needed"}
}

// acquire returns an op to fill, release takes it back.
func (e *engine) acquire() *op { return e.table.acquire(e) }

func (e *engine) release(o *op) { e.table.release(o) }

// submit stages o and has it go to the kernel soon. It may enter the kernel, but does
// not wait in it. The error is for an engine that is shut down: then there will be no
// completion.
func (e *engine) submit(o *op) error {
	if err := e.stage(o); err != nil {
		return err
	}
	e.kick()
	return nil
}

// submitHere is submit by the calling thread, and by no other where that fails.
func (e *engine) submitHere(o *op) error {
	e.mu.Lock()
	err := e.stage(o)
	if err == nil {
		o.remade = mostRemade
		e.turn(mostAtOnce)
	}
	e.mu.Unlock()
	e.sendRunner() // for what has come meanwhile, and what is left to be told
	return err
}

// stage is submit without kick: it may be called where the ring is locked.
func (e *engine) stage(o *op) error {
	o.anew()
	waited := o.told == nil && !o.quick
	if waited {
		o.done.Add(1)
	}
	if !e.put(o, false) {
		if waited {
			o.done.Done()
		}
		if e.forbidden.is() {
			return errForbidden
		}
		return ErrShutdown
	}
	return nil
}

// stageAgain stages o from where its end is told, to go on with what was begun: shutdown
// waits for that.
func (e *engine) stageAgain(o *op) {
	o.anew()
	e.put(o, true)
}

// anew readies o to be staged.
func (o *op) anew() {
	if o.cancelled.Load() { // a look is cheaper than a store
		o.cancelled.Store(false)
	}
	o.remade = 0
}

// put adds o to what is staged, if the engine is open or has to take it.
func (e *engine) put(o *op, must bool) bool {
	s := &e.staging
	s.Lock()
	if e.shut.Load() && !must {
		s.Unlock()
		return false
	}
	s.ops = append(s.ops, o)
	if !e.waiting.Load() {
		e.waiting.Store(true)
	}
	s.Unlock()
	return true
}

// portionsInFlight is how many portions all requests in flight make up. A disk begins to
// read when it is told to: it is not to wait until all who were woken have come.
const portionsInFlight = 16

// await has the last of n goroutines, whom the pump has woken, submit what they stage. Of
// many it is not waited for all: the pump submits, or, where files are read and written, the
// last of each portion.
func (e *engine) await(n int) {
	switch {
	case e.files:
		n = min(n, max(e.flying/portionsInFlight, 2))
	case n >= crowdSize:
		n = 0
	}
	e.awaited.Store(int32(n))
}

// kick sees to it that what is staged gets submitted: by the pump, unless that sleeps, or
// all whom it has woken have come. It may be long until it runs where others compute.
func (e *engine) kick() {
	if e.awaited.Add(-1) == 0 || e.parked.Load() {
		e.drive()
	}
}

// kickAside is kick that has the runner drive, for those of whom thousands may wait: to
// drive takes more stack than a goroutine begins with, and what has grown once stays so
// large.
func (e *engine) kickAside() {
	if e.awaited.Add(-1) == 0 || e.parked.Load() {
		e.sendRunner()
	}
}

// sendRunner has the runner drive, as soon as the caller waits or ends.
func (e *engine) sendRunner() {
	select {
	case e.errands <- struct{}{}:
	default: // it is about to
	}
}

// run is the runner: it drives for others.
func (e *engine) run() {
	for range e.errands {
		if e.stopped.Load() {
			return
		}
		e.drive()
		runtime.Gosched() // as the pump does, if there is more to tell
	}
}

// drive has the ring take what is staged and tell what is done, unless somebody is at
// it already: that one looks again after giving the lock back. What is left to be told the
// pump tells, or the runner if that sleeps.
func (e *engine) drive() {
	for e.mu.TryLock() {
		alone, before := e.parked.Load(), e.woken
		if alone {
			e.crowd.ran(-int(e.awaited.Load()))
		}
		e.turn(e.crowd.most())
		if e.files {
			e.await(math.MaxInt) // the next portion
		}
		more := alone && !e.ended && e.ready(0)
		if more {
			e.crowd.left(e.woken - before)
		}
		e.mu.Unlock()
		if more {
			e.sendRunner()
		}
		if !e.waiting.Load() {
			break
		}
	}
}

// unlock gives the ring's lock back where it was held for something else, and looks
// for whom that kept from driving.
func (e *engine) unlock() {
	e.mu.Unlock()
	if e.waiting.Load() {
		e.kick()
	}
}

// wait returns o's result when the kernel has finished with it. When d, which may be
// nil, is over, or is closed, it has o cancelled first. What came all the same is not
// lost: the result is a success then.
func (e *engine) wait(o *op, d *deadline) (res int32, flags liburing.CQEFlags) {
	if d == nil {
		o.done.Wait()
		return o.res, o.flags
	}
	d.attach(o)
	o.done.Wait()
	d.detach()
	return o.res, o.flags
}

// waitContext waits as wait does, and has o cancelled when ctx ends. See forContext.
func (e *engine) waitContext(ctx context.Context, o *op) (res int32) {
	if ctx.Done() == nil {
		<-o.ended
		return o.res
	}
	select {
	case <-o.ended:
	case <-ctx.Done():
		e.cancel(o)
		<-o.ended
	}
	return o.res
}

// cancel asks for the end of o, which somebody waits for. The end is told as any.
func (e *engine) cancel(o *op) {
	if o.cancelled.Swap(true) {
		return
	}
	e.mu.Lock()
	e.counts.cancels++
	token, flying := o.token(), o.flying
	e.mu.Unlock() // kick comes
	if flying {   // else it has not been submitted, and will not be
		e.cancelToken(token, cancelPause)
	} else {
		e.waiting.Store(true)
	}
	e.kick()
}

// cancelHere is cancel for who tells completions, of a request that the kernel has: the ring
// is locked, and looked at again. It reports whether nobody has cancelled it before.
func (e *engine) cancelHere(o *op) bool {
	if o.cancelled.Swap(true) {
		return false
	}
	e.cancelToken(o.token(), cancelPause)
	return true
}

// cancelPause is how long it takes until a cancel that has found nothing is repeated, for the
// first time.
const cancelPause = time.Millisecond

// cancelToken cancels what token names. What the kernel does not find may be between
// two states: it is looked for again.
func (e *engine) cancelToken(token uint64, pause time.Duration) {
	c := e.acquire()
	c.entry().PrepCancel64(token, 0)
	c.target, c.pause, c.told = token, pause, cancelTold
	c.cancelled.Store(false)
	e.put(c, true)
}

// cancelTold is told what has become of a cancel. It has all from the op: a closure would be
// allocated for each.
func cancelTold(o *op, res int32, _ liburing.CQEFlags, _ bool) {
	e, token, pause := o.engine, o.target, o.pause
	e.release(o)
	if res < 0 && e.table.find(token) != nil {
		time.AfterFunc(pause, func() { e.cancelToken(token, min(2*pause, 100*time.Millisecond)); e.kick() })
	}
}

// stop is shutdown of an engine that has nothing to do.
func (e *engine) stop() { e.shutdown(context.Background()) }

// shutdown lets what is in flight end until ctx does, then cancels it, and gives the
// ring back when the kernel has nothing more of it. The error is ctx's if that ended
// first.
func (e *engine) shutdown(ctx context.Context) error {
	e.staging.Lock()
	e.shut.Store(true)
	e.staging.Unlock()
	e.mu.Lock()
	e.crowd.end()
	e.few.close()
	e.unlock()
	err := e.settle(ctx)
	e.mu.Lock()
	if e.ended {
		e.mu.Unlock()
		return err
	}
	e.ended = true
	e.mu.Unlock()
	e.poller.Close()
	<-e.gone
	e.stopped.Store(true)
	e.sendRunner()
	e.ring.Close()
	return err
}

// settle waits until the kernel has no request; once ctx has ended it cancels them.
func (e *engine) settle(ctx context.Context) (err error) {
	for pause := 50 * time.Microsecond; !e.idle(); pause = min(2*pause, 5*time.Millisecond) {
		if err = ctx.Err(); err != nil {
			e.cancelAll()
		}
		e.leaveUnread()
		e.kick()
		time.Sleep(pause)
	}
	return err
}

// leaveUnread ends what is in flight for no one: what waits for bytes that nobody reads, so that
// a connection would keep shutdown waiting until its peer says something, and recheck's time.
func (e *engine) leaveUnread() {
	e.few.endUnread()
	e.mu.Lock()
	defer e.unlock()
	e.eachFlying(func(o *op) {
		switch of := o.keep.(type) {
		case *readPoll:
			of.recallUnread()
		case *recheckTime:
			e.cancelHere(o)
		}
	})
}

// eachFlying calls f with the requests that the kernel has. The ring is locked.
func (e *engine) eachFlying(f func(*op)) {
	for _, p := range e.table.pieces() {
		for i := range p.ops {
			if o := &p.ops[i]; o.flying {
				f(o)
			}
		}
	}
}

func (e *engine) idle() bool {
	e.mu.Lock()
	defer e.unlock()
	return e.flying == 0 && len(e.queued) == 0 && !e.waiting.Load() && e.few.none()
}

// cancelAll cancels all that the kernel has.
func (e *engine) cancelAll() {
	e.few.end()
	e.forbidden.cut.Store(true)
	e.endStuck()
	for _, token := range e.inFlight() {
		e.cancelToken(token, cancelPause)
	}
}

// inFlight returns what the kernel has and is not being cancelled, and says that it is.
func (e *engine) inFlight() (tokens []uint64) {
	e.mu.Lock()
	defer e.unlock()
	e.eachFlying(func(o *op) {
		if !o.cancelled.Swap(true) {
			tokens = append(tokens, o.token())
		}
	})
	return tokens
}
