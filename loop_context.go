package liburing

import (
	"context"
	"fmt"
	"os"
	"syscall"
	"time"
)

// What ends a request before its time: a context, or a deadline.

// watch is a context of a request.
type watch struct {
	ctx  context.Context
	stop func() bool // ends the watching
	next *watch      // another one
}

// err tells that one of the contexts has ended, and why.
func (w *watch) err() error {
	for ; w != nil; w = w.next {
		if w.ctx.Err() != nil {
			return contextError(w.ctx)
		}
	}
	return nil
}

// end ends the watching of all.
func (w *watch) end() {
	for ; w != nil; w = w.next {
		w.stop()
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

// WithContext has the request cancelled when ctx ends. Its callback still runs
// once for every completion, when the kernel is done with the memory, and
// learns from Err of the context's end; see Completion.Err for the request that
// had succeeded meanwhile. A descriptor or registered file that was made after the
// context's end, or the Deadline's (Openat, Accept, Socket, Pipe, FixedFDInstall, their
// Direct forms, and FilesUpdate where the kernel picks the places), is nobody's: the
// loop closes it, and the result is ECANCELED. A request may have several contexts.
// What the kernel can't cancel goes on to its end: most drivers' commands (URingCmd), a
// read or write that a disk has begun. Needs Linux 5.5.
func (r Request) WithContext(ctx context.Context) Request {
	l := r.loop
	if r.token == 0 || ctx == nil || ctx.Done() == nil || l.table.handle(r.token) == nil {
		return r
	}
	stop := context.AfterFunc(ctx, func() { l.Post(func() { l.revoke(r.token) }) })
	a := l.table.withAside(r.token)
	if a.watch == nil && a.deadline == nil { // nobody has looked yet
		a.made = r.makes()
	}
	a.watch = &watch{ctx: ctx, stop: stop, next: a.watch}
	return r
}

// end tells what has ended the request before its time, nil if nothing has.
func (a *aside) end() error {
	if err := a.watch.err(); err != nil {
		return err
	}
	if a.deadline != nil && a.deadline.passed {
		return os.ErrDeadlineExceeded
	}
	return nil
}

// Deadline has the request cancelled if it has not completed when d has passed. It
// then fails with os.ErrDeadlineExceeded, and ECANCELED, or EINTR where a worker
// waits for it; a receive with MSG_WAITALL that has a part of its bytes has both,
// the part and the error (on 6.1 and later; 5.10 drops the part). The kernel links a timeout to the request
// (IORING_OP_LINK_TIMEOUT), so call it before the next request is queued; afterwards
// it does nothing. A chain goes on behind the timeout.
//
// The kernel's clock starts when the request waits for its file. It does not reach
// what a worker thread is blocked in: a splice or tee from an empty pipe, an open of
// a FIFO, what has SQEAsync; use WithContext for these. Nothing ends what a driver or a
// disk has in hand (URingCmd): it goes on, and its callback comes when it is done.
// Needs Linux 5.5.
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
	d.done, d.passed = true, c.Res == -int32(syscall.ETIME) || c.Res > 0
	if !d.holding {
		return
	}
	l, h, a := d.loop, d.loop.table.handle(d.of), d.loop.table.aside(d.of)
	d.held.detail = l.detailOf(h, a, d.big)
	l.complete(d.of, h, a, d.held)
}
