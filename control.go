package liburing

import (
	"context"
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
// any goroutine, while the loop runs and while it stands still. f must leave
// the ring's queues alone, but it may resize them. Should it panic, Control does,
// with a *CallbackPanic.
func (l *Loop) Control(f func(*Ring) error) error {
	if f == nil {
		return badInput("control", "there is no function to call")
	}
	return l.call(func() error { return l.change(f) })
}

// call calls f on the loop's thread.
func (l *Loop) call(f func() error) error {
	if l.onThread() {
		return f()
	}
	j := l.newJob(f, nil)
	select {
	case l.control <- j.run:
		return j.wait()
	default: // the thread is busy
	}
	if err := l.Post(j.run); err != nil {
		return err
	}
	// Run may return before it sees the post, and the thread be idle again.
	select {
	case l.control <- j.run:
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
