package liburing

import (
	"runtime"
	"sync"
	"syscall"
)

// What a loop does with a request that it can't take: one that comes when it is
// closed is refused, and its callback told; one from the wrong goroutine is a
// mistake in the program, which panics.

// refuses reports whether the loop takes no request any more.
func (l *Loop) refuses() bool {
	l.checkCaller()
	return l.closing.Load()
}

// refused is a request that was refused and whose callback is to be told.
type refused struct {
	op Op
	cb Callback
}

// tell calls the callback.
func (r refused) tell() {
	r.cb(Completion{Res: -int32(syscall.ECANCELED), op: r.op, detail: &detail{refusal: &OpError{Op: r.op.String(), Err: ErrClosed}}})
}

// refuse returns a request that is not taken. Its callback is called with
// ErrClosed by the loop before it ends; if it has ended, here and now.
//
//go:noinline
func (l *Loop) refuse(op Op, cb Callback) Request {
	if cb != nil {
		r := refused{op, cb}
		if !l.mail.addRefused(r) {
			l.tellLate(r)
		}
	}
	return Request{loop: l}
}

// refusalRounds is how many times in a row a callback that answers a refusal with
// a new request is told of the next one. It would go on for ever.
const refusalRounds = 16

// late counts the refusals whose callbacks run, of loops that have ended, by thread.
var late struct {
	sync.Mutex
	running map[int64]int
}

// tellLate tells of a refusal when there is no loop any more to do it. How deep in such
// callbacks its caller is the thread tells, which is held on to for that.
func (l *Loop) tellLate(r refused) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	thread := threadID()
	defer countLate(thread, -1)
	if countLate(thread, 1) <= refusalRounds {
		r.tell()
	}
}

func countLate(thread int64, n int) int {
	late.Lock()
	defer late.Unlock()
	if late.running == nil {
		late.running = make(map[int64]int)
	}
	n += late.running[thread]
	if n == 0 {
		delete(late.running, thread)
	} else {
		late.running[thread] = n
	}
	return n
}

// tellRefused tells of the requests that were refused, and reports whether there
// were any.
func (l *Loop) tellRefused() bool {
	list, told := l.mail.collectRefused(), 0
	defer func() { l.mail.addRefused(list[told:]...) }() // a callback has ended the goroutine
	for _, r := range list {
		told++
		l.inClose(func() error { r.tell(); return nil })
	}
	// What they send is refused. A function of theirs that panics leaves the rest.
	for again := true; again; again = len(l.writers.dirty) > 0 {
		l.inClose(func() error { l.flushWriters(); return nil })
	}
	return len(list) > 0
}

// checkAwake panics if the loop's thread waits in the kernel: then its caller runs
// on another one, and what it is about to change is not its own. This finds most
// mistakes of the kind, in every build, without a cost for each request: while the
// thread waits, the queue is made to look full. The debug tag finds all.
func (l *Loop) checkAwake() {
	if l.waiting.Load() {
		panic(ErrWrongThread)
	}
}

// checkCaller panics in a debug build if the loop runs and its caller is on
// another goroutine.
func (l *Loop) checkCaller() {
	if checkThread && l.mail.inRun() && !l.onThread() {
		panic(ErrWrongThread)
	}
}

// onThread reports whether the caller is on the loop's thread.
func (l *Loop) onThread() bool { return threadID() == l.thread.Load() }
