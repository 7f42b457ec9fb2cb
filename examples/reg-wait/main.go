// Reg-wait waits for completions with waits that were registered in advance: one that
// ends when its time is over, and one that after a shorter time makes do with what has
// come. It is the counterpart of liburing's examples/reg-wait.c, and prints how long
// each took.
//
// It teaches registered waits: the arguments of a wait are written once to memory that
// the kernel has mapped, so that entering the kernel copies nothing.
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
)

// The registered waits, by their place.
const (
	longWait = iota // for one completion
	minWait         // for two, or after a shorter time for any
)

const (
	enough = 10 * time.Millisecond  // of minWait, when there is a completion
	most   = 100 * time.Millisecond // of minWait, when there is none
)

func main() {
	long := flag.Duration("long", time.Second, "how long the first wait takes")
	flag.Usage = func() {
		fmt.Fprintf(flag.CommandLine.Output(), "usage: reg-wait [-long DURATION]\n\nWaits for completions of an io_uring by registered waits, and tells how long.\n")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() != 0 || *long <= 0 {
		fmt.Fprintln(os.Stderr, "reg-wait: a -long above 0 is all that it takes")
		flag.Usage()
		os.Exit(2)
	}
	if err := waitTwice(*long); err != nil {
		fmt.Fprintln(os.Stderr, "reg-wait:", err)
		os.Exit(1)
	}
}

func waitTwice(long time.Duration) error {
	runtime.LockOSThread() // requests depend on the thread that submitted them
	defer runtime.UnlockOSThread()
	ring, err := newRing(long)
	if err != nil {
		return err
	}
	defer ring.Close()
	if err := waitForNothing(ring, long); err != nil {
		return err
	}
	return waitForAnyOfTwo(ring)
}

// newRing returns a ring with its waits. They are registered before it is
// enabled: later the kernel does not take them.
func newRing(long time.Duration) (*liburing.Ring, error) {
	ring, err := liburing.New(8, liburing.WithFlags(liburing.SetupRDisabled))
	if err != nil {
		return nil, err
	}
	waits, err := ring.RegisterWaitRegion(1)
	if errors.Is(err, syscall.EINVAL) {
		err = fmt.Errorf("%w: registered waits need Linux 6.13", err)
	}
	if err == nil {
		err = ring.EnableRings()
	}
	if err != nil {
		ring.Close()
		return nil, err
	}
	waits[longWait] = liburing.RegWait{
		Timeout: liburing.NewTimespec(long),
		Flags:   liburing.RegWaitTS,
	}
	waits[minWait] = liburing.RegWait{
		Timeout:     liburing.NewTimespec(most),
		MinWaitUsec: uint32(enough.Microseconds()),
		Flags:       liburing.RegWaitTS,
	}
	return ring, nil
}

// waitForNothing waits where no request is in flight: all of the time.
func waitForNothing(ring *liburing.Ring, long time.Duration) error {
	start := time.Now()
	_, err := ring.SubmitAndWaitReg(1, longWait)
	took := time.Since(start)
	if err == nil {
		return errors.New("a wait for a completion that cannot come has ended without a timeout")
	}
	if !errors.Is(err, syscall.ETIME) {
		return err
	}
	if took < long {
		return fmt.Errorf("the wait of %v was over after %v", long, took)
	}
	fmt.Printf("no completion within %v: waited %v\n", long, took.Round(time.Microsecond))
	return nil
}

// waitForAnyOfTwo reads twice from a pipe that has one message. It waits for
// both reads, and goes on with one as soon as the shorter time is over.
func waitForAnyOfTwo(ring *liburing.Ring) error {
	from, to, err := os.Pipe()
	if err != nil {
		return err
	}
	defer from.Close()
	defer to.Close()
	bufs := make([][8]byte, 2)
	for i := range bufs {
		ring.GetSQE().PrepRead(liburing.FD(from), bufs[i][:], 0)
	}
	if _, err := to.WriteString("Hello"); err != nil {
		return err
	}
	start := time.Now()
	if _, err := ring.SubmitAndWaitReg(2, minWait); err != nil {
		return err
	}
	took := time.Since(start)
	fmt.Printf("%d of 2 completions, enough after %v of the %v: waited %v\n", ring.CQReady(), enough, most, took.Round(time.Microsecond))

	to.Close() // ends the other read, which else might write to bufs after their time
	_, err = ring.WaitCQENr(2)
	runtime.KeepAlive(bufs)
	return err
}
