// Randread measures random reads of a file past the page cache: through Loop,
// the counterpart of bench/c/randread.c with the same command line and the same
// line of output, or through os.File or ringio.File with a goroutine for each read in
// flight. With -cached they come from the page cache.
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/bench/internal/meter"
)

const (
	blockSize = 4096
	maxDepth  = 1024
	lookEvery = 16 // reads between two looks at the clock
	warmUp    = 100 * time.Millisecond
)

func main() {
	mode := flag.String("mode", "loop", "how to read: loop, os or ringio")
	cached := flag.Bool("cached", false, "read from the page cache")
	name := flag.String("file", "", "the file to read")
	depth := flag.Int("depth", 16, fmt.Sprintf("reads in flight, 1 to %d", maxDepth))
	procs := flag.Int("procs", 0, "GOMAXPROCS, 0 to leave it")
	seconds := flag.Float64("seconds", 0.4, "how long to measure")
	flag.Parse()

	open := map[string]func(*work) (reader, error){"loop": openLoop, "os": openOS, "ringio": openRingio}[*mode]
	if open == nil || *name == "" || *depth < 1 || *depth > maxDepth || *seconds <= 0 || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	runtime.GOMAXPROCS(*procs)
	if err := run(open, *name, *cached, *depth, time.Duration(*seconds*float64(time.Second))); err != nil {
		fmt.Fprintln(os.Stderr, "randread:", err)
		os.Exit(1)
	}
}

// work is what is to be read, and how.
type work struct {
	file   *os.File
	flags  int // that it is opened with
	blocks uint64
	depth  int
	pool   *liburing.BufferPool
}

// reader is a way to read: it reads until the end and returns how often it did.
type reader interface {
	readUntil(end time.Time) (uint64, error)
	close() error
}

func run(open func(*work) (reader, error), name string, cached bool, depth int, long time.Duration) error {
	flags := os.O_RDONLY
	if !cached {
		flags |= unix.O_DIRECT
	}
	file, err := os.OpenFile(name, flags, 0)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if info.Size() < blockSize {
		return fmt.Errorf("%s is smaller than a block", name)
	}
	pool, err := liburing.NewBufferPool(depth, blockSize)
	if err != nil {
		return err
	}
	defer pool.Close()
	r, err := open(&work{file, flags, uint64(info.Size()) / blockSize, depth, pool})
	if err != nil {
		return err
	}
	defer r.close()
	if _, err := r.readUntil(time.Now().Add(warmUp)); err != nil {
		return err
	}
	var reads uint64
	cost, err := meter.Measure(func() (err error) {
		reads, err = r.readUntil(time.Now().Add(long))
		return err
	})
	if err != nil {
		return err
	}
	fmt.Printf("iops=%.1f threads=%d %s\n", float64(reads)/cost.Took.Seconds(), threads(), cost.Readings(reads))
	return nil
}

// threads returns how many threads the program has.
func threads() int {
	tasks, _ := os.ReadDir("/proc/self/task")
	return len(tasks)
}

// random is a generator of numbers, xorshift64, that C has too.
type random uint64

func (r *random) next() uint64 {
	x := uint64(*r)
	x ^= x << 13
	x ^= x >> 7
	x ^= x << 17
	*r = random(x)
	return x
}

// offset returns where to read next.
func (w *work) offset(r *random) uint64 { return r.next() % w.blocks * blockSize }

func checkRead(n int, err error) error {
	if err == nil && n != blockSize {
		err = fmt.Errorf("a read returned %d bytes", n)
	}
	return err
}
