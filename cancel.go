package liburing

import "context"

// Pending reports whether the request that t names is in flight: accepted, and
// without its terminal completion. Call it where requests are made.
func (l *Loop) Pending(t Token) bool { return l.table.find(t) != nil }

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
		if l.Pending(r.token) {
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
