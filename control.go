package liburing

import "context"

// Post has the loop call f, from any goroutine. Functions of one goroutine are
// called in their order. If the loop is not running they wait until it is, or is
// closed: what was taken is called. After Close the error is ErrClosed.
func (l *Loop) Post(f func()) error {
	if f == nil {
		return badInput("post", "there is no function to call")
	}
	return l.mail.add(f)
}

// Control calls f with the loop's ring, on the loop's thread, and returns its
// error: for registering buffers and files and the like. It may be called from
// any goroutine, while the loop runs and while it stands still. f must leave
// the ring's queues alone. Should it panic, Control does, with a *CallbackPanic.
func (l *Loop) Control(f func(*Ring) error) error {
	if f == nil {
		return badInput("control", "there is no function to call")
	}
	if threadID() == l.thread.Load() {
		return f(&l.ring)
	}
	call, result := l.guarded(func() error { return f(&l.ring) }, func() {})
	select {
	case l.control <- call:
		return (<-result).done()
	default:
		return l.controlRunning(call, result)
	}
}

// controlRunning hands call over to a thread that is busy.
func (l *Loop) controlRunning(call func(), result chan runResult) error {
	// Run may return before it sees the post, and the thread be idle again:
	// whichever gets hold of the call first makes it.
	once := make(chan struct{}, 1)
	once <- struct{}{}
	guarded := func() {
		select {
		case <-once:
			call()
		default:
		}
	}
	if err := l.Post(guarded); err != nil {
		return err
	}
	select {
	case l.control <- guarded:
		return (<-result).done()
	case r := <-result:
		return r.done()
	case <-l.done:
	}
	select {
	case r := <-result: // f itself has closed the loop
		return r.done()
	default:
		return ErrClosed
	}
}

// attend does what other goroutines want.
func (l *Loop) attend(ctx context.Context) (stop bool, err error) {
	l.mail.attention.Store(false)
	l.runPosts() // those behind one that panicked
	l.posts, l.nextPost = l.mail.take(l.posts[:0]), 0
	l.runPosts()
	if err := ctx.Err(); err != nil {
		return true, err
	}
	return l.mail.stopped(), nil
}

func (l *Loop) runPosts() {
	for l.nextPost < len(l.posts) {
		f := l.posts[l.nextPost]
		l.posts[l.nextPost] = nil
		l.nextPost++
		f()
	}
}
