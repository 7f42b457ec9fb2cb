// Package meter measures what a piece of a program costs.
package meter

import (
	"fmt"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// Cost is what something cost.
type Cost struct {
	Took   time.Duration
	CPU    time.Duration // of all threads, in the program and in the kernel
	Allocs uint64        // objects on the Go heap
}

// Measure runs something and returns what it cost.
func Measure(run func() error) (Cost, error) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	cpu := processorTime()
	start := time.Now()
	err := run()
	c := Cost{Took: time.Since(start), CPU: processorTime() - cpu}
	runtime.ReadMemStats(&after)
	c.Allocs = after.Mallocs - before.Mallocs
	return c, err
}

// Readings returns the readings that all requests have, for the runner of the
// benchmarks.
func (c Cost) Readings(requests uint64) string {
	n := float64(requests)
	return fmt.Sprintf("requests=%d cpu_us_per_request=%.4f allocs_per_request=%.6f",
		requests, float64(c.CPU.Nanoseconds())/1000/n, float64(c.Allocs)/n)
}

func processorTime() time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		panic(fmt.Sprint("getrusage: ", err)) // it has no reason to fail
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
