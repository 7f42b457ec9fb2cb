// Eventfd reads a file through a ring whose completions are announced by an eventfd. A
// goroutine sleeps in a read of it, as a program's existing event loop would do in poll
// or epoll.
//
// It teaches how a ring fits into an existing program: whatever waits for descriptors
// can wait for a ring too, and takes the completions when they are announced. Several
// may be announced at once.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"

	"github.com/go-liburing/liburing"
	"golang.org/x/sys/unix"
)

const (
	depth     = 8
	blockSize = 64 << 10
)

func main() {
	flag.Usage = func() {
		fmt.Fprintf(flag.CommandLine.Output(), "usage: eventfd FILE\n\nReads the file and says how many bytes it has, and how often it was woken up.\n")
	}
	flag.Parse()
	if flag.NArg() != 1 {
		fmt.Fprintf(os.Stderr, "eventfd: one file name is needed, not %d\n", flag.NArg())
		flag.Usage()
		os.Exit(2)
	}
	if err := run(flag.Arg(0)); err != nil {
		fmt.Fprintln(os.Stderr, "eventfd:", err)
		os.Exit(1)
	}
}

func run(name string) error {
	in, err := os.Open(name)
	if err != nil {
		return err
	}
	defer in.Close()
	event, announced, err := newEvent()
	if err != nil {
		return err
	}
	defer event.Close()

	runtime.LockOSThread() // requests depend on the thread that submitted them
	defer runtime.UnlockOSThread()
	ring, err := liburing.New(depth)
	if err != nil {
		return err
	}
	defer ring.Close()
	if err := ring.RegisterEventfd(liburing.FD(event)); err != nil {
		return err
	}
	r := reader{ring: ring, fd: liburing.FD(in)}
	for i := range r.buffers {
		r.buffers[i] = make([]byte, blockSize)
		r.read(i)
	}
	for r.inFlight > 0 {
		if _, err := ring.Submit(); err != nil {
			return err
		}
		<-announced
		r.wakeUps++
		for cqe := range ring.CQEs() {
			r.completed(cqe)
		}
	}
	if r.err != nil {
		return fmt.Errorf("read %s: %w", name, r.err)
	}
	fmt.Printf("%d bytes in %d reads, announced %d times\n", r.bytes, r.reads, r.wakeUps)
	return nil
}

// newEvent returns an eventfd, and a channel that has a value whenever it has
// been signalled since.
func newEvent() (*os.File, <-chan struct{}, error) {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, nil, os.NewSyscallError("eventfd", err)
	}
	// Go's runtime has an epoll of its own, in which it waits for this one.
	event := os.NewFile(uintptr(fd), "eventfd")
	announced := make(chan struct{})
	go func() {
		var count [8]byte
		for {
			if _, err := event.Read(count[:]); err != nil {
				return // closed
			}
			announced <- struct{}{}
		}
	}()
	return event, announced, nil
}

// reader reads a file to its end, block by block.
type reader struct {
	ring     *liburing.Ring
	fd       int
	buffers  [depth][]byte
	next     uint64 // where the next read begins
	inFlight int
	reads    int
	bytes    int64
	wakeUps  int
	err      error
}

// read queues a read into buffer i.
func (r *reader) read(i int) {
	sqe := r.ring.GetSQE()
	sqe.PrepRead(r.fd, r.buffers[i], r.next)
	sqe.SetData64(uint64(i))
	r.next += blockSize
	r.inFlight++
}

func (r *reader) completed(cqe *liburing.CQE) {
	r.inFlight--
	if err := cqe.Err(); err != nil {
		r.err = errors.Join(r.err, err)
		return
	}
	r.reads++
	r.bytes += int64(cqe.Res)
	switch {
	case cqe.Res == blockSize && r.err == nil:
		r.read(int(cqe.UserData))
	case cqe.Res > blockSize:
		r.err = errors.Join(r.err, io.ErrShortBuffer)
	}
}
