// Timer measures timeouts that are armed and cancelled again, as servers do for
// each request: the counterpart of bench/c/timer.c, with the same command line
// and the same line of output.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/bench/internal/meter"
)

const (
	maxBatch   = 128
	entries    = 2 * maxBatch // a timeout is two requests
	setupFlags = liburing.SetupSingleIssuer | liburing.SetupDeferTaskrun | liburing.SetupSubmitAll
	warmUp     = 20_000 // timeouts
)

func main() {
	timeouts := flag.Int("timeouts", 1_000_000, "how many to arm and cancel")
	batch := flag.Int("batch", maxBatch, fmt.Sprintf("timeouts in each system call, 1 to %d", maxBatch))
	flag.Parse()
	if *timeouts < 1 || *batch < 1 || *batch > maxBatch || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	if err := run(*timeouts, *batch); err != nil {
		fmt.Fprintln(os.Stderr, "timer:", err)
		os.Exit(1)
	}
}

func run(timeouts, batch int) error {
	loop, err := liburing.NewLoop(entries, liburing.WithFlags(setupFlags))
	if err != nil {
		return err
	}
	defer loop.Close(context.Background())
	b := &bench{loop: loop, batch: batch, tokens: make([]liburing.Token, batch)}
	b.onTimeout, b.onRemoval = b.timeoutDone, b.removalDone
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
	loop                 *liburing.Loop
	batch                int
	tokens               []liburing.Token
	onTimeout, onRemoval liburing.Callback
	todo                 int // timeouts that are to be armed yet
	left                 int // requests in flight
	err                  error
}

func (b *bench) run(timeouts int) error {
	b.todo = timeouts
	b.queue()
	return errors.Join(b.loop.RunUntilIdle(context.Background()), b.err)
}

// queue arms a batch of timeouts and takes each of them back.
func (b *bench) queue() {
	n := min(b.batch, b.todo)
	b.todo -= n
	b.left = 2 * n
	for i := range n {
		b.tokens[i] = b.loop.Timeout(time.Hour, 0, 0, b.onTimeout).Token()
	}
	for _, token := range b.tokens[:n] {
		b.loop.TimeoutRemove(token, 0, b.onRemoval)
	}
}

func (b *bench) timeoutDone(c liburing.Completion) {
	if c.Res != -int32(syscall.ECANCELED) {
		b.err = fmt.Errorf("a timeout was not cancelled: %w", c.Err())
	}
	b.requestDone()
}

func (b *bench) removalDone(c liburing.Completion) {
	if c.Res < 0 {
		b.err = c.Err()
	}
	b.requestDone()
}

// requestDone queues the next batch after the last request of this one.
func (b *bench) requestDone() {
	b.left--
	if b.left == 0 && b.todo > 0 && b.err == nil {
		b.queue()
	}
}
