package liburing

import (
	"context"
	"fmt"
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
// had succeeded meanwhile. A request may have several contexts. Least kernel: 5.5.
func (r Request) WithContext(ctx context.Context) Request {
	l := r.loop
	if r.token == 0 || ctx == nil || ctx.Done() == nil || l.table.handle(r.token) == nil {
		return r
	}
	if l.watches == nil {
		l.watches = make(map[Token]*watch)
	}
	stop := context.AfterFunc(ctx, func() { l.Post(func() { l.revoke(r.token) }) })
	l.watches[r.token] = &watch{ctx: ctx, stop: stop, next: l.watches[r.token]}
	l.detailed = true
	return r
}

// Deadline has the request cancelled if it has not completed when d has passed;
// it then completes with ECANCELED, or EINTR where a worker waits for it. The kernel
// links a timeout to the request (IORING_OP_LINK_TIMEOUT), so call it before the next
// request is queued; afterwards it does nothing. A chain goes on behind the timeout.
// Least kernel: 5.5.
func (r Request) Deadline(d time.Duration) Request {
	sqe := r.open()
	if sqe == nil || sqe != r.loop.lastEntry() {
		return r
	}
	linked := sqe.Flags & (SQEIOLink | SQEIOHardlink)
	if linked == 0 {
		r.LinkNext()
	}
	timeout := r.loop.LinkTimeout(max(d, 0), 0, nil).Flags(linked)
	r.loop.deadline = deadline{of: r.token, Request: timeout}
	return r
}

// deadline is the timeout of a request.
type deadline struct {
	of Token
	Request
}
