package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/go-liburing/liburing"
)

// fill has a loop hold n of something, until end is called.
type fill func(l *liburing.Loop, n int) (end func(), err error)

func nothing() {}

// inFlight has n requests in flight, or timers pending.
func inFlight(one maker) fill {
	return func(l *liburing.Loop, n int) (func(), error) {
		for range n {
			one(l, silent, nil)
		}
		return nothing, submit(l)
	}
}

// withContext has n polls in flight that share a context.
func withContext(l *liburing.Loop, n int) (func(), error) {
	ctx, cancel := context.WithCancel(context.Background())
	_, err := inFlight(func(l *liburing.Loop, fd int, cb liburing.Callback) liburing.Request {
		return poll(l, fd, cb).WithContext(ctx)
	})(l, n)
	return cancel, err
}

// withContexts has n polls in flight that have a context each.
func withContexts(l *liburing.Loop, n int) (func(), error) {
	c := cancels{}
	_, err := inFlight(func(l *liburing.Loop, fd int, cb liburing.Callback) liburing.Request {
		return poll(l, fd, cb).WithContext(c.context())
	})(l, n)
	return c.all, err
}

// queue queues n requests.
func queue(l *liburing.Loop, n int) (func(), error) {
	for range n {
		l.Nop(nil)
	}
	return nothing, nil
}

func keepBuffers(l *liburing.Loop, n int) (func(), error) {
	k, err := keep(l, n)
	if err != nil {
		return nothing, err
	}
	return k.end, nil
}

func register(l *liburing.Loop, n int) (func(), error) {
	return nothing, l.Control(func(r *liburing.Ring) error { return registerBuffers(r, n) })
}

// makeLoops makes n loops.
func makeLoops(_ *liburing.Loop, n int) (func(), error) {
	g, err := liburing.NewLoopGroup(n, 256)
	if err != nil {
		return nothing, err
	}
	return func() { g.Close(context.Background()) }, nil
}

// bytesOf returns how many bytes one of n takes of what used tells, as if they were ns.
func bytesOf(used func() (int, error), f fill) run {
	return func(n int) (time.Duration, error) {
		return with(256, func(l *liburing.Loop) (time.Duration, error) {
			before, err := used()
			if err != nil {
				return 0, err
			}
			end, err := f(l, n)
			defer end()
			if err != nil {
				return 0, err
			}
			after, err := used()
			return time.Duration(max(after-before, 0) / n), err
		})
	}
}

// heap returns what is in use of Go's heap.
func heap() (int, error) {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc), nil
}

// resident returns the process's resident memory, of which the kernel's own is no part.
func resident() (int, error) {
	debug.FreeOSMemory() // what measures before have left would be used again
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0, err
	}
	var size, pages int
	_, err = fmt.Sscan(string(text), &size, &pages)
	return pages * os.Getpagesize(), err
}

// inKernel returns what the kernel has in use of its own memory for objects, whoever for,
// without what it could drop.
func inKernel() (bytes int, err error) {
	for last := -1; ; last = bytes {
		bytes, err = unreclaimable()
		if err != nil || last >= 0 && bytes >= last-settled {
			return bytes, err
		}
		time.Sleep(settling) // rings that were closed are given back a while later
	}
}

const (
	settling = 100 * time.Millisecond
	settled  = 100 << 10
)

func unreclaimable() (kilo int, err error) {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0, err
	}
	_, line, _ := bytes.Cut(text, []byte("SUnreclaim:"))
	_, err = fmt.Sscan(string(line), &kilo)
	return kilo << 10, err
}
