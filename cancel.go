package liburing

import (
	"context"
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
	for sqe := range l.entries {
		if sqe.UserData == uint64(t) {
			return true
		}
	}
	return false
}

// entries yields the entries that have not been handed to the kernel.
func (l *Loop) entries(yield func(*SQE) bool) {
	m := l.ring.mem
	for pos := m.sq.sqeHead; pos != m.sq.sqeTail; pos++ {
		if !yield(m.sqe(pos)) {
			return
		}
	}
	for _, e := range l.backlog.queue {
		if !yield(&e.SQE) {
			return
		}
	}
}

// watch is the context of a request.
type watch struct {
	ctx  context.Context
	stop func() bool // ends the watching
}

// WithContext has the request cancelled when ctx ends. Its callback still runs
// once for every completion, when the kernel is done with the memory, and
// learns from Err of the context's end; see Completion.Err for the request that
// had succeeded meanwhile.
func (r Request) WithContext(ctx context.Context) Request {
	l := r.loop
	if r.token == 0 || ctx.Done() == nil {
		return r
	}
	if l.watches == nil {
		l.watches = make(map[Token]watch)
	}
	stop := context.AfterFunc(ctx, func() { l.Post(func() { l.revoke(r.token) }) })
	l.watches[r.token] = watch{ctx: ctx, stop: stop}
	l.detailed = true
	return r
}

// revoke cancels a request until it has completed. Once is not enough for one
// that waits behind a link, which the kernel does not find before it has begun,
// and for a multishot timeout, which it does not find while it fires.
func (l *Loop) revoke(t Token) { l.tryToRevoke(t, 0, 0) }

// tryToRevoke cancels a request and tries again if it is not found, after a
// pause that grows.
func (l *Loop) tryToRevoke(t Token, flags SQEFlags, pause time.Duration) {
	if l.closing || l.table.find(t) == nil {
		return
	}
	l.queueCancel(t, flags, func(c Completion) {
		if c.Res == -int32(syscall.ENOENT) {
			l.pause(pause, func() { l.tryToRevoke(t, revokeFlags, min(2*pause+time.Millisecond, longestPause)) })
		}
	})
}

const (
	// A worker cancels between two firings of a timeout, while the loop waits.
	// What the loop submits itself comes when one is due.
	revokeFlags  = SQEAsync
	longestPause = 10 * time.Millisecond
)

func (l *Loop) queueCancel(t Token, flags SQEFlags, done Callback) {
	sqe := l.queueInner(OpAsyncCancel, done, nil)
	sqe.PrepCancel64(uint64(t), 0)
	sqe.Flags |= flags
}

// pause calls f when d has passed. It does not count as a request in flight.
func (l *Loop) pause(d time.Duration, f func()) {
	ts := NewTimespec(d)
	sqe := l.queueInner(OpTimeout, func(Completion) { f() }, unsafe.Pointer(&ts))
	sqe.PrepTimeout(&ts, 0, 0)
}
