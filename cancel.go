package liburing

import "context"

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
	cancel := func() {
		if l.table.find(r.token) != nil {
			l.Cancel(r.token, 0, nil)
		}
	}
	w := watch{ctx: ctx, stop: func() bool { return false }}
	if ctx.Err() != nil {
		cancel()
	} else {
		w.stop = context.AfterFunc(ctx, func() { l.Post(cancel) })
	}
	l.watches[r.token] = w
	l.detailed = true
	return r
}
