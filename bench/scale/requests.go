package main

import (
	"context"
	"time"

	"github.com/go-liburing/liburing"
	"golang.org/x/sys/unix"
)

// Two things to wait for in vain.
var silent, other = eventfd(), eventfd()

func eventfd() int {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	if err != nil {
		panic(err)
	}
	return fd
}

// quiet is a socket on which nothing comes.
var quiet = func() int {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		panic(err)
	}
	return pair[0]
}()

// maker makes one of what there may be many of, which waits for a descriptor if it waits
// for any.
type maker func(l *liburing.Loop, fd int, cb liburing.Callback) liburing.Request

func arm(l *liburing.Loop, _ int, _ liburing.Callback) liburing.Request {
	l.After(time.Hour, func() {})
	return liburing.Request{}
}

func timeout(l *liburing.Loop, _ int, cb liburing.Callback) liburing.Request {
	return l.Timeout(time.Hour, 0, 0, cb)
}

func counting(l *liburing.Loop, _ int, cb liburing.Callback) liburing.Request {
	return l.Timeout(time.Hour, 1<<30, 0, cb)
}

func read(l *liburing.Loop, fd int, cb liburing.Callback) liburing.Request {
	return l.Read(fd, make([]byte, 8), 0, cb)
}

func readWithTimeout(l *liburing.Loop, fd int, cb liburing.Callback) liburing.Request {
	return read(l, fd, cb).WithTimeout(time.Hour)
}

func readWithDeadline(l *liburing.Loop, fd int, cb liburing.Callback) liburing.Request {
	return read(l, fd, cb).Deadline(time.Hour)
}

func poll(l *liburing.Loop, fd int, cb liburing.Callback) liburing.Request {
	return l.PollAdd(fd, unix.POLLIN, cb)
}

func pollWithTimeout(l *liburing.Loop, fd int, cb liburing.Callback) liburing.Request {
	return poll(l, fd, cb).WithTimeout(time.Hour)
}

func multishot(l *liburing.Loop, fd int, cb liburing.Callback) liburing.Request {
	return l.PollMultishot(fd, unix.POLLIN, cb)
}

func receive(l *liburing.Loop, _ int, cb liburing.Callback) liburing.Request {
	return l.Recv(quiet, make([]byte, 8), 0, cb)
}

// Requests that take system calls are measured so often, unless they take too long.
const (
	rounds   = 300
	patience = 300 * time.Millisecond
)

// beside calls f with a loop that has n requests in flight, or timers pending.
func beside(n int, one maker, f func(l *liburing.Loop) (time.Duration, error)) (time.Duration, error) {
	return with(256, func(l *liburing.Loop) (time.Duration, error) {
		for range n {
			one(l, silent, nil)
		}
		if err := submit(l); err != nil {
			return 0, err
		}
		return f(l)
	})
}

// oneByOne returns what a request takes that is made when the last has ended.
func oneByOne(l *liburing.Loop, request func(cb liburing.Callback)) (took time.Duration, err error) {
	done, start := -1, time.Time{}
	var next liburing.Callback
	next = func(liburing.Completion) {
		if done++; done == 0 { // the loop runs now
			start = time.Now()
		} else if took = time.Since(start) / time.Duration(done); done == rounds || time.Since(start) > patience {
			l.Stop()
			return
		}
		request(next)
	}
	l.Nop(next)
	err = l.Run(context.Background())
	return took, err
}

// timeoutCount makes no-ops beside n Timeouts with a count.
func timeoutCount(n int) (time.Duration, error) {
	return beside(n, counting, func(l *liburing.Loop) (time.Duration, error) {
		return oneByOne(l, func(cb liburing.Callback) { l.Nop(cb) })
	})
}

// making returns what it takes to make one, with n others in flight; those that cancel
// ends are in nobody's way.
func making(one maker, cancel func(*trial)) run {
	return func(n int) (time.Duration, error) {
		t, err := try(n, one, cancel)
		return t.made / time.Duration(max(t.sent, 1)), err
	}
}

// cancelling returns what it takes to cancel one, with n others in flight.
func cancelling(one maker, cancel func(*trial)) run {
	return func(n int) (time.Duration, error) {
		t, err := try(n, one, cancel)
		return t.cancelled / time.Duration(max(t.ended, 1)), err
	}
}

// makingAndCancelling returns what both take together.
func makingAndCancelling(one maker) run {
	return func(n int) (time.Duration, error) {
		t, err := try(n, one, cancelNewest)
		return t.made/time.Duration(max(t.sent, 1)) + t.cancelled/time.Duration(max(t.ended, 1)), err
	}
}

// byDescriptor returns what it takes to make one and to cancel it by its descriptor, with
// n of another descriptor in flight.
func byDescriptor(one maker) run {
	return func(n int) (time.Duration, error) {
		return beside(n, one, func(l *liburing.Loop) (time.Duration, error) {
			return oneByOne(l, func(cb liburing.Callback) {
				one(l, other, cb)
				l.CancelFD(other, liburing.AsyncCancelAll, nil)
			})
		})
	}
}

// trial makes requests and cancels them one after another, some at a time, where others
// are in flight.
type trial struct {
	l      *liburing.Loop
	one    maker
	cancel func(*trial)
	some   int

	waiting []liburing.Token // the oldest first
	start   time.Time        // of what is being measured

	sent, ended     int // how many were made, and cancelled
	made, cancelled time.Duration
}

// try has a trial beside n others. It makes a tenth of their number at a time, so that
// these are not many more.
func try(n int, one maker, cancel func(*trial)) (*trial, error) {
	t := &trial{one: one, cancel: cancel, some: min(max(n/10, 1), rounds/3)}
	_, err := with(256, func(l *liburing.Loop) (time.Duration, error) {
		t.l = l
		t.makeSome(n)
		if err := submit(l); err != nil {
			return 0, err
		}
		l.Nop(t.begin)
		return 0, l.Run(context.Background())
	})
	return t, err
}

func (t *trial) makeSome(n int) {
	for range n {
		t.waiting = append(t.waiting, t.one(t.l, silent, t.end).Token())
	}
}

func (t *trial) begin(liburing.Completion) {
	t.start = time.Now()
	t.makeSome(t.some)
	t.l.Nop(t.haveMade) // which the kernel gets after them
}

func (t *trial) haveMade(liburing.Completion) {
	t.made += time.Since(t.start)
	t.sent += t.some
	t.start = time.Now()
	t.cancel(t)
}

// end is the callback of all requests.
func (t *trial) end(c liburing.Completion) {
	if t.l.Closing() {
		return
	}
	now := time.Now()
	t.cancelled += now.Sub(t.start)
	t.start = now
	t.ended++
	switch {
	case t.ended == rounds || t.made+t.cancelled > patience:
		t.l.Stop()
	case t.ended == t.sent:
		t.begin(c)
	default:
		t.cancel(t)
	}
}

func cancelNewest(t *trial) {
	last := len(t.waiting) - 1
	t.l.Cancel(t.waiting[last], 0, nil)
	t.waiting = t.waiting[:last]
}

func cancelOldest(t *trial) {
	t.l.Cancel(t.waiting[0], 0, nil)
	t.waiting = t.waiting[1:]
}
