// Timer measures timers that are armed and stopped again, as servers do for each
// request: the counterpart of bench/c/timer.c, which has only the kernel's timeouts,
// with the same command line and the same line of output.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/bench/internal/meter"
)

const (
	maxBatch   = 128
	entries    = 2 * maxBatch // as in C, where a timeout is two requests
	setupFlags = liburing.SetupSingleIssuer | liburing.SetupDeferTaskrun | liburing.SetupSubmitAll
	warmUp     = 20_000 // timeouts
)

func main() {
	timeouts := flag.Int("timeouts", 1_000_000, "how many to arm and cancel")
	batch := flag.Int("batch", maxBatch, fmt.Sprintf("timeouts in each turn of the loop, 1 to %d", maxBatch))
	reset := flag.Bool("reset", false, "arm the same timers again and again, as C does, in place of new ones")
	flag.Parse()
	if *timeouts < 1 || *batch < 1 || *batch > maxBatch || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	if err := run(*timeouts, *batch, *reset); err != nil {
		fmt.Fprintln(os.Stderr, "timer:", err)
		os.Exit(1)
	}
}

func run(timeouts, batch int, reset bool) error {
	loop, err := liburing.NewLoop(entries, liburing.WithFlags(setupFlags))
	if err != nil {
		return err
	}
	defer loop.Close(context.Background())
	b := &bench{loop: loop, batch: batch}
	b.never, b.next = b.fired, b.armAndStop
	if reset {
		for range batch {
			b.kept = append(b.kept, b.stopped())
		}
	}
	if err := b.run(warmUp); err != nil {
		return err
	}
	cost, err := meter.Measure(func() error { return b.run(timeouts) })
	if err != nil {
		return err
	}
	fmt.Printf("ns_per_timeout=%.3f %s\n",
		float64(cost.Took.Nanoseconds())/float64(timeouts), cost.Readings(uint64(timeouts)))
	return nil
}

type bench struct {
	loop  *liburing.Loop
	batch int
	todo  int // timers that are to be armed yet
	err   error
	kept  []*liburing.Timer // none: each is a new one

	never, next func() // made once
}

func (b *bench) run(timeouts int) error {
	b.todo = timeouts
	b.armAndStop()
	return errors.Join(b.loop.RunUntilIdle(context.Background()), b.err)
}

// armAndStop arms a batch of timers and takes each of them back. The next batch comes a
// turn of the loop later.
func (b *bench) armAndStop() {
	var timers [maxBatch]*liburing.Timer
	n := min(b.batch, b.todo)
	b.todo -= n
	copy(timers[:], b.kept)
	for i := range n {
		if b.kept != nil {
			timers[i].Reset(time.Hour)
		} else {
			timers[i] = b.loop.After(time.Hour, b.never)
		}
	}
	for _, timer := range timers[:n] {
		timer.Stop()
	}
	if b.todo > 0 && b.err == nil {
		b.loop.After(0, b.next)
	}
}

// stopped returns a timer to be armed again.
func (b *bench) stopped() *liburing.Timer {
	t := b.loop.After(time.Hour, b.never)
	t.Stop()
	return t
}

func (b *bench) fired() { b.err = errors.New("a timer was called that had been stopped") }
