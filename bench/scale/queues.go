package main

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/go-liburing/liburing"
	"golang.org/x/sys/unix"
)

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

// state asks for the state of the oldest of n requests that are queued.
func state(n int) (time.Duration, error) {
	return with(64, func(l *liburing.Loop) (time.Duration, error) {
		oldest := l.Nop(nil).Token()
		for range n - 1 {
			l.Nop(nil)
		}
		if s := l.State(oldest); s != liburing.StateQueued {
			return 0, errors.New("the request is not queued")
		}
		done, start := 0, time.Now()
		for ; done < rounds && time.Since(start) < patience; done++ {
			l.State(oldest)
		}
		return time.Since(start) / time.Duration(done), nil
	})
}

// backlog queues n requests at once on a ring with room for 64.
func backlog(n int) (time.Duration, error) {
	return nopsAtOnce(n, 64, func(liburing.Request) {})
}

// chain links n requests.
func chain(n int) (time.Duration, error) {
	return nopsAtOnce(n, max(n, 64), func(r liburing.Request) { r.LinkNext() })
}

// nopsAtOnce returns what a no-op takes of n that a callback makes; f is called with all
// but the last.
func nopsAtOnce(n, entries int, f func(liburing.Request)) (time.Duration, error) {
	return with(entries, func(l *liburing.Loop) (time.Duration, error) {
		took, err := oneByOne(l, func(cb liburing.Callback) {
			for range n - 1 {
				f(l.Nop(nil))
			}
			l.Nop(cb)
		})
		return took / time.Duration(n), err
	})
}

// bufferKept keeps and gives back one buffer of a group of which n are kept.
func bufferKept(n int) (took time.Duration, err error) {
	return with(64, func(l *liburing.Loop) (time.Duration, error) {
		k, err := keep(l, n)
		if err != nil {
			return 0, err
		}
		defer k.end()
		return oneByOne(l, func(cb liburing.Callback) {
			k.receive(func(c liburing.Completion) {
				one := c.Keep()
				one.Release()
				cb(c)
			})
		})
	})
}

// keeper keeps buffers of a group.
type keeper struct {
	l    *liburing.Loop
	g    *liburing.BufGroup
	pair [2]int
	kept []liburing.Borrowed
}

// keep keeps n buffers.
func keep(l *liburing.Loop, n int) (*keeper, error) {
	g, err := l.NewBufGroup(n+16, 64, 0)
	if err != nil {
		return nil, err
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	k := &keeper{l, g, pair, make([]liburing.Borrowed, 0, n)}
	for range n {
		k.receive(func(c liburing.Completion) { k.kept = append(k.kept, c.Keep()) })
		if err := l.RunUntilIdle(context.Background()); err != nil {
			return nil, err
		}
	}
	return k, nil
}

// receive receives a message into one more.
func (k *keeper) receive(cb liburing.Callback) {
	unix.Write(k.pair[0], []byte("message"))
	k.l.Recv(k.pair[1], nil, 0, cb).Buffers(k.g)
}

func (k *keeper) end() {
	for _, b := range k.kept {
		b.Release()
	}
	unix.Close(k.pair[0])
	unix.Close(k.pair[1])
}

// fileUpdate replaces one of n registered files.
func fileUpdate(n int) (time.Duration, error) {
	fds := make([]int, n)
	for i := range fds {
		fds[i] = silent
	}
	return registered(func(r *liburing.Ring) error { return r.RegisterFiles(fds) }, func(r *liburing.Ring) error {
		_, err := r.RegisterFilesUpdate(n-1, []int{other})
		return err
	})
}

// memoryUpdate replaces one of n registered buffers.
func memoryUpdate(n int) (time.Duration, error) {
	page := [][]byte{make([]byte, 4096)}
	return registered(func(r *liburing.Ring) error { return registerBuffers(r, n) }, func(r *liburing.Ring) error {
		_, err := r.RegisterBuffersUpdateTag(n-1, page, nil)
		return err
	})
}

// registerBuffers registers the same page n times.
func registerBuffers(r *liburing.Ring, n int) error {
	mem, page := make([][]byte, n), make([]byte, 4096)
	for i := range mem {
		mem[i] = page
	}
	return r.RegisterBuffers(mem)
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
