package liburing

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// How a loop ends.

// Close ends the loop at once; Finish does it in order. It cancels what is in flight,
// waits until the kernel is done with it and the callbacks have been called, and gives
// the ring back. From the call on the loop accepts nothing more; a running Run returns.
// Requests that were queued go to the kernel and are cancelled there: they may still
// succeed. If a callback panics meanwhile, the error is its *CallbackPanic.
//
// Files, buffers and an eventfd that are registered with the ring are released before
// Close returns; the kernel holds the ring's own memory, which may count as locked, for
// some 50 ms more (New waits for it if necessary).
//
// If ctx ends first, the error wraps its error and says what Close was waiting for: the
// loop goes on in the background until the kernel is done, and the memory of its
// requests stays alive until then. In a callback Close does not wait. A second Close
// waits for the first. Without a context it waits as long as it takes.
//
// Close does not wait for requests that never reached the kernel (because
// io_uring_enter is refused), nor for what the kernel can't cancel: after some seconds
// in which nothing completes and no cancel finds its request (drivers' commands,
// OpURingCmd, need not support it) Close gives the ring back all the same. Its error
// says so, the callbacks get one too, and the memory that the kernel may still use is
// kept for good.
func (l *Loop) Close(ctx context.Context) error {
	l.closing.Store(true)
	if l.mail.beginClose() {
		go func() {
			select {
			case l.control <- task{l, func() { l.quit = true }}:
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
	}
	why, ended := l.holdup()
	if ended {
		return l.closeErr
	}
	return fmt.Errorf("liburing: %s: %w", why, contextError(ctx))
}

// holdup says what holds Close up, or that the loop has just ended. A callback that does
// not return is seen in all looks. Between two rounds, and before the first, the thread is
// not in the kernel either, for as long as a busy machine makes it.
func (l *Loop) holdup() (why string, ended bool) {
	for range looks {
		if l.closer.inKernel.Load() {
			return "requests are still in flight, their memory is kept", false
		}
		select {
		case <-l.done:
			return "", true
		case <-time.After(time.Millisecond):
		}
	}
	return "a callback or a posted function has not returned yet, which Close waits for", false
}

// looks is how often holdup looks, once a millisecond.
const looks = 20

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
	l.tellClose()
	l.timers.Clear()
	l.sweeps, l.revoked = nil, revoked{}
	// Should it have been set up disabled, nothing would end. Kernels before 5.18
	// wait for all that is in flight first, so they are not asked without need.
	if m := l.ring.mem; m.flags&SetupRDisabled != 0 && m.loadSQHead() == 0 {
		cEnableRings(m)
	}
	for round := 0; l.inFlight > 0 && !l.closer.hopeless(); round++ {
		l.closer.begin(l.stats.Completed, l.backlog.len())
		l.inClose(func() error { return l.cancelRound(round) })
		l.tellRefused()
		l.mail.leaveStats(l.counted())
	}
	if l.inFlight > 0 {
		l.giveUp()
	}
	l.closer.tellLasts()
	l.endStreams()
	l.tellRefused()
	for round := 1; !l.mail.endRefusals(round > refusalRounds); round++ {
		l.tellRefused()
	}
	ended = true
	l.free()
}

// OnClose has the loop call f once when it is closed: after posted functions have run,
// and before requests in flight are cancelled. A loop that is already closed calls f at
// once. Call it where requests are made.
func (l *Loop) OnClose(f func()) {
	if l.Closing() {
		f()
		return
	}
	l.atClose = append(l.atClose, f)
}

// tellClose calls those functions, all of them, should one panic too.
func (l *Loop) tellClose() {
	for len(l.atClose) > 0 {
		f := l.atClose[0]
		l.atClose = l.atClose[1:]
		l.inClose(func() error { f(); return nil })
	}
}

// runLastPosts runs what was posted before the loop was closed, all of it, should
// one of the functions panic too.
func (l *Loop) runLastPosts() {
	for done := false; !done; {
		l.inClose(func() error {
			l.attend(context.Background())
			done = true
			return nil
		})
	}
}

// endStreams ends the streams that wait, for buffers or in a pause.
func (l *Loop) endStreams() {
	for _, g := range l.groups {
		if g != nil {
			l.endAll(&g.waiting)
		}
	}
	l.endAll(&l.resting)
}

func (l *Loop) endAll(list *streamList) {
	for list.n > 0 {
		s := list.first
		s.leave()
		l.inClose(func() error { s.end(); return nil })
	}
}

// free gives everything back.
func (l *Loop) free() {
	l.mail.leaveStats(l.counted())
	if l.closer.kept == nil {
		l.ring.mem.release()
		for _, g := range l.groups {
			if g != nil {
				g.abandon()
			}
		}
	}
	l.dropped.Stop()
	l.ring.loop = nil
	l.ring.Close()
	l.thread.Store(0)
	l.mail.wake.close()
	close(l.done)
}

// inClose calls f, whose first error or panic Close returns.
func (l *Loop) inClose(f func() error) {
	panicked, err := guard(f)
	if l.closeErr == nil && panicked != nil {
		l.closeErr = panicked
	} else if l.closeErr == nil {
		l.closeErr = err
	}
}

// cancelRound cancels what is in flight and takes completions for a while.
func (l *Loop) cancelRound(round int) error {
	l.closer.inKernel.Store(true)
	defer l.closer.inKernel.Store(false)
	if l.armed {
		l.mail.wake.signal()
	}
	l.cancelAll(round)
	if round > 2 {
		l.choke()
	}
	if round > 0 {
		// A multishot timeout that has fired is not found until the kernel has had this
		// thread make it again: let that be just before it is cancelled. On a busy machine
		// some time goes by between any two calls.
		cGetEvents(l.ring.mem)
	}
	wait := min(time.Millisecond<<min(round, 10), longestRound)
	start, waiting := time.Now(), l.backlog.len()
	for l.inFlight > 0 {
		l.closer.refused = l.submitAndReap(wait)
		if l.closer.refused != nil {
			time.Sleep(wait) // it is going to be tried again
			return l.closer.refused
		}
		l.closer.inKernel.Store(false)
		l.dispatch()
		l.closer.inKernel.Store(true)
		if queued := l.backlog.len(); len(l.sweeps) > 0 && (l.have > 0 || queued < waiting) {
			start, waiting = time.Now(), queued
			continue
		}
		if spent := time.Since(start); spent >= longestRound || len(l.sweeps) == 0 && spent >= wait && l.have == 0 {
			break
		}
	}
	return nil
}

// cancelAll cancels what is in flight, in the first round without being told of it if that
// can be.
func (l *Loop) cancelAll(round int) {
	if l.closer.refused != nil || l.backlog.len() > 0 && l.isInner(l.backlog.at(0)) {
		return // more cancels than go through would keep what they are for from the kernel
	}
	l.sweeps = []*sweep{newSweep(l.table.all(), round > 0)}
}

// choke lets the completion queue fill up, for a while at most. A multishot
// timeout of a few microseconds is firing whenever a cancel comes, and so not
// found; but like all multishot requests it ends when there is no room. Others end
// with it, without an error, as any may at any time. (Before Linux 6.16
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

// closer tells a loop's end that takes long from one that never comes.
type closer struct {
	inKernel  atomic.Bool // the thread is about requests in flight, not in a callback
	completed uint64      // how many requests had completed before the last round
	queued    int         // how many were waiting for room
	found     bool        // a cancel has found its request in it
	idle      int         // rounds in a row in which nothing has got on
	refused   error       // what the last system call failed with
	kept      *remains    // what was given up
	lasts     []func()    // tell the callbacks of that
}

// A round of Close takes a tenth of a second. What is refused once is refused.
const (
	patientRounds = 30
	refusedRounds = 5
)

// begin begins a round.
func (c *closer) begin(completed uint64, queued int) {
	c.idle++
	if c.found || completed != c.completed || queued < c.queued {
		c.idle = 0
	}
	c.found, c.completed, c.queued = false, completed, queued
}

// cancelled is told how each cancel has ended.
func (c *closer) cancelled(end Completion) {
	c.found = c.found || end.Res >= 0 || end.Res == -int32(syscall.EALREADY)
}

// hopeless reports whether no further round is going to end anything.
func (c *closer) hopeless() bool {
	return c.idle > patientRounds || c.refused != nil && c.idle > refusedRounds
}

// remains are what the kernel may still use of a loop that has been given up.
type remains struct {
	loop  *Loop
	ring  Ring
	table handleTable
}

// leaked keeps them reachable.
var leaked struct {
	sync.Mutex
	list []*remains
}

// giveUp ends the requests that are left for their callbacks, with an error. If the
// kernel has been told of them their memory stays as it is for good.
func (l *Loop) giveUp() {
	n, queued := l.inFlight-l.inner, l.unconsumed()
	old := l.table
	if l.inFlight > queued || l.ring.mem.flags&SetupSQPoll != 0 {
		l.closer.kept = &remains{l, l.ring, old}
		leaked.Lock()
		leaked.list = append(leaked.list, l.closer.kept)
		leaked.Unlock()
	}
	why := &OpError{Op: "close", Err: syscall.ECANCELED, Hint: fmt.Sprintf("%d requests never went to the kernel", n)}
	if l.closer.kept != nil {
		why.Hint = fmt.Sprintf("%d requests can't be cancelled: the ring was given back, and the memory that they use is kept for good", n)
	}
	if refused := new(OpError); errors.As(l.closer.refused, &refused) {
		why.Err, why.Hint = refused.Err, joinHints(why.Hint, refused.Hint)
	}
	var panicked *CallbackPanic
	if n > 0 && !errors.As(l.closeErr, &panicked) {
		l.closeErr = why
	}
	l.table, l.inFlight, l.inner, l.armed, l.made = handleTable{}, 0, 0, false, nil
	unbegun := l.unbegun()
	tell := func(f func()) { l.closer.lasts = append(l.closer.lasts, f) }
	old.inFlight(func(t Token) { tell(func() { l.tellHeld(old.handle(t), old.aside(t)) }) })
	old.inFlight(func(t Token) {
		tell(func() { l.tellGivenUp(old.handle(t), old.aside(t), why, !unbegun[uint64(t)]) })
	})
}

// tellLasts tells the callbacks of what was given up, each once, whatever they do.
func (c *closer) tellLasts() {
	for len(c.lasts) > 0 {
		tell := c.lasts[0]
		c.lasts = c.lasts[1:]
		tell()
	}
}

// tellHeld calls the callback of a request that has completed and that only waits for
// its deadline's end.
func (l *Loop) tellHeld(h *handle, a *aside) {
	if a == nil || a.deadline == nil || !a.deadline.holding {
		return
	}
	a.deadline.holding = false
	c, cb := a.deadline.held, h.cb
	c.detail = l.detailOf(h, a, a.deadline.big)
	l.name(h, a, &c)
	l.tellLast(h, cb, c)
	h.cb, h.group = ignore, 0
}

// tellGivenUp calls the callback of a request that was given up, begun if the kernel
// had been told of it.
func (l *Loop) tellGivenUp(h *handle, a *aside, why *OpError, begun bool) {
	told := &detail{refusal: &OpError{Op: h.op.String(), Err: why.Err, Hint: why.Hint}, unbegun: !begun}
	if a != nil {
		a.watch.end()
	}
	errno, _ := why.Err.(syscall.Errno)
	l.tellLast(h, h.cb, Completion{Res: -int32(errno), op: h.op, detail: told})
}

// tellLast calls the callback of a request's last completion.
func (l *Loop) tellLast(h *handle, cb Callback, c Completion) {
	l.inClose(func() error {
		if h.group != 0 {
			l.groups[h.group-1].deliver(c, cb, false)
		} else {
			cb(c)
		}
		return nil
	})
}

// unbegun returns the user data of the requests that the kernel has not taken, as far
// as one can know.
func (l *Loop) unbegun() map[uint64]bool {
	list := map[uint64]bool{}
	for i := range l.backlog.len() {
		list[l.backlog.at(i).UserData] = true
	}
	m := l.ring.mem
	if m.flags&(SetupSQPoll|SetupSQRewind) == 0 && !m.mixed() {
		for pos := m.loadSQHead(); pos != m.sq.sqeTail; pos++ {
			list[m.sqe(pos).UserData] = true
		}
	}
	return list
}

// unconsumed returns how many requests the kernel has not taken.
func (l *Loop) unconsumed() int {
	m := l.ring.mem
	n := l.backlog.len() + l.apart.len()
	for pos := m.loadSQHead(); pos != m.sq.sqeTail; pos++ {
		if m.mixed() || m.sqe(pos).UserData != uint64(sweepToken) {
			n++
		}
	}
	for i := range l.backlog.len() {
		if l.backlog.at(i).UserData == uint64(sweepToken) {
			n--
		}
	}
	return n
}

// Finish lets the loop finish its work, and then closes it: callbacks and posted
// functions run, and may make requests, until no request is in flight and no function
// waits; only then comes Close. Stop first what otherwise ends only with its peer or
// its timer (streams, Accept, Every). It may be called from any goroutine, whether the
// loop runs or not; in a callback it does not wait. Without a context it waits as long
// as it takes.
//
// If ctx ends first, the error wraps its error, and the loop goes on as before, except
// that it still ends when there is nothing more to do: Close ends it at once. This is
// the way to end a loop with drivers' commands (OpURingCmd), which can't be cancelled.
func (l *Loop) Finish(ctx context.Context) error {
	if ctx == nil {
		ctx = context.Background()
	}
	if l.onThread() {
		l.finishing = true
		return nil
	}
	if l.Post(func() { l.finishing = true }) != nil {
		return l.Close(ctx)
	}
	for {
		err := l.RunUntilIdle(ctx)
		switch {
		case err == nil || errors.Is(err, ErrClosed):
			if l.closing.Load() {
				return l.Close(ctx)
			}
		case !errors.Is(err, ErrRunning):
			return fmt.Errorf("liburing: the loop has not come to an end: %w", err)
		}
		// Somebody else runs it, or has just stopped it.
		select {
		case <-l.done:
		case <-ctx.Done():
		case <-time.After(finishLook):
		}
	}
}

// finishLook is how often Finish looks whether whoever runs the loop still does.
const finishLook = 10 * time.Millisecond
