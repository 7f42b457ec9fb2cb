package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// A hypervisor moves a virtual machine's processors about. Now they are near each other,
// with a cache that they share, and now far apart: then what one has written takes several
// times as long to the other, and a server and its client on two of them do half as much. It
// changes every few seconds, so who is measured when decides more than what is measured. So
// contests on two processors are measured while these are near.

// processors are two that a contest is held on.
type processors struct {
	a, b  int
	wait  time.Duration // for them to be near, at most, before each measurement
	least time.Duration // that their distance has been
}

// nearEnough is how many times as far apart as at best two processors may be.
const nearEnough = 2

// nearTries is how often something is measured, until it counts wherever they are.
const nearTries = 4

// whileNear calls measure while the processors are near, and again if they have not stayed
// there.
func (p *processors) whileNear(ctx context.Context, measure func() (reading, error)) (r reading, err error) {
	for range nearTries {
		if err := p.await(ctx); err != nil {
			return nil, err
		}
		if r, err = measure(); err != nil {
			return nil, err
		}
		near, err := p.near()
		if near || err != nil {
			return r, err
		}
	}
	return r, nil
}

// await waits until they are near, but not for ever.
func (p *processors) await(ctx context.Context) error {
	for end := time.Now().Add(p.wait); time.Now().Before(end) && ctx.Err() == nil; time.Sleep(50 * time.Millisecond) {
		if near, err := p.near(); near || err != nil {
			return err
		}
	}
	return ctx.Err()
}

func (p *processors) near() (bool, error) {
	d, err := distance(p.a, p.b)
	if p.least == 0 || d < p.least {
		p.least = d
	}
	return d <= nearEnough*p.least, err
}

// distance returns how long it takes until one processor sees what another has written, and
// that one its answer: the least of some times.
func distance(a, b int) (time.Duration, error) {
	const bounces, looks = 1000, 5
	var ball atomic.Int32
	errs := make(chan error, 2)
	go func() {
		errs <- pinTo(b)
		for range looks * bounces {
			for ball.Load() != 1 {
			}
			ball.Store(0)
		}
	}()
	shortest := make(chan time.Duration)
	go func() {
		errs <- pinTo(a)
		least := time.Hour
		for range looks {
			began := time.Now()
			for range bounces {
				ball.Store(1)
				for ball.Load() != 0 {
				}
			}
			least = min(least, time.Since(began)/bounces)
		}
		shortest <- least
	}()
	d := <-shortest
	return d, errors.Join(<-errs, <-errs)
}

// pinTo has the goroutine stay on a processor until it ends, and its thread with it.
func pinTo(cpu int) error {
	runtime.LockOSThread()
	var one unix.CPUSet
	one.Set(cpu)
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		return fmt.Errorf("sched_setaffinity: %w", err)
	}
	return nil
}
