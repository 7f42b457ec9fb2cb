package liburing

import (
	"context"
	"fmt"
	"slices"
	"syscall"
	"time"
	"unsafe"
)

// State is how far a request has come.
type State uint8

const (
	StateDone     State = iota // it has had its last completion, or never was
	StateQueued                // it waits for the loop's next submission
	StateInFlight              // the kernel has it
)

// String returns the state in words.
func (s State) String() string { return [...]string{"done", "queued", "in flight"}[s] }

// State tells how far the request has come that t names. Call it where requests
// are made.
func (l *Loop) State(t Token) State {
	switch {
	case l.table.find(t) == nil:
		return StateDone
	case l.queued(t):
		return StateQueued
	}
	return StateInFlight
}

// queued reports whether a request has not been handed to the kernel.
func (l *Loop) queued(t Token) bool {
	for sqe := range l.entriesBackwards {
		if sqe.UserData == uint64(t) {
			return true
		}
	}
	return false
}

// entriesBackwards yields the entries that have not been handed to the kernel,
// the last first.
func (l *Loop) entriesBackwards(yield func(*SQE) bool) {
	for _, e := range slices.Backward(l.backlog.waiting()) {
		if !yield(&e.SQE) {
			return
		}
	}
	m := l.ring.mem
	for pos := m.sq.sqeTail; pos != m.sq.sqeHead; pos-- {
		if !yield(m.sqe(pos - 1)) {
			return
		}
	}
}

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
	if r.token == 0 || ctx == nil || ctx.Done() == nil || l.table.find(r.token) == nil {
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

// revoke cancels a request until it has completed. Once is not enough for one
// that waits behind a link, which the kernel does not find before it has begun,
// for a multishot timeout, which it does not find while it fires, and for one that
// a worker is about to have wait for its file (EALREADY).
func (l *Loop) revoke(t Token) { l.tryToRevoke(t, 0, 0) }

// tryToRevoke cancels a request and tries again if it is not found, after a
// pause that grows.
func (l *Loop) tryToRevoke(t Token, flags SQEFlags, pause time.Duration) {
	h := l.table.find(t)
	if l.closing.Load() || h == nil {
		return
	}
	timeout := h.op == OpTimeout
	l.queueCancel(t, flags, func(c Completion) {
		if err := syscall.Errno(-c.Res); err == syscall.ENOENT || err == syscall.EALREADY {
			if timeout && pause > patience && l.drains {
				l.choke()
			}
			l.pause(pause, func() { l.tryToRevoke(t, revokeFlags, min(2*pause+time.Millisecond, longestPause)) })
		}
	})
}

const (
	// A worker cancels between two firings of a timeout, while the loop waits.
	// What the loop submits itself comes when one is due.
	revokeFlags  = SQEAsync
	longestPause = 100 * time.Millisecond
	// While a request drains the ring no worker can cancel, and the loop's thread
	// always comes too late for a timeout of a few microseconds.
	patience = 5 * time.Millisecond
)

// queueCancel cancels a request.
func (l *Loop) queueCancel(t Token, flags SQEFlags, done Callback) {
	if l.drains && l.cancelNow(t, flags, done) {
		return
	}
	sqe := l.queueInner(OpAsyncCancel, done, nil)
	sqe.PrepCancel64(uint64(t), 0)
	sqe.Flags |= flags
}

// cancelNow cancels a request without the queue, in which a cancel would wait
// behind the request that drains the ring. It reports whether the kernel can
// (since 6.0).
func (l *Loop) cancelNow(t Token, flags SQEFlags, done Callback) bool {
	if threadID() != l.thread.Load() { // the loop stands still, and the ring is its thread's
		l.Post(func() { l.queueCancel(t, flags, done) })
		return true
	}
	res := cRegisterSyncCancel(l.ring.mem, &SyncCancelReg{Addr: uint64(t), FD: -1})
	switch syscall.Errno(-res) {
	case syscall.EINVAL:
		return false
	case syscall.ETIME, syscall.EINTR: // it was found, and would have had to be waited for
		res = -int32(syscall.EALREADY)
	}
	done(Completion{Res: res, op: OpAsyncCancel})
	return true
}

// pause calls f when d has passed. It does not count as a request in flight.
func (l *Loop) pause(d time.Duration, f func()) {
	if l.drains { // a timeout would not begin
		time.AfterFunc(d, func() { l.Post(f) })
		return
	}
	ts := NewTimespec(d)
	sqe := l.queueInner(OpTimeout, func(Completion) { f() }, unsafe.Pointer(&ts))
	sqe.PrepTimeout(&ts, 0, 0)
}
