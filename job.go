package liburing

import (
	"runtime/debug"
	"sync/atomic"
)

// job is a call that the loop's thread makes for a goroutine which waits for it.
type job struct {
	loop  *Loop
	f     func() error
	after func()      // called when f has ended, however it did; may be nil
	begun atomic.Bool // whoever gets hold of the job first runs it
	ended chan jobEnd
}

type jobEnd struct {
	err   error
	panic *CallbackPanic
}

func (l *Loop) newJob(f func() error, after func()) *job {
	return &job{loop: l, f: f, after: after, ended: make(chan jobEnd, 1)}
}

// run calls the function, once, on the loop's thread. One that ends the goroutine
// (runtime.Goexit) closes the loop: whoever learns of it finds it closed.
func (j *job) run() {
	if j.begun.Swap(true) {
		return
	}
	end, returned := jobEnd{err: ErrGoexit}, false
	defer func() {
		if !returned {
			j.loop.closing.Store(true)
			j.loop.mail.beginClose()
		}
		if j.after != nil {
			j.after()
		}
		j.ended <- end
	}()
	end.panic, end.err = guard(j.f)
	returned = true
}

// wait returns the function's error when it has ended, or panics as it did.
func (j *job) wait() error { return (<-j.ended).result() }

func (e jobEnd) result() error {
	if e.panic != nil {
		panic(e.panic)
	}
	return e.err
}

// guard calls f and catches its panic.
func guard(f func() error) (panicked *CallbackPanic, err error) {
	defer func() {
		if v := recover(); v != nil {
			panicked = &CallbackPanic{Value: v, Stack: debug.Stack()}
		}
	}()
	return nil, f()
}
