// Package mark is imported for its effect: the program prints how many objects it has
// allocated each time it gets SIGUSR1, and how many bytes of Go's heap and of goroutines'
// stacks are in use each time it gets SIGUSR2. This is for servers, which do not know
// themselves when a measurement begins and ends.
package mark

import (
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"syscall"
)

// What begins a line that has the number of objects, and of bytes.
const (
	Prefix     = "mallocs="
	HeapPrefix = "heap="
)

func init() {
	signals := make(chan os.Signal, 2) // both ends of a measurement
	signal.Notify(signals, syscall.SIGUSR1, syscall.SIGUSR2)
	go answer(signals)
}

// answer allocates nothing itself.
func answer(signals <-chan os.Signal) {
	var stats runtime.MemStats
	line := make([]byte, 0, 64)
	for s := range signals {
		if s == syscall.SIGUSR2 {
			runtime.GC()
		}
		runtime.ReadMemStats(&stats)
		prefix, n := Prefix, stats.Mallocs
		if s == syscall.SIGUSR2 {
			prefix, n = HeapPrefix, stats.HeapAlloc+stats.StackInuse
		}
		line = append(strconv.AppendUint(append(line[:0], prefix...), n, 10), '\n')
		os.Stdout.Write(line)
	}
}
