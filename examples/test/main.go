// Test reads the first four blocks of a file past the page cache (O_DIRECT), all at
// once, and prints how many bytes there were. It is the counterpart of liburing's
// examples/io_uring-test.c and prints the same line.
//
// It teaches the life of a Ring from setup to Close: take entries, prepare them,
// submit them together, wait for their completions one by one.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime"

	"github.com/go-liburing/liburing"
	"golang.org/x/sys/unix"
)

const (
	depth     = 4
	blockSize = 4096 // O_DIRECT wants sizes, offsets and addresses in blocks
)

func main() {
	flag.Usage = func() {
		fmt.Fprintf(flag.CommandLine.Output(), "usage: test FILE\n\nReads the beginning of a file through io_uring, with O_DIRECT.\n")
	}
	flag.Parse()
	if flag.NArg() != 1 {
		fmt.Fprintf(os.Stderr, "test: one file name is needed, not %d\n", flag.NArg())
		flag.Usage()
		os.Exit(2)
	}
	if err := readStart(flag.Arg(0)); err != nil {
		fmt.Fprintln(os.Stderr, "test:", err)
		os.Exit(1)
	}
}

func readStart(name string) error {
	f, err := os.OpenFile(name, os.O_RDONLY|unix.O_DIRECT, 0)
	if errors.Is(err, unix.EINVAL) {
		return fmt.Errorf("%w: O_DIRECT takes a regular file on a file system that has it, such as a disk's", err)
	}
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	pool, err := liburing.NewBufferPool(depth, blockSize)
	if err != nil {
		return err
	}
	defer pool.Close()

	runtime.LockOSThread() // requests depend on the thread that submitted them
	defer runtime.UnlockOSThread()
	ring, err := liburing.New(depth)
	if err != nil {
		return err
	}
	defer ring.Close()
	submitted, err := submitReads(ring, liburing.FD(f), pool.Buffers(), info.Size())
	if err != nil {
		return err
	}
	completed, bytes, err := await(ring, submitted, info.Size())
	fmt.Printf("Submitted=%d, completed=%d, bytes=%d\n", submitted, completed, bytes)
	return err
}

// submitReads submits a read of each block that the file has, as far as there
// are buffers, and at least one. A request's user data is where its block begins.
func submitReads(ring *liburing.Ring, fd int, buffers [][]byte, size int64) (int, error) {
	for i, buf := range buffers {
		off := int64(i) * blockSize
		if i > 0 && off >= size {
			break
		}
		sqe := ring.GetSQE()
		sqe.PrepRead(fd, buf[:blockSize], uint64(off))
		sqe.SetData64(uint64(off))
	}
	return ring.Submit()
}

// await takes n completions and adds up their bytes. Each must have filled its
// block, except where the file ends.
func await(ring *liburing.Ring, n int, size int64) (completed int, bytes int64, err error) {
	for completed < n {
		cqe, err := ring.WaitCQE()
		if err != nil {
			return completed, bytes, err
		}
		off, res, failed := int64(cqe.UserData), int64(cqe.Res), cqe.Err()
		ring.CQESeen(cqe) // its place is the kernel's again
		completed++
		if failed != nil {
			return completed, bytes, fmt.Errorf("read at %d: %w", off, failed)
		}
		if want := min(blockSize, size-off); res != want {
			return completed, bytes, fmt.Errorf("read at %d: %d bytes instead of %d", off, res, want)
		}
		bytes += res
	}
	return completed, bytes, nil
}
