package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/go-liburing/liburing"
)

const (
	nopEntries = 256
	nopFlags   = liburing.SetupSingleIssuer | liburing.SetupDeferTaskrun | liburing.SetupSubmitAll
)

var batches = []int{1, 8, 32, 128}

// nops measures what a request costs that does nothing.
func (b *benchmark) nops() error {
	c := chart{Title: "no-ops per second"}
	for _, way := range []struct {
		name string
		nops func(context.Context, int, time.Duration) (tally, error)
	}{{"Ring", ringNops}, {"Loop", loopNops}} {
		for _, batch := range batches {
			t, err := way.nops(b.ctx, batch, b.each)
			if err != nil || b.ctx.Err() != nil {
				return err
			}
			perSecond := t.perSecond()
			c.add(fmt.Sprintf("%s, batch %d", way.name, batch), perSecond, fmt.Sprintf("%.0f ns each", 1e9/perSecond))
		}
	}
	return b.add(c)
}

// nopRing sets a ring up as a Loop does; on kernels before 6.1 a plain one.
func nopRing() (*liburing.Ring, error) {
	ring, err := liburing.QueueInit(nopEntries, nopFlags)
	if err != nil {
		return liburing.New(nopEntries)
	}
	return ring, nil
}

// ringNops submits a batch, waits for it and walks over the completions.
func ringNops(ctx context.Context, batch int, each time.Duration) (tally, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	ring, err := nopRing()
	if err != nil {
		return tally{}, err
	}
	defer ring.Close()
	watch := newStopwatch(ctx, each)
	for !watch.isUp(batch) {
		for range batch {
			ring.GetSQE().PrepNop()
		}
		if _, err := ring.SubmitAndWait(batch); err != nil {
			return tally{}, err
		}
		for cqe := range ring.CQEs() {
			if err := cqe.Err(); err != nil {
				return tally{}, err
			}
		}
	}
	return watch.tally(), nil
}

// loopNops has a callback for each request; the last of a batch queues the next.
func loopNops(ctx context.Context, batch int, each time.Duration) (tally, error) {
	loop, err := liburing.NewLoop(nopEntries)
	if err != nil {
		return tally{}, err
	}
	defer loop.Close(context.Background())
	watch := newStopwatch(ctx, each)
	var failed error
	var left int
	var done liburing.Callback
	queue := func() {
		left = batch
		for range batch {
			loop.Nop(done)
		}
	}
	done = func(c liburing.Completion) {
		if c.Res < 0 {
			failed = c.Err()
		}
		left--
		if left == 0 && failed == nil && !watch.isUp(batch) {
			queue()
		}
	}
	queue()
	err = errors.Join(loop.RunUntilIdle(context.Background()), failed)
	return watch.tally(), err
}
