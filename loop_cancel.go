package liburing

import (
	"context"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/go-liburing/liburing/internal/wheel"
)

// Revoke keeps cancelling a request until it has completed; a single Cancel may miss
// it. Its callback is told ECANCELED, unless it completes first.
func (l *Loop) Revoke(t Token) {
	if l.Closing() { // which cancels all
		return
	}
	if l.revoked.n++; l.revoked.n <= fewRevokes {
		l.revoke(t)
	} else {
		l.revoked.list = append(l.revoked.list, aged{token: t})
	}
}

// revoked is what is to be cancelled before the next submission, together: the order may matter.
type revoked struct {
	n    int // requests, those among them that have been cancelled at once
	list []aged
}

func (r *revoked) add(t Token) {
	r.n++
	r.list = append(r.list, aged{token: t})
}

// revokeTogether cancels what was collected.
func (l *Loop) revokeTogether() {
	l.revokeAll(l.revoked.list)
	l.revoked = revoked{list: l.revoked.list[:0]}
}

// revoke cancels a request until it has completed. Once is not enough for one
// that waits behind a link, which the kernel does not find before it has begun,
// for a multishot timeout, which it does not find while it fires, and for one that
// a worker is about to have wait for its file (EALREADY).
func (l *Loop) revoke(t Token) { l.tryToRevoke(t, 0, 0) }

// tryToRevoke cancels a request and tries again if it is not found, after a
// pause that grows.
func (l *Loop) tryToRevoke(t Token, flags SQEFlags, pause time.Duration) {
	h := l.table.handle(t)
	if l.closing.Load() || h == nil {
		return
	}
	timeout := h.op == OpTimeout
	l.queueCancel(t, flags, func(c Completion) {
		if err := syscall.Errno(-c.Res); err == syscall.ENOENT || err == syscall.EALREADY {
			if timeout && (pause > patience && l.drains || pause > longPatience) {
				l.choke()
			}
			l.missed++
			l.pause(pause, func() {
				longest := longestPause + time.Duration(l.missed)*missedPause
				l.missed--
				l.tryToRevoke(t, revokeFlags(timeout), min(2*pause+time.Millisecond, longest))
			})
		}
	})
}

// revokeFlags returns how a cancel is repeated. A worker cancels between two firings of a
// timeout, while the loop waits: what the loop submits itself comes when one is due.
func revokeFlags(timeout bool) SQEFlags {
	if timeout {
		return SQEAsync
	}
	return 0
}

const (
	longestPause = 100 * time.Millisecond
	missedPause  = 300 * time.Microsecond // longer for each: thousands may wait behind links, and to find none takes longest
	// While a request drains the ring no worker can cancel, and the loop's thread
	// always comes too late for a timeout of a few microseconds.
	patience = 5 * time.Millisecond
	// On a fast machine a worker may come too late for minutes.
	longPatience = 50 * time.Millisecond
)

// queueCancel cancels a request.
func (l *Loop) queueCancel(t Token, flags SQEFlags, done Callback) {
	if (l.drains || l.lacks.cancel) && l.cancelNow(t, flags, done) {
		return
	}
	sqe := l.queueInner(OpAsyncCancel, func(c Completion) {
		if !l.lacks.cancel && c.refusedByRing() {
			l.lacks.cancel = true
			l.queueCancel(t, flags, done)
			return
		}
		done(c)
	}, nil)
	sqe.PrepCancel64(uint64(t), 0)
	sqe.Flags |= flags
}

// cancelNow cancels a request without the queue, in which a cancel would wait
// behind the request that drains the ring, or which refuses it. It reports whether
// there was no need of the queue: the kernel can (since 6.0), or the queue can't either.
func (l *Loop) cancelNow(t Token, flags SQEFlags, done Callback) bool {
	if !l.onThread() { // the loop stands still, and the ring is its thread's
		l.Post(func() { l.queueCancel(t, flags, done) })
		return true
	}
	res := cRegisterSyncCancel(l.ring.mem, &SyncCancelReg{Addr: uint64(t), FD: -1})
	switch syscall.Errno(-res) {
	case syscall.EINVAL, syscall.EACCES, syscall.EPERM:
		if !l.lacks.cancel {
			return false
		}
	case etime, syscall.EINTR: // it was found, and would have had to be waited for
		res = -int32(syscall.EALREADY)
	}
	done(Completion{Res: res, op: OpAsyncCancel})
	return true
}

// CancelOp cancels a request of an operation, with AsyncCancelAll every one, on any
// descriptor or with AsyncCancelFD only on fd. The result is that of Cancel. This
// includes the loop's own requests, which the loop makes again. Needs Linux 6.6: 6.1
// ignores the operation.
func (l *Loop) CancelOp(op Op, fd int, flags CancelFlags, cb Callback) Request {
	if l.refuses() {
		return l.refuse(OpAsyncCancel, cb)
	}
	if flags&AsyncCancelUserdata != 0 {
		return l.queueBadArgs(OpAsyncCancel, cb, "flags ask for a token's request, and the token is not given: use Cancel")
	}
	sqe, r := l.queue(OpAsyncCancel, kindPlain, cb, nil)
	sqe.PrepCancel64(0, flags|AsyncCancelOp)
	sqe.Len = uint32(op)
	if flags&AsyncCancelFD != 0 {
		sqe.FD = descriptor(fd)
		sqe.useFixed(fd)
	}
	return r
}

// CancelAndClose cancels all requests on a descriptor and then closes it; cb is called
// with the result of the close. If a descriptor is only closed, the requests in flight
// keep its file open: a connection is not hung up, and a receive takes the next bytes
// that come. Needs Linux 5.19; before that it only closes.
func (l *Loop) CancelAndClose(fd int, cb Callback) Request {
	l.CancelFD(fd, AsyncCancelAll, nil).HardLinkNext()
	return l.CloseFD(fd, cb)
}

// What ends a request before its time: a context, or a deadline.

// watch is a context of a request.
type watch struct {
	ctx   context.Context
	token Token  // of the request
	also  *watch // another one of it

	watched    *watched
	prev, next *watch // others of that, those that came later first
}

// watched is what ends a context's requests, all of them at once: the loop has one for
// each context that it knows of.
type watched struct {
	loop  *Loop
	done  <-chan struct{} // the context's, by which it is known: contexts need not be comparable
	stop  func() bool     // ends the watching
	first *watch
}

// watch begins to watch a context for a request.
func (l *Loop) watch(ctx context.Context, token Token) *watch {
	d := l.watching[ctx.Done()]
	if d == nil {
		d = &watched{loop: l, done: ctx.Done()}
		if l.watching == nil {
			l.watching = make(map[<-chan struct{}]*watched)
		}
		l.watching[d.done] = d
		d.stop = context.AfterFunc(ctx, d.ended)
	}
	w := l.spareWatch
	if w == nil {
		w = new(watch)
	} else {
		l.spareWatch = w.next
	}
	*w = watch{ctx: ctx, token: token, watched: d, next: d.first}
	if d.first != nil {
		d.first.prev = w
	}
	d.first = w
	return w
}

// endings are contexts that have ended, whose requests are to be cancelled. The children of
// one end together, in no order, each in a goroutine of its own: what has ended meanwhile is
// cancelled together.
type endings struct {
	sync.Mutex
	list []*watched
}

// ended tells the loop of a context that has ended, from a goroutine of its own.
func (d *watched) ended() {
	l := d.loop
	l.endings.Lock()
	l.endings.list = append(l.endings.list, d)
	first := len(l.endings.list) == 1
	l.endings.Unlock()
	if first {
		l.Post(l.revokeEnded)
	}
}

// revokeEnded cancels the requests of contexts that have ended.
func (l *Loop) revokeEnded() {
	l.endings.Lock()
	list := l.endings.list
	l.endings.list = nil
	l.endings.Unlock()
	var overdue []aged
	for _, d := range list {
		d.forget()
		for w := d.first; w != nil; w = w.next {
			overdue = append(overdue, aged{token: w.token})
		}
	}
	l.revokeAll(overdue)
}

// forget has the next request with this context watch it anew.
func (d *watched) forget() {
	if d.loop.watching[d.done] == d {
		delete(d.loop.watching, d.done)
	}
}

// leave ends the watching for a request.
func (d *watched) leave(w *watch) {
	if w.prev != nil {
		w.prev.next = w.next
	} else {
		d.first = w.next
	}
	if w.next != nil {
		w.next.prev = w.prev
	}
	*w = watch{next: d.loop.spareWatch}
	d.loop.spareWatch = w
	if d.first == nil {
		d.stop()
		d.forget()
	}
}

// err tells that one of the contexts has ended, and why.
func (w *watch) err() error {
	for ; w != nil; w = w.also {
		if w.ctx.Err() != nil {
			return contextError(w.ctx)
		}
	}
	return nil
}

// end ends the watching of all.
func (w *watch) end() {
	for w != nil {
		also := w.also
		w.watched.leave(w)
		w = also
	}
}

// contextError returns the error of a context that has ended, with its cause if
// it was given one.
func contextError(ctx context.Context) error {
	err, cause := ctx.Err(), context.Cause(ctx)
	if cause == err {
		return err
	}
	return fmt.Errorf("%w: %w", err, cause)
}

// WithContext cancels the request when ctx ends. Its callback still runs once for every
// completion, when the kernel is done with the memory, and learns from Err that the
// context has ended; Completion.Err says what holds if the request succeeded meanwhile.
// A descriptor or registered file that was made after the end of the context, or the
// Deadline (Openat, Accept, Socket, Pipe, FixedFDInstall, their Direct forms, and
// FilesUpdate where the kernel picks the places), belongs to nobody: the loop closes
// it, and the result is ECANCELED. A request may have several contexts. What the kernel
// can't cancel runs to its end: most drivers' commands (URingCmd), a read or write that
// a disk has begun. Many requests may share a context: the loop watches it once, and
// cancels them all at once. Needs Linux 5.5.
func (r Request) WithContext(ctx context.Context) Request {
	l := r.loop
	if r.token == 0 || ctx == nil || ctx.Done() == nil || l.table.handle(r.token) == nil {
		return r
	}
	a := r.limited()
	w := l.watch(ctx, r.token)
	w.also, a.watch = a.watch, w
	return r
}

// limited returns the request's aside, which knows what it makes.
func (r Request) limited() *aside {
	a := r.loop.table.withAside(r.token)
	if a.watch == nil && a.deadline == nil && !a.limit.inUse() { // nobody has looked yet
		a.made = r.makes()
	}
	return a
}

// WithTimeout cancels the request if it has not completed when d has passed from now.
// It then fails as if a context had ended, with os.ErrDeadlineExceeded. Another call
// sets another time, even while the request is in flight; d below zero removes the
// limit. A request that completes more than once has this time for all of its
// completions, a stream (Rearm) for all of its requests.
//
// The loop keeps the time like that of a Timer, so it takes no additional request,
// costs the same however many are in flight, ends what worker threads are blocked in
// and does not change chains. With Deadline the kernel keeps the time, from the
// request's start on, even while the loop is not running. Needs Linux 5.5.
func (r Request) WithTimeout(d time.Duration) Request {
	if r.token == 0 || r.loop.table.handle(r.token) == nil {
		return r
	}
	a := r.limited()
	if a.limit == nil {
		a.limit = newTimeLimit(r.loop)
	}
	t := a.limit
	t.token = r.token
	switch {
	case t.passed:
	case d < 0:
		t.timer.Stop()
	default:
		t.timer.Reset(d)
	}
	return r
}

// timeLimit is the time that a request has.
type timeLimit struct {
	timer  Timer
	token  Token
	stream *Stream // it goes on for that one's next request, nil for none
	passed bool
}

func newTimeLimit(l *Loop) *timeLimit {
	t := new(timeLimit)
	t.timer.init(l, func() {
		t.passed = true
		l.revoked.add(t.token)
	}, true)
	return t
}

func (t *timeLimit) inUse() bool { return t != nil && t.token != 0 }

// end ends it, for the next request.
func (t *timeLimit) end() {
	if t.inUse() {
		if t.stream != nil {
			t.stream.due = t.due()
		}
		t.timer.Stop()
		t.token, t.stream, t.passed = 0, nil, false
	}
}

// due returns when it passes, or has passed, wheel.Never if it was removed.
func (t *timeLimit) due() time.Duration {
	if t.passed || t.timer.in.Pending() {
		return t.timer.in.When
	}
	return wheel.Never
}

// end tells what has ended the request before its time, nil if nothing has.
func (a *aside) end() error {
	if err := a.watch.err(); err != nil {
		return err
	}
	if a.deadline != nil && a.deadline.passed || a.limit.inUse() && a.limit.passed {
		return os.ErrDeadlineExceeded
	}
	return nil
}

// Deadline cancels the request if it has not completed when d has passed. It then fails
// with os.ErrDeadlineExceeded, and ECANCELED, or EINTR if a worker waits for it; a
// receive with MSG_WAITALL that has got some of its bytes returns both these and the
// error (on 6.1 and later; 5.10 drops the bytes). A timeout is linked to the request
// (IORING_OP_LINK_TIMEOUT), so call it before the next request is queued; afterwards it
// does nothing. A chain continues after the timeout.
//
// The kernel's clock starts when the request begins to wait for its file. The deadline
// does not end what a worker thread is blocked in: a splice or tee from an empty pipe,
// opening a FIFO, anything with SQEAsync; use WithContext for these. Nothing ends what
// a driver or a disk is working on (URingCmd): it goes on, and its callback comes when
// it is done. Needs Linux 5.5.
func (r Request) Deadline(d time.Duration) Request {
	sqe := r.open()
	if sqe == nil || sqe != r.loop.lastEntry() {
		return r
	}
	l := r.loop
	linked := sqe.Flags & (SQEIOLink | SQEIOHardlink)
	if linked == 0 {
		r.LinkNext()
	}
	limit := &deadline{loop: l, of: r.token, parts: sqe.OpFlags&msgWaitall != 0}
	limit.timeout = l.LinkTimeout(max(d, 0), 0, limit.over).Flags(linked)
	if limit.timeout.token == 0 { // the loop has just been closed
		sqe.Flags = sqe.Flags&^(SQEIOLink|SQEIOHardlink) | linked
		return r
	}
	a := l.table.withAside(r.token)
	a.deadline, a.made = limit, r.makes()
	l.deadline = limit
	return r
}

// deadline is the timeout of a request. The callback of a request that has failed
// waits for the timeout's completion, which says what ended the request.
type deadline struct {
	loop    *Loop
	of      Token
	timeout Request
	done    bool // the timeout has completed
	passed  bool // because the time was up
	parts   bool // a success may be a part of what was asked for (MSG_WAITALL)

	holding bool // the request has completed, and waits for that
	held    Completion
	big     [2]uint64
}

// holds keeps the last completion of a request that the timeout may have ended until
// that has completed. What has succeeded is told at once: on Linux 6.1 the timeout
// completes behind the next request of the chain.
func (d *deadline) holds(c Completion, big [2]uint64) bool {
	if d == nil || d.done || c.More() || c.Res >= 0 && !d.parts {
		return false
	}
	d.holding, d.held, d.big = true, c, big
	return true
}

// over is the timeout's callback.
func (d *deadline) over(c Completion) {
	// Of a waitid and of futexes Linux 6.18 tells how many it has cancelled instead.
	d.done, d.passed = true, c.Res == -int32(etime) || c.Res > 0
	if !d.holding {
		return
	}
	l, h, a := d.loop, d.loop.table.handle(d.of), d.loop.table.aside(d.of)
	d.held.detail = l.detailOf(h, a, d.big)
	l.name(h, a, &d.held)
	if l.observer != nil {
		l.completeObserved(d.of, h, a, d.held)
		return
	}
	l.complete(d.of, h, a, d.held)
}

// What a request makes after its context or deadline has ended would be nobody's: a
// callback that sees an error returns. So the loop undoes it.

// made is what a request makes where it succeeds.
type made struct {
	kind  madeKind
	place uint32 // 0 if it is a descriptor, else the registered file's place as in SQE.FileIndex
}

type madeKind uint8

const (
	madeNothing madeKind = iota
	madeOne              // the result is the descriptor
	madePipe             // two, in the request's memory
	madePlaces           // places that the kernel has picked, as many as the result says
	madeUnknown          // the entry was gone already
)

// makes tells what the request makes.
func (r Request) makes() made {
	kind := r.loop.table.handle(r.token).op.facts().makes
	if kind == madeNothing {
		return made{kind: kind}
	}
	sqe := r.written()
	switch {
	case sqe == nil:
		return made{kind: madeUnknown}
	case kind == madePlaces && uint32(sqe.Off) != FileIndexAlloc:
		return made{kind: madeNothing}
	case kind == madePlaces:
		return made{kind, FileIndexAlloc}
	}
	return made{kind, sqe.FileIndex}
}

// written returns the entry as long as it is this request's, also if the kernel has
// been told of it.
func (r Request) written() *SQE {
	if r.epoch == r.loop.epoch && r.sqe.UserData == uint64(r.token) {
		return r.sqe
	}
	return r.loop.entry(r.token)
}

// undo closes what a completion tells of that came too late, and makes it one of a
// request that was cancelled. What can't be undone has succeeded, and its context's end
// is no error then: never both.
func (l *Loop) undo(c *Completion, h *handle, m made) {
	switch {
	case m.kind == madeNothing:
	case m.kind != madeUnknown && l.discard(m, c.Res, h):
		c.Res = -int32(syscall.ECANCELED)
	default:
		c.detail.end = nil
	}
}

// discard closes what a request has made. It reports whether it could.
func (l *Loop) discard(m made, res int32, h *handle) bool {
	if m.kind == madeOne {
		return l.discardOne(m.place, res)
	}
	// The caller is given these numbers, and may close them.
	numbers := (*extra)(h.mem).fds
	for i, n := range numbers {
		if m.kind == madePlaces && i == int(res) {
			break
		}
		place := m.place
		if place != 0 && place != FileIndexAlloc {
			place += uint32(i) // the kernel stores no numbers then
		}
		if !l.discardOne(place, n) {
			return false
		}
		numbers[i] = -1
	}
	return true
}

// discardOne closes a descriptor, or empties a place of the registered files: the
// one that the request has asked for, or the one that the kernel has picked.
func (l *Loop) discardOne(asked uint32, n int32) bool {
	if asked == 0 {
		closeFD(int(n))
		return true
	}
	if asked != FileIndexAlloc {
		n = int32(asked - 1)
	}
	_, err := l.ring.RegisterFilesUpdate(int(n), []int{-1})
	return err == nil
}
