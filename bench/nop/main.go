// Nop measures no-op requests through the library: the counterpart of
// bench/c/nop.c, with the same command line and the same line of output.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime"
	"time"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/bench/internal/meter"
)

const (
	entries    = 256  // of the submission queue
	lookEvery  = 4096 // requests between two looks at the clock
	setupFlags = liburing.SetupSingleIssuer | liburing.SetupDeferTaskrun | liburing.SetupSubmitAll
	warmUp     = 100 * time.Millisecond
)

func main() {
	mode := flag.String("mode", "", "what to measure: ring or loop")
	batch := flag.Uint("batch", 32, fmt.Sprintf("requests in each system call, 1 to %d", entries))
	seconds := flag.Float64("seconds", 0.4, "how long to measure")
	flag.Parse()

	measure := map[string]func(*clock) (result, error){"ring": ring, "loop": loop}[*mode]
	if measure == nil || *batch < 1 || *batch > entries || *seconds <= 0 || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	r, err := measure(&clock{batch: *batch, time: time.Duration(*seconds * float64(time.Second))})
	if err != nil {
		fmt.Fprintln(os.Stderr, "nop:", err)
		os.Exit(1)
	}
	fmt.Printf("ns_per_request=%.3f enters=%d %s\n",
		float64(r.Took.Nanoseconds())/float64(r.requests), r.enters, r.Readings(r.requests))
}

type result struct {
	meter.Cost
	requests, enters uint64
}

// clock tells when a measurement is over.
type clock struct {
	batch   uint
	time    time.Duration
	batches uint
	end     time.Time
}

// isUp is asked after every batch and seldom looks at the time.
func (c *clock) isUp() bool {
	c.batches++
	if c.batches*c.batch%lookEvery >= c.batch {
		return false
	}
	return !time.Now().Before(c.end)
}

// measure calls run to warm up, and again to measure it; enters returns how
// many system calls there have been.
func (c *clock) measure(run func() error, enters func() uint64) (result, error) {
	c.end = time.Now().Add(warmUp)
	if err := run(); err != nil {
		return result{}, err
	}
	c.batches = 0
	before := enters()
	c.end = time.Now().Add(c.time)
	cost, err := meter.Measure(run)
	return result{cost, uint64(c.batches * c.batch), enters() - before}, err
}

var errMissing = errors.New("completions are missing")

// ring is the way of those who port C: a batch of requests, one system call, a
// walk over the completions.
func ring(c *clock) (result, error) {
	runtime.LockOSThread()
	r, err := liburing.New(entries, liburing.WithFlags(setupFlags))
	if err != nil {
		return result{}, err
	}
	defer r.Close()
	if err := r.RegisterRingFD(); err != nil {
		return result{}, err
	}
	var enters uint64
	run := func() error {
		for {
			for i := range c.batch {
				sqe := r.GetSQE()
				sqe.PrepNop()
				sqe.SetData64(uint64(i))
			}
			if _, err := r.SubmitAndWait(int(c.batch)); err != nil {
				return err
			}
			enters++
			seen := uint(0)
			for cqe := range r.CQEs() {
				if err := cqe.Err(); err != nil {
					return err
				}
				seen++
			}
			if seen != c.batch {
				return errMissing
			}
			if c.isUp() {
				return nil
			}
		}
	}
	return c.measure(run, func() uint64 { return enters })
}

// loop is the way of event-driven programs: a callback for each completion. The
// last one of a batch queues the next batch.
func loop(c *clock) (result, error) {
	l, err := liburing.NewLoop(entries, liburing.WithFlags(setupFlags))
	if err != nil {
		return result{}, err
	}
	defer l.Close(context.Background())
	var failed error
	var left uint
	var done liburing.Callback
	queue := func() {
		left = c.batch
		for range c.batch {
			l.Nop(done)
		}
	}
	done = func(nop liburing.Completion) {
		if nop.Res < 0 {
			failed = nop.Err()
		}
		left--
		if left == 0 && !c.isUp() {
			queue()
		}
	}
	run := func() error {
		queue()
		return errors.Join(l.RunUntilIdle(context.Background()), failed)
	}
	return c.measure(run, func() uint64 { return l.Stats().Enters })
}
