package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/examples/internal/socket"
	"golang.org/x/sys/unix"
)

func serve(ctx context.Context, set settings) (err error) {
	fd, local, err := socket.Listen(unix.SOCK_STREAM, set.addr)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	// Completions say in a second half where the data is.
	loop, err := liburing.NewLoop(64, liburing.WithFlags(liburing.SetupCQE32), liburing.WithCQEntries(8192))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, loop.Close(context.Background())) }()
	r, err := newReceiver(loop, set)
	if err != nil {
		return err
	}
	s := &server{loop: loop, receiver: r, verify: set.verify}
	loop.Rearm(func(cb liburing.Callback) liburing.Request {
		return loop.MultishotAccept(fd, nil, unix.SOCK_CLOEXEC, cb)
	}, s.accepted)
	fmt.Println("listening on", local)
	err = loop.Run(ctx)
	return errors.Join(s.err, err)
}

type server struct {
	*receiver
	loop   *liburing.Loop
	verify bool
	err    error
}

func (s *server) fail(err error) {
	s.err = err
	s.loop.Stop()
}

func (s *server) accepted(c liburing.Completion) {
	fd, err := c.Result()
	if err != nil {
		s.fail(err)
		return
	}
	conn := &connection{server: s, fd: fd}
	conn.receive()
}

// connection is one client.
type connection struct {
	*server
	fd          int
	bytes       int
	completions int
	requests    int
}

// receive asks for all that the connection brings. liburing has no function that
// prepares this request: it is a multishot receive with another opcode, which
// names the registered queue.
func (c *connection) receive() {
	c.requests++
	request := c.loop.RecvMultishot(c.fd, nil, 0, c.received)
	if sqe := request.SQE(); sqe != nil {
		sqe.Opcode = liburing.OpRecvZC
		sqe.FileIndex = c.id // zcrx_ifq_idx
	}
}

func (c *connection) received(got liburing.Completion) {
	n, err := got.Result()
	switch {
	case got.More() && err == nil:
		c.take(got.BigCQE()[0], n)
	case errors.Is(err, unix.ENOSPC): // the completion queue was full
		c.receive()
	default:
		c.end(err)
	}
}

// take looks at n bytes that have landed at an offset of the area, and gives
// the memory back.
func (c *connection) take(off uint64, n int) {
	data := c.area[inArea(off):][:n]
	if c.verify {
		if err := c.check(data); err != nil {
			c.fail(err)
			return
		}
	}
	c.bytes += n
	c.completions++
	if !c.refill.put(off, uint32(n)) {
		c.fail(errors.New("the refill queue is full: use a larger -refill"))
	}
}

// check compares bytes with the alphabet.
func (c *connection) check(data []byte) error {
	for i, b := range data {
		if want := 'a' + byte((c.bytes+i)%26); b != want {
			return fmt.Errorf("byte %d of a connection is %q instead of %q", c.bytes+i, b, want)
		}
	}
	return nil
}

func (c *connection) end(err error) {
	fmt.Printf("a connection has ended: %d bytes in %d completions, %d requests\n", c.bytes, c.completions, c.requests)
	if err != nil {
		fmt.Println("it broke:", err)
	}
	c.loop.CloseFD(c.fd, nil)
}
