package liburing

import (
	"context"
	"runtime/debug"
	"sync"
	"sync/atomic"
)

// Post has the loop call f, from any goroutine. Functions posted by one goroutine are
// called in order. If the loop is not running they wait until it runs or is closed:
// every function that Post accepted is called, at the latest by Close before it cancels
// anything. Requests that such a function makes then are refused, and their callbacks
// told ErrClosed. Once Close has been called the error is ErrClosed, and f is not
// called.
func (l *Loop) Post(f func()) error {
	if f == nil {
		return badInput("post", "there is no function to call")
	}
	return l.mail.add(f)
}

// Control calls f with the loop's ring, on the loop's thread, and returns its error:
// for registering buffers and files and the like. It may be called from any goroutine,
// whether the loop runs or not. f must leave the ring's queues alone, except that it
// may resize them where Resize may be called. If f panics, Control does, with a
// *CallbackPanic.
func (l *Loop) Control(f func(*Ring) error) error {
	if f == nil {
		return badInput("control", "there is no function to call")
	}
	return l.call(func() error { return f(&l.ring) })
}

// call calls f on the loop's thread.
func (l *Loop) call(f func() error) error {
	if l.onThread() {
		panicked, err := guard(f)
		return jobEnd{err, panicked}.result()
	}
	j := l.newJob(f, nil)
	select {
	case l.control <- task{l, j.run}:
		return j.wait()
	default: // the thread is busy
	}
	if err := l.Post(j.run); err != nil {
		return err
	}
	// Run may return before it sees the post, and the thread be idle again.
	select {
	case l.control <- task{l, j.run}:
		return j.wait()
	case e := <-j.ended:
		return e.result()
	case <-l.done:
	}
	select {
	case e := <-j.ended: // f itself has closed the loop
		return e.result()
	default:
		return ErrClosed
	}
}

// OnMessage has the loop call f for each completion that belongs to none of its
// requests: a message that another ring has sent (MsgRing) with user data of its
// choice, or the tag of a registered file or buffer that the kernel has released. Such
// user data must have the highest bit clear, which tokens have set. Without a function
// they are counted as Stats.Stale. Call it where requests are made.
func (l *Loop) OnMessage(f func(userData uint64, c Completion)) {
	l.checkCaller()
	l.message = f
}

// attend does what other goroutines want.
func (l *Loop) attend(ctx context.Context) (stop bool, err error) {
	l.mail.attention.Store(false)
	l.runPosts() // those behind one that panicked
	l.posts, l.nextPost = l.mail.collect(l.posts[:0]), 0
	l.runPosts()
	if err := ctx.Err(); err != nil {
		return true, err
	}
	return l.mail.stopped()
}

func (l *Loop) runPosts() {
	for l.nextPost < len(l.posts) {
		f := l.posts[l.nextPost]
		l.posts[l.nextPost] = nil
		l.nextPost++
		f()
	}
}

// job is a call that the loop's thread makes for a goroutine which waits for it.
type job struct {
	loop  *Loop
	f     func() error
	after func()      // of a Run, called when f has ended, however it did; else nil
	begun atomic.Bool // whoever gets hold of the job first runs it
	ended chan jobEnd
}

type jobEnd struct {
	err   error
	panic *CallbackPanic
}

func (l *Loop) newJob(f func() error, after func()) *job {
	return &job{loop: l, f: f, after: after, ended: make(chan jobEnd, 1)}
}

// run calls the function, once, on the loop's thread. One that ends the goroutine
// (runtime.Goexit) closes the loop: whoever learns of it finds it closed.
func (j *job) run() {
	if j.begun.Swap(true) {
		return
	}
	end, returned := jobEnd{err: ErrGoexit}, false
	told := j.loop.told()
	defer func() {
		if !returned {
			j.loop.closing.Store(true)
			j.loop.mail.beginClose()
		}
		j.loop.lookForRequests(j.after != nil, told)
		if j.after != nil {
			j.after()
		}
		j.ended <- end
	}()
	end.panic, end.err = guard(j.f)
	returned = true
}

// lookForRequests finds out, at the end of a job, whether the kernel has requests of
// users. Only behind a Run do the loop's own figures tell: while the loop stands still
// another goroutine may be making requests. Then those count as the kernel's if it was
// told of any.
func (l *Loop) lookForRequests(ran bool, told uint32) {
	if ran {
		l.vacant = l.inFlight == l.inner
	} else if l.told() != told {
		l.vacant = false
	}
}

// told returns how many entries the kernel was told of, modulo 1<<32.
func (l *Loop) told() uint32 {
	if l.ring.mem == nil {
		return 0
	}
	return atomic.LoadUint32(l.ring.mem.sq.ktail)
}

// wait returns the function's error when it has ended, or panics as it did.
func (j *job) wait() error { return (<-j.ended).result() }

func (e jobEnd) result() error {
	if e.panic != nil {
		panic(e.panic)
	}
	return e.err
}

// guard calls f and catches its panic. One that was caught before, by a call within f,
// stays what it is.
func guard(f func() error) (panicked *CallbackPanic, err error) {
	defer func() {
		v := recover()
		if caught, ok := v.(*CallbackPanic); ok {
			panicked = caught
		} else if v != nil {
			panicked = &CallbackPanic{Value: v, Stack: debug.Stack()}
		}
	}()
	return nil, f()
}

// mailbox is the part of a loop that other goroutines may touch: what they want
// of it, and how they wake it.
type mailbox struct {
	// attention is set when the loop should look into the mailbox, sleeping
	// while the loop may be blocked in the kernel: whoever sets the first and
	// finds the second set wakes it. One wake-up serves many.
	attention atomic.Bool
	sleeping  atomic.Bool
	// stopping is set while Run is under way and is to call no completion's callback and
	// no timer any more. Posts are: who posts and then stops wants both.
	stopping atomic.Bool
	wake     waker

	mu    sync.Mutex
	state loopState
	stop  bool     // Run is to return
	why   error    // what it is to return
	posts []func() // in the order they came
	stats Stats    // of a loop that is being closed

	refused []refused // requests of a loop that is being closed
	answers answers   // which of them are told
	ended   bool      // the loop tells of no refusal any more
}

// leaveStats leaves a closing loop's figures for other goroutines.
func (b *mailbox) leaveStats(s Stats) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stats = s
}

// lastStats returns the figures that were left last.
func (b *mailbox) lastStats() Stats {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.stats
}

type loopState uint8

const (
	loopIdle loopState = iota
	loopRunning
	loopClosing
)

// add queues a function for the loop and tells whether it will be run.
func (b *mailbox) add(f func()) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.state == loopClosing {
		return ErrClosed
	}
	b.posts = append(b.posts, f)
	b.alert()
	return nil
}

// collect returns what was queued, leaving the given empty slice to be filled.
func (b *mailbox) collect(empty []func()) []func() {
	b.mu.Lock()
	defer b.mu.Unlock()
	posts := b.posts
	b.posts = empty
	return posts
}

// alert has the loop look into the mailbox soon.
func (b *mailbox) alert() {
	b.attention.Store(true)
	if b.sleeping.CompareAndSwap(true, false) {
		b.wake.signal()
	}
}

// inRun reports whether the loop is running.
func (b *mailbox) inRun() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.state == loopRunning
}

// stopped reports whether Run is to return, and with which error.
func (b *mailbox) stopped() (bool, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.stop, b.why
}

// requestStop has Run return, with the first error.
func (b *mailbox) requestStop(why error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stop = true
	if b.why == nil {
		b.why = why
	}
	if b.state == loopRunning {
		b.stopping.Store(true)
		b.alert()
	}
}

// begin changes from standing still to running.
func (b *mailbox) begin() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch b.state {
	case loopIdle:
		b.state = loopRunning
		b.attention.Store(true)
		return nil
	case loopRunning:
		return ErrRunning
	}
	return ErrClosed
}

// end is begin's counterpart; a loop that is being closed stays so.
func (b *mailbox) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stopping.Store(false) // also for the completions of a loop that is being closed
	if b.state == loopRunning {
		b.state = loopIdle
		b.stop, b.why = false, nil
	}
}

// beginClose has the loop take nothing more and reports whether this is the
// first call.
func (b *mailbox) beginClose() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.state == loopClosing {
		return false
	}
	b.stopping.Store(b.state == loopRunning)
	b.state = loopClosing
	b.stop = true
	b.alert()
	return true
}

// addRefused leaves a refused request for the loop to tell of, unless it is one too
// many, and reports whether the loop is there to do so.
func (b *mailbox) addRefused(r refused) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.ended && !b.answers.end(r.depth) {
		b.refused = append(b.refused, r)
	}
	return !b.ended
}

// returnRefused leaves requests that were collected and not told of.
func (b *mailbox) returnRefused(list []refused) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.refused = append(b.refused, list...)
}

// collectRefused returns the requests that were refused since the last call.
func (b *mailbox) collectRefused() []refused {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := b.refused
	b.refused = nil
	return list
}

// endRefusals has the loop tell of no refusal any more, unless there are some now
// and force is false. It reports whether it has ended that.
func (b *mailbox) endRefusals(force bool) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ended = force || len(b.refused) == 0
	return b.ended
}

// A ring that changes under its loop.

// Resize changes the sizes of the loop's queues: sq requests per submission, at least
// two (four with SetupSQEMixed), and room for cq completions, no fewer than sq; 0
// leaves a size as it is. Call it where requests are made, or from any goroutine while
// the loop runs, even under load: what is queued or in flight stays, and a chain that
// is being made goes on. EOVERFLOW if what the kernel holds does not fit; then nothing
// has changed. A chain that is longer than the new queue fails. The ring must have
// SetupDeferTaskrun, which NewLoop sets where it can. See Ring.ResizeRings. Needs Linux
// 6.13.
func (l *Loop) Resize(sq, cq int) error {
	if sq < 0 || sq > MaxEntries || cq < 0 || cq > 2*MaxEntries {
		return badInput("io_uring_resize_rings", "the sizes (%d and %d) must be up to %d and %d", sq, cq, MaxEntries, 2*MaxEntries)
	}
	p := &Params{SQEntries: uint32(sq), CQEntries: uint32(cq)}
	if cq != 0 {
		p.Flags = SetupCQSize
	}
	return l.Control(func(r *Ring) error {
		if sq != 0 {
			p.SQEntries = uint32(max(sq, leastEntries(r.Flags())))
		}
		return r.ResizeRings(p)
	})
}

// replaceQueues calls f, which gives the ring other queues: what the kernel has not been
// told of is taken out of them first, and waits for the next turn.
func (l *Loop) replaceQueues(f func() error) error {
	m := l.ring.mem
	l.recall()
	entries := m.sq.sqes
	err := f()
	if m.sq.sqes != entries {
		l.epoch++
	}
	l.cqTail = atomic.LoadUint32(m.cq.ktail)
	l.measure()
	return err
}

// recall takes the requests that the kernel has not taken out of the queue. Those that it
// has been told of are among them after an enter that it refused, but for a kernel's
// thread, which may be at them.
func (l *Loop) recall() {
	m := l.ring.mem
	first := m.sq.sqeHead
	if m.flags&SetupSQPoll == 0 {
		first = m.loadSQHead()
	}
	if m.sq.sqeTail == first {
		return
	}
	l.backlog.takeBack(m, first)
	if m.flags&SetupSQPoll == 0 {
		m.flushSQ()
	}
	l.epoch++
}
