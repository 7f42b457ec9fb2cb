// Sqpoll reads a file again and again without a system call: a thread of the
// kernel looks for requests in the ring, and the program for their completions.
//
// It teaches SQPOLL, and what it costs: a processor that is always busy looking. When
// there has been nothing to do for the idle time the kernel's thread sleeps, and waking
// it takes a system call, which the library makes by itself. The program prints how
// many there were.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime"
	"time"

	"github.com/go-liburing/liburing"
	"golang.org/x/sys/unix"
)

func main() {
	idle := flag.Duration("idle", time.Second, "how long the kernel's thread looks before it sleeps")
	reads := flag.Int("reads", 10_000, "the `number` of reads")
	pause := flag.Duration("pause", 0, "how long to wait before each read")
	flag.Usage = func() {
		fmt.Fprintf(flag.CommandLine.Output(), "usage: sqpoll [flags] FILE\n\nReads the beginning of the file again and again through a ring that the kernel polls.\n")
		flag.PrintDefaults()
	}
	flag.Parse()
	if why := badArguments(*idle, *reads, *pause); why != "" {
		fmt.Fprintln(os.Stderr, "sqpoll:", why)
		flag.Usage()
		os.Exit(2)
	}
	if err := run(flag.Arg(0), *idle, *reads, *pause); err != nil {
		fmt.Fprintln(os.Stderr, "sqpoll:", err)
		os.Exit(1)
	}
}

func badArguments(idle time.Duration, reads int, pause time.Duration) string {
	switch {
	case flag.NArg() != 1:
		return fmt.Sprintf("one file name is needed, not %d", flag.NArg())
	case idle < time.Millisecond:
		return "-idle must be a millisecond at least"
	case reads < 1 || pause < 0:
		return "-reads must be 1 at least, and -pause not below zero"
	}
	return ""
}

func run(name string, idle time.Duration, reads int, pause time.Duration) error {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	ring, err := liburing.New(8, liburing.WithSQPoll(idle))
	if err != nil {
		return err
	}
	defer ring.Close()

	p := poller{ring: ring, fd: liburing.FD(file), buf: make([]byte, 4096)}
	start := time.Now()
	for range reads {
		time.Sleep(pause)
		if err := p.read(); err != nil {
			return fmt.Errorf("read %s: %w", name, err)
		}
	}
	took := time.Since(start)
	fmt.Printf("%d reads, %d bytes, in %v, %d system calls\n", reads, p.bytes, took.Round(time.Millisecond), p.enters)
	return nil
}

// poller reads without system calls as long as the kernel's thread is awake.
type poller struct {
	ring   *liburing.Ring
	fd     int
	buf    []byte
	bytes  int64
	enters int // system calls that have woken the kernel's thread up
}

func (p *poller) read() error {
	sqe := p.ring.GetSQE()
	if sqe == nil {
		return errors.New("the submission queue is full") // cannot be: there is one request at a time
	}
	sqe.PrepRead(p.fd, p.buf, 0)
	if p.ring.SQFlags()&liburing.SQNeedWakeup != 0 {
		p.enters++
	}
	// Submit moves the tail, which the kernel's thread sees. Only if it sleeps
	// there is a system call.
	if _, err := p.ring.Submit(); err != nil {
		return err
	}
	cqe, err := p.await()
	if err != nil {
		return err
	}
	p.bytes += int64(cqe.Res)
	err = cqe.Err()
	p.ring.CQESeen(cqe)
	return err
}

// await looks for the completion. To wait for it would be a system call.
func (p *poller) await() (*liburing.CQE, error) {
	for {
		cqe, err := p.ring.PeekCQE()
		if !errors.Is(err, unix.EAGAIN) {
			return cqe, err
		}
		runtime.Gosched()
	}
}
