// Package nop measures no-op requests through another library: the same work,
// command line and line of output as bench/nop's.
package nop

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"syscall"
	"time"
)

// Entries is the size of the submission queue.
const Entries = 256

const (
	lookEvery = 4096 // requests between two looks at the clock
	warmUp    = 100 * time.Millisecond
)

// Flags are the setup flags of all sides: IORING_SETUP_SINGLE_ISSUER,
// DEFER_TASKRUN and SUBMIT_ALL.
const Flags = 1<<12 | 1<<13 | 1<<7

// Main measures batches. What open returns makes one system call of n no-op
// requests and takes their completions.
func Main(name string, open func() (batch func(n uint32) error, err error)) {
	size := flag.Uint("batch", 32, fmt.Sprintf("requests in each system call, 1 to %d", Entries))
	seconds := flag.Float64("seconds", 0.4, "how long to measure")
	flag.Parse()
	if *size < 1 || *size > Entries || *seconds <= 0 || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	// A ring for a single issuer is its thread's.
	runtime.LockOSThread()
	if err := measure(open, uint32(*size), time.Duration(*seconds*float64(time.Second))); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		os.Exit(1)
	}
}

func measure(open func() (func(uint32) error, error), size uint32, long time.Duration) error {
	batch, err := open()
	if err != nil {
		return err
	}
	if _, err := repeat(batch, size, time.Now().Add(warmUp)); err != nil {
		return err
	}
	cpu, start := processorTime(), time.Now()
	requests, err := repeat(batch, size, start.Add(long))
	if err != nil {
		return err
	}
	took := time.Since(start)
	cpu = processorTime() - cpu
	fmt.Printf("ns_per_request=%.3f requests=%d cpu_us_per_request=%.4f\n",
		float64(took.Nanoseconds())/float64(requests), requests, float64(cpu.Nanoseconds())/1000/float64(requests))
	return nil
}

func processorTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(fmt.Sprint("getrusage: ", err)) // it has no reason to fail
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// repeat makes batches until the end, and seldom looks at the time.
func repeat(batch func(uint32) error, size uint32, end time.Time) (requests uint64, err error) {
	for {
		if err := batch(size); err != nil {
			return requests, err
		}
		requests += uint64(size)
		if requests%lookEvery < uint64(size) && !time.Now().Before(end) {
			return requests, nil
		}
	}
}
