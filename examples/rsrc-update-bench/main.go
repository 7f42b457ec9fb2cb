// Rsrc-update-bench counts how many registered files requests can replace per second.
// It is the counterpart of liburing's examples/rsrc-update-bench.c.
//
// It teaches the table of registered files: made empty, filled, and changed
// while the ring is in use.
package main

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"time"

	"github.com/go-liburing/liburing"
	"golang.org/x/sys/unix"
)

const (
	batch = 32  // updates at a time
	table = 128 // places
)

func main() {
	duration := flag.Duration("time", 10*time.Second, "how long to go on")
	flag.Usage = func() {
		fmt.Fprintf(flag.CommandLine.Output(), "usage: rsrc-update-bench [-time DURATION]\n\nMeasures how many registered files can be replaced in a second.\n")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() != 0 || *duration <= 0 {
		fmt.Fprintln(os.Stderr, "rsrc-update-bench: a -time above 0 is all that it takes")
		flag.Usage()
		os.Exit(2)
	}
	if err := measure(*duration); err != nil {
		fmt.Fprintln(os.Stderr, "rsrc-update-bench:", err)
		os.Exit(1)
	}
}

func measure(duration time.Duration) error {
	var pipe [2]int // any file will do
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		return fmt.Errorf("pipe: %w", err)
	}
	defer unix.Close(pipe[0])
	defer unix.Close(pipe[1])

	runtime.LockOSThread() // the ring has a single issuer and is registered with its thread
	defer runtime.UnlockOSThread()
	ring, err := liburing.New(batch, liburing.WithFlags(liburing.SetupSingleIssuer|liburing.SetupDeferTaskrun))
	if err != nil {
		return err
	}
	defer ring.Close()
	if err := errors.Join(ring.RegisterRingFD(), ring.RegisterFilesSparse(table)); err != nil {
		return err
	}
	for place := range table {
		if _, err := ring.RegisterFilesUpdate(place, pipe[:1]); err != nil {
			return err
		}
	}

	fds := []int32{int32(pipe[0])} // the kernel reads it when a request is carried out
	updates, start := 0, time.Now()
	for time.Since(start) < duration {
		if err := round(ring, fds); err != nil {
			return err
		}
		updates += batch
	}
	fmt.Printf("max updates/s: %.0f\n", float64(updates)/time.Since(start).Seconds())
	return nil
}

// round replaces as many places as a batch has requests, from any place on.
func round(ring *liburing.Ring, fds []int32) error {
	first := rand.IntN(table)
	for i := range batch {
		ring.GetSQE().PrepFilesUpdate(fds, (first+i)%table)
	}
	if _, err := ring.SubmitAndWait(batch); err != nil {
		return err
	}
	replaced := 0
	for cqe := range ring.CQEs() {
		if err := cqe.Err(); err != nil {
			return fmt.Errorf("files update: %w", err)
		}
		replaced += int(cqe.Res)
	}
	if replaced != batch {
		return fmt.Errorf("files update: %d places were replaced instead of %d", replaced, batch)
	}
	return nil
}
