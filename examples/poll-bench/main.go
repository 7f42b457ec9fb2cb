// Poll-bench counts how many poll requests complete per second: many wait for one pipe,
// a byte written to it completes them all, and the next round begins. It is the
// counterpart of liburing's examples/poll-bench.c.
//
// It teaches what saves the kernel work when a ring is used heavily: registered files,
// a registered ring, a single issuer.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime"
	"syscall"
	"time"

	"github.com/go-liburing/liburing"
	"golang.org/x/sys/unix"
)

const batch = 32 // polls at a time

func main() {
	duration := flag.Duration("time", 10*time.Second, "how long to go on")
	flag.Usage = func() {
		fmt.Fprintf(flag.CommandLine.Output(), "usage: poll-bench [-time DURATION]\n\nMeasures how many poll requests a second complete.\n")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() != 0 || *duration <= 0 {
		fmt.Fprintln(os.Stderr, "poll-bench: a -time above 0 is all that it takes")
		flag.Usage()
		os.Exit(2)
	}
	if err := measure(*duration); err != nil {
		fmt.Fprintln(os.Stderr, "poll-bench:", err)
		os.Exit(1)
	}
}

func measure(duration time.Duration) error {
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		return fmt.Errorf("pipe: %w", err)
	}
	defer unix.Close(pipe[0])
	defer unix.Close(pipe[1])

	runtime.LockOSThread() // the ring has a single issuer and is registered with its thread
	defer runtime.UnlockOSThread()
	ring, err := liburing.New(batch, liburing.WithFlags(liburing.SetupSingleIssuer))
	if errors.Is(err, syscall.EINVAL) { // before Linux 6.0
		ring, err = liburing.New(batch)
	}
	if err != nil {
		return err
	}
	defer ring.Close()
	if err := errors.Join(ring.RegisterFiles(pipe[:]), ring.RegisterRingFD()); err != nil {
		return err
	}

	requests, start := 0, time.Now()
	for time.Since(start) < duration {
		if err := round(ring, pipe); err != nil {
			return err
		}
		requests += batch
	}
	fmt.Printf("requests/s: %.0f\n", float64(requests)/time.Since(start).Seconds())
	return nil
}

// round has a batch of polls wait, wakes them, and takes their completions.
func round(ring *liburing.Ring, pipe [2]int) error {
	for range batch {
		sqe := ring.GetSQE()
		sqe.PrepPollAdd(0, unix.POLLIN) // the reading end's place among the registered files
		sqe.SetFlags(liburing.SQEFixedFile)
	}
	if _, err := ring.Submit(); err != nil {
		return err
	}
	if ring.CQReady() > 0 {
		return errors.New("a poll of an empty pipe completed before there was a byte")
	}
	var b [1]byte
	if _, err := unix.Write(pipe[1], b[:]); err != nil {
		return fmt.Errorf("write to the pipe: %w", err)
	}
	if _, err := unix.Read(pipe[0], b[:]); err != nil {
		return fmt.Errorf("read from the pipe: %w", err)
	}
	for range batch {
		cqe, err := ring.WaitCQE()
		if err != nil {
			return err
		}
		err = cqe.Err()
		ring.CQESeen(cqe)
		if err != nil {
			return fmt.Errorf("poll: %w", err)
		}
	}
	return nil
}
