package main

import (
	"context"
	"time"

	"github.com/go-liburing/liburing"
)

// ending returns what it takes until n requests have ended, shared among them, from the
// moment on that end is called on the running loop.
func ending(n int, one maker, end func()) (took time.Duration, err error) {
	return with(256, func(l *liburing.Loop) (time.Duration, error) {
		left, start := n, time.Time{}
		for range n {
			one(l, silent, func(liburing.Completion) {
				if left--; left == 0 {
					took = time.Since(start)
					l.Stop()
				}
			})
		}
		if err := submit(l); err != nil {
			return 0, err
		}
		l.Nop(func(liburing.Completion) {
			start = time.Now()
			end()
		})
		err := l.Run(context.Background())
		return took / time.Duration(n), err
	})
}

// limitsExpire has the times of n reads end.
func limitsExpire(n int) (time.Duration, error) {
	requests := make([]liburing.Request, 0, n)
	return ending(n, func(l *liburing.Loop, fd int, cb liburing.Callback) liburing.Request {
		requests = append(requests, read(l, fd, cb))
		return requests[len(requests)-1]
	}, func() {
		for _, r := range requests {
			r.WithTimeout(0)
		}
	})
}

// contextEnds ends the context of n reads.
func contextEnds(n int) (time.Duration, error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	return ending(n, func(l *liburing.Loop, fd int, cb liburing.Callback) liburing.Request {
		return read(l, fd, cb).WithContext(ctx)
	}, cancel)
}

// contextsEnd ends the contexts of n reads, which have one each.
func contextsEnd(n int) (time.Duration, error) {
	c := cancels{}
	return ending(n, func(l *liburing.Loop, fd int, cb liburing.Callback) liburing.Request {
		return read(l, fd, cb).WithContext(c.context())
	}, c.all)
}

// cancels end contexts.
type cancels []context.CancelFunc

// context returns a new one.
func (c *cancels) context() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	*c = append(*c, cancel)
	return ctx
}

func (c *cancels) all() {
	for _, cancel := range *c {
		cancel()
	}
}

// closing closes a loop with n in flight.
func closing(one maker) run {
	return func(n int) (time.Duration, error) {
		return beside(n, one, func(l *liburing.Loop) (time.Duration, error) {
			start := time.Now()
			err := l.Close(context.Background())
			return time.Since(start) / time.Duration(n), err
		})
	}
}

// closingChains closes a loop with n requests in chains of two, the first of which waits.
func closingChains(n int) (time.Duration, error) {
	return closingPairs(n, func(l *liburing.Loop, fd int, cb liburing.Callback) liburing.Request {
		read(l, fd, cb).LinkNext()
		return l.Nop(cb)
	})
}

// closingHardChains closes a loop with n requests in chains of two, where the second waits when
// the first has been cancelled.
func closingHardChains(n int) (time.Duration, error) {
	return closingPairs(n, func(l *liburing.Loop, fd int, cb liburing.Callback) liburing.Request {
		read(l, fd, cb).HardLinkNext()
		return read(l, fd, cb)
	})
}

func closingPairs(n int, pair maker) (time.Duration, error) {
	took, err := closing(pair)(n / 2)
	return took / 2, err
}
