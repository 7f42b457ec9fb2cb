// Cat writes files to the standard output, one after the other, through a Loop.
//
// It teaches the shape of every program on a Loop: a callback queues the next
// request. Each block that was read is written, and when it has been written
// the next one is read into the same buffer.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/go-liburing/liburing"
)

func main() {
	flag.Usage = func() {
		fmt.Fprintf(flag.CommandLine.Output(), "usage: cat FILE...\n\nWrites the files to the standard output through io_uring.\n")
	}
	flag.Parse()
	if flag.NArg() == 0 {
		fmt.Fprintln(os.Stderr, "cat: name a file")
		flag.Usage()
		os.Exit(2)
	}
	for _, name := range flag.Args() {
		if err := cat(name, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, "cat:", err)
			os.Exit(1)
		}
	}
}

func cat(name string, out *os.File) error {
	in, err := os.Open(name)
	if err != nil {
		return err
	}
	defer in.Close()
	loop, err := liburing.NewLoop(4)
	if err != nil {
		return err
	}
	defer loop.Close(context.Background())

	c := copier{loop: loop, in: in, out: out, buf: make([]byte, 128<<10)}
	c.position, _ = out.Seek(0, io.SeekCurrent) // a pipe has none
	c.read()
	if err := loop.RunUntilIdle(context.Background()); err != nil {
		return err
	}
	return c.err
}

type copier struct {
	loop     *liburing.Loop
	in, out  *os.File
	position int64 // of out
	buf      []byte
	err      error
}

func (c *copier) read() {
	c.loop.Read(liburing.FD(c.in), c.buf, liburing.CurrentPosition, func(done liburing.Completion) {
		n, err := done.Result()
		switch {
		case err != nil:
			c.err = fmt.Errorf("%s: %w", c.in.Name(), err)
		case n > 0:
			c.write(c.buf[:n])
		}
	})
}

func (c *copier) write(rest []byte) {
	c.loop.Write(liburing.FD(c.out), rest, liburing.CurrentPosition, func(done liburing.Completion) {
		n, err := done.Result()
		c.position += int64(n)
		switch {
		case err != nil:
			c.err = fmt.Errorf("%s: %w", c.out.Name(), err)
		case n == 0:
			c.err = io.ErrShortWrite
		case n < len(rest):
			// Where a write is cut short, by a full disk for one, the kernel does
			// not move the file's position, and the rest would go over its beginning.
			c.out.Seek(c.position, io.SeekStart)
			c.write(rest[n:])
		default:
			c.read()
		}
	})
}
