// Close-test reads the first four blocks of a file on a ring whose descriptor is
// closed: the ring is registered with its thread and used by that registration. It is
// the counterpart of liburing's examples/io_uring-close-test.c and prints the same
// line.
//
// It teaches RegisterRingFD and CloseRingFD: a ring without a descriptor cannot be
// inherited or be closed by a wrong number, and each system call saves looking one up.
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime"

	"github.com/go-liburing/liburing"
)

const (
	depth     = 4
	blockSize = 4096
)

func main() {
	flag.Usage = func() {
		fmt.Fprintf(flag.CommandLine.Output(), "usage: close-test FILE\n\nReads the beginning of a file through an io_uring without a descriptor.\n")
	}
	flag.Parse()
	if flag.NArg() != 1 {
		fmt.Fprintf(os.Stderr, "close-test: one file name is needed, not %d\n", flag.NArg())
		flag.Usage()
		os.Exit(2)
	}
	if err := readStart(flag.Arg(0)); err != nil {
		fmt.Fprintln(os.Stderr, "close-test:", err)
		os.Exit(1)
	}
}

func readStart(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	runtime.LockOSThread() // the registration holds for this thread only
	defer runtime.UnlockOSThread()
	ring, err := withoutDescriptor()
	if err != nil {
		return err
	}
	defer ring.Close()

	bufs := make([]byte, depth*blockSize)
	n := 0
	for ; n < depth && int64(n)*blockSize <= info.Size(); n++ { // the end of the file is read too
		sqe := ring.GetSQE()
		sqe.PrepRead(liburing.FD(f), bufs[n*blockSize:(n+1)*blockSize], uint64(n*blockSize))
		sqe.SetData64(uint64(n * blockSize))
	}
	submitted, err := ring.SubmitAndWait(n)
	if err != nil {
		return err
	}
	completed, bytes, err := take(ring, info.Size())
	fmt.Printf("Submitted=%d, completed=%d, bytes=%d\n", submitted, completed, bytes)
	return err
}

// withoutDescriptor returns a ring that this thread alone can use, by its
// registration.
func withoutDescriptor() (*liburing.Ring, error) {
	ring, err := liburing.New(depth)
	if err != nil {
		return nil, err
	}
	if err = ring.RegisterRingFD(); err == nil {
		err = ring.CloseRingFD()
	}
	if err == nil && ring.FD() != -1 {
		err = fmt.Errorf("the ring still has descriptor %d", ring.FD())
	}
	if err != nil {
		ring.Close()
		return nil, err
	}
	return ring, nil
}

// take adds up the completions' bytes. Each must have filled its block, except
// where the file ends.
func take(ring *liburing.Ring, size int64) (completed int, bytes int64, err error) {
	for cqe := range ring.CQEs() {
		off := int64(cqe.UserData)
		completed++
		if err := cqe.Err(); err != nil {
			return completed, bytes, fmt.Errorf("read at %d: %w", off, err)
		}
		if want := min(blockSize, size-off); int64(cqe.Res) != want {
			return completed, bytes, fmt.Errorf("read at %d: %d bytes instead of %d", off, cqe.Res, want)
		}
		bytes += int64(cqe.Res)
	}
	return completed, bytes, nil
}
