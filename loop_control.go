package liburing

import (
	"context"
	"runtime/debug"
	"sync/atomic"
)

// Post has the loop call f, from any goroutine. Functions of one goroutine are
// called in their order. If the loop is not running they wait until it is, or is
// closed: what was taken is called, by Close before it cancels anything. Requests
// that such a function makes then are refused, and their callbacks told ErrClosed.
// From the call of Close on the error is ErrClosed, and f is not called.
func (l *Loop) Post(f func()) error {
	if f == nil {
		return badInput("post", "there is no function to call")
	}
	return l.mail.add(f)
}

// Control calls f with the loop's ring, on the loop's thread, and returns its
// error: for registering buffers and files and the like. It may be called from
// any goroutine, while the loop runs and while it stands still. f must leave the ring's
// queues alone, but it may resize them where Resize may be called. Should it panic,
// Control does, with a *CallbackPanic.
func (l *Loop) Control(f func(*Ring) error) error {
	if f == nil {
		return badInput("control", "there is no function to call")
	}
	return l.call(func() error { return f(&l.ring) })
}

// call calls f on the loop's thread.
func (l *Loop) call(f func() error) error {
	if l.onThread() {
		return f()
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
// own choice, or the tag of a registered file or buffer that the kernel has let go
// of. Such user data must have the highest bit clear, which tokens have set.
// Without a function they are counted as Stats.Stale. Call it where requests are
// made.
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

// guard calls f and catches its panic.
func guard(f func() error) (panicked *CallbackPanic, err error) {
	defer func() {
		if v := recover(); v != nil {
			panicked = &CallbackPanic{Value: v, Stack: debug.Stack()}
		}
	}()
	return nil, f()
}

// Stats counts what a loop has done.
type Stats struct {
	Submitted uint64 // requests handed to the kernel, the loop's own among them
	Completed uint64 // completions given to callbacks
	Enters    uint64 // system calls to submit or wait
	Batches   uint64 // times that completions were taken off the ring
	Stale     uint64 // completions that belonged to no request: 0 unless others ring messages in
	InFlight  int    // requests without their terminal completion
	Timers    int    // timers that are armed

	// Overflows is how often the completion queue was found to have been too
	// small. The kernel keeps what does not fit, so nothing is lost (SetupCQEMixed,
	// where some do, is refused: see NewLoop), but slowly.
	Overflows uint64

	// BuffersShort is how many requests ended because their BufGroup had no
	// buffer left.
	BuffersShort uint64

	// StreamPauses is how often a stream paused because its requests ended again
	// and again and brought nothing; see Rearm.
	StreamPauses uint64
}

// Stats returns what the loop has counted so far. The loop's thread counts for
// itself, which costs next to nothing, and is asked for the figures.
func (l *Loop) Stats() Stats {
	var s Stats
	err := l.call(func() error {
		s = l.counted()
		return nil
	})
	if err != nil {
		return l.mail.lastStats()
	}
	return s
}

// counted returns the figures, on the loop's thread.
func (l *Loop) counted() Stats {
	s := l.stats
	s.InFlight = l.inFlight - l.inner
	s.Timers = l.timers.Pending - l.timers.Inner
	return s
}

// A ring that changes under its loop.

// Resize gives the loop queues of other sizes: sq requests per submission, two at
// least (four with SetupSQEMixed), and room for cq completions, no fewer; 0 leaves a
// size as it is. Call it where requests are made, or while the loop runs from any
// goroutine, and under load: what is queued or in flight stays, and a chain that is
// being made goes on. EOVERFLOW if what the kernel holds does not fit; then nothing has
// changed. A chain that is longer than the new queue fails. The ring must have
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
