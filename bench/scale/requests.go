package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"time"

	"github.com/go-liburing/liburing"
	"golang.org/x/sys/unix"
)

// silent is something to wait for in vain.
var silent = func() int {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	if err != nil {
		panic(err)
	}
	return fd
}()

// What there may be many of.
func arm(l *liburing.Loop, _ liburing.Callback)      { l.After(time.Hour, func() {}) }
func timeout(l *liburing.Loop, cb liburing.Callback) { l.Timeout(time.Hour, 0, 0, cb) }
func poll(l *liburing.Loop, cb liburing.Callback)    { l.PollAdd(silent, unix.POLLIN, cb) }
func read(l *liburing.Loop, cb liburing.Callback)    { l.Read(silent, make([]byte, 8), 0, cb) }

const rounds = 300 // of what takes system calls

// cancelled returns what it takes to make a request and to cancel it, one after another,
// with n others in flight.
func cancelled(n int, others func(*liburing.Loop, liburing.Callback), request func(*liburing.Loop, liburing.Callback) liburing.Token) (time.Duration, error) {
	return with(256, func(l *liburing.Loop) (time.Duration, error) {
		for range n {
			others(l, nil)
		}
		if err := submit(l); err != nil {
			return 0, err
		}
		return oneByOne(l, func(cb liburing.Callback) { l.Cancel(request(l, cb), 0, nil) })
	})
}

// oneByOne returns what a request takes that is made when the last has ended.
func oneByOne(l *liburing.Loop, request func(cb liburing.Callback)) (time.Duration, error) {
	left := rounds
	var next liburing.Callback
	next = func(liburing.Completion) {
		if left--; left == 0 {
			l.Stop()
			return
		}
		request(next)
	}
	request(next)
	start := time.Now()
	err := l.Run(context.Background())
	return time.Since(start) / rounds, err
}

func timeoutCancel(n int) (time.Duration, error) {
	return cancelled(n, timeout, func(l *liburing.Loop, cb liburing.Callback) liburing.Token {
		return l.Timeout(time.Hour, 0, 0, cb).Token()
	})
}

func readCancel(n int) (time.Duration, error) {
	return cancelled(n, read, func(l *liburing.Loop, cb liburing.Callback) liburing.Token {
		return l.Read(silent, make([]byte, 8), 0, cb).Token()
	})
}

func pollCancel(n int) (time.Duration, error) {
	return cancelled(n, poll, func(l *liburing.Loop, cb liburing.Callback) liburing.Token {
		return l.PollAdd(silent, unix.POLLIN, cb).Token()
	})
}

// readCancelOldest cancels the one of n reads that was made first, and makes another.
func readCancelOldest(n int) (time.Duration, error) {
	return with(256, func(l *liburing.Loop) (time.Duration, error) {
		var queue []liburing.Token
		var done liburing.Callback
		make1 := func() {
			queue = append(queue, l.Read(silent, make([]byte, 8), 0, func(c liburing.Completion) { done(c) }).Token())
		}
		for range n {
			make1()
		}
		done = func(liburing.Completion) {}
		if err := submit(l); err != nil {
			return 0, err
		}
		return oneByOne(l, func(cb liburing.Callback) {
			done = cb
			l.Cancel(queue[0], 0, nil)
			queue = queue[1:]
			make1()
		})
	})
}

// readCancelFD cancels the read of another descriptor by that, beside n reads.
func readCancelFD(n int) (time.Duration, error) {
	other, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	if err != nil {
		return 0, err
	}
	defer unix.Close(other)
	return with(256, func(l *liburing.Loop) (time.Duration, error) {
		for range n {
			read(l, nil)
		}
		if err := submit(l); err != nil {
			return 0, err
		}
		return oneByOne(l, func(cb liburing.Callback) {
			l.Read(other, make([]byte, 8), 0, cb)
			l.CancelFD(other, liburing.AsyncCancelAll, nil)
		})
	})
}

// readWithTimeout makes reads that have a time, beside n others that have one.
func readWithTimeout(n int) (time.Duration, error) {
	return cancelled(n, func(l *liburing.Loop, cb liburing.Callback) {
		l.Read(silent, make([]byte, 8), 0, cb).WithTimeout(time.Hour)
	}, func(l *liburing.Loop, cb liburing.Callback) liburing.Token {
		return l.Read(silent, make([]byte, 8), 0, cb).WithTimeout(time.Hour).Token()
	})
}

// contextEnds ends the context of n reads.
func contextEnds(n int) (time.Duration, error) {
	return with(256, func(l *liburing.Loop) (time.Duration, error) {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		for range n {
			l.Read(silent, make([]byte, 8), 0, nil).WithContext(ctx)
		}
		if err := submit(l); err != nil {
			return 0, err
		}
		start := time.Now()
		cancel()
		err := l.RunUntilIdle(context.Background())
		return time.Since(start) / time.Duration(n), err
	})
}

// closing closes a loop with n in flight.
func closing(one func(*liburing.Loop, liburing.Callback)) func(n int) (time.Duration, error) {
	return func(n int) (time.Duration, error) {
		return with(256, func(l *liburing.Loop) (time.Duration, error) {
			for range n {
				one(l, nil)
			}
			if err := submit(l); err != nil {
				return 0, err
			}
			start := time.Now()
			err := l.Close(context.Background())
			return time.Since(start) / time.Duration(n), err
		})
	}
}

// posts has n goroutines post.
func posts(n int) (time.Duration, error) {
	const total = 1 << 18
	return with(8, func(l *liburing.Loop) (time.Duration, error) {
		left := total / n * n
		done := func() {
			if left--; left == 0 {
				l.Stop()
			}
		}
		var posters sync.WaitGroup
		start := time.Now()
		for range n {
			posters.Go(func() {
				for range total / n {
					l.Post(done)
				}
			})
		}
		err := l.Run(context.Background())
		posters.Wait()
		return time.Since(start) / time.Duration(total/n*n), err
	})
}

// bufferKept keeps and gives back one buffer of a group of which n are kept.
func bufferKept(n int) (time.Duration, error) {
	return with(64, func(l *liburing.Loop) (time.Duration, error) {
		g, err := l.NewBufGroup(n+16, 64, 0)
		if err != nil {
			return 0, err
		}
		pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return 0, err
		}
		defer unix.Close(pair[0])
		defer unix.Close(pair[1])
		kept := make([]liburing.Borrowed, 0, n)
		receive := func(cb liburing.Callback) {
			unix.Write(pair[0], []byte("message"))
			l.Recv(pair[1], nil, 0, cb).Buffers(g)
		}
		for range n {
			receive(func(c liburing.Completion) { kept = append(kept, c.Keep()) })
			if err := l.RunUntilIdle(context.Background()); err != nil {
				return 0, err
			}
		}
		took, err := oneByOne(l, func(cb liburing.Callback) {
			receive(func(c liburing.Completion) {
				one := c.Keep()
				one.Release()
				cb(c)
			})
		})
		for _, k := range kept {
			k.Release()
		}
		return took, err
	})
}

// fileUpdate replaces one of n registered files.
func fileUpdate(n int) (each time.Duration, err error) {
	return registered(func(r *liburing.Ring) error { return r.RegisterFilesSparse(n) }, func(r *liburing.Ring) error {
		_, err := r.RegisterFilesUpdate(n-1, []int{silent})
		return err
	})
}

// memoryUpdate replaces one of n registered buffers.
func memoryUpdate(n int) (each time.Duration, err error) {
	mem := [][]byte{make([]byte, 4096)}
	return registered(func(r *liburing.Ring) error { return r.RegisterBuffersSparse(n) }, func(r *liburing.Ring) error {
		_, err := r.RegisterBuffersUpdateTag(n-1, mem, nil)
		return err
	})
}

func registered(register, update func(r *liburing.Ring) error) (took time.Duration, err error) {
	return with(8, func(l *liburing.Loop) (time.Duration, error) {
		err := l.Control(func(r *liburing.Ring) error {
			if err := register(r); err != nil {
				return err
			}
			took = each(rounds, func(int) { err = errors.Join(err, update(r)) })
			return err
		})
		return took, err
	})
}

// backlog queues n requests at once on a ring with room for 64.
func backlog(n int) (time.Duration, error) {
	return with(64, func(l *liburing.Loop) (time.Duration, error) {
		start := time.Now()
		for range n {
			l.Nop(nil)
		}
		err := l.RunUntilIdle(context.Background())
		return time.Since(start) / time.Duration(n), err
	})
}

// chain links n requests.
func chain(n int) (time.Duration, error) {
	const total = 1 << 16
	return with(max(n, 64), func(l *liburing.Loop) (took time.Duration, err error) {
		start := time.Now()
		for range total / n {
			for range n - 1 {
				l.Nop(nil).LinkNext()
			}
			l.Nop(nil)
			err = errors.Join(err, l.RunUntilIdle(context.Background()))
		}
		return time.Since(start) / time.Duration(total/n*n), err
	})
}

// loops posts to each of n loops of a group, and waits until all have answered.
func loops(n int) (time.Duration, error) {
	g, err := liburing.NewLoopGroup(n, 8)
	if err != nil {
		return 0, err
	}
	ran := make(chan error)
	go func() { ran <- g.Run(context.Background()) }()
	var answers sync.WaitGroup
	took := each(rounds/10, func(int) {
		answers.Add(n)
		for _, l := range g.Loops() {
			l.Post(answers.Done)
		}
		answers.Wait()
	})
	g.Stop()
	return took / time.Duration(n), errors.Join(<-ran, g.Close(context.Background()))
}

// bytesOf returns how many bytes of Go's heap one of n takes, as if they were ns.
func bytesOf(one func(*liburing.Loop, liburing.Callback)) func(n int) (time.Duration, error) {
	return grown(one, func() (uint64, error) {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc, nil
	})
}

// residentOf returns how many bytes of memory one of n takes, the kernel's included.
func residentOf(one func(*liburing.Loop, liburing.Callback)) func(n int) (time.Duration, error) {
	return grown(one, func() (uint64, error) {
		runtime.GC()
		text, err := os.ReadFile("/proc/self/statm")
		if err != nil {
			return 0, err
		}
		var size, resident uint64
		_, err = fmt.Sscan(string(text), &size, &resident)
		return resident * uint64(os.Getpagesize()), err
	})
}

func grown(one func(*liburing.Loop, liburing.Callback), used func() (uint64, error)) func(n int) (time.Duration, error) {
	return func(n int) (time.Duration, error) {
		return with(256, func(l *liburing.Loop) (time.Duration, error) {
			before, err := used()
			if err != nil {
				return 0, err
			}
			for range n {
				one(l, nil)
			}
			if err := submit(l); err != nil {
				return 0, err
			}
			after, err := used()
			return time.Duration(max(after, before)-before) / time.Duration(n), err
		})
	}
}
