package main

import (
	"context"
	"errors"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/bench/models/internal/hello"
	"golang.org/x/sys/unix"
)

const (
	ringEntries       = 1024
	completionEntries = 16384 // for a burst of as many connections
	groupBuffers      = 1024
	groupBufferSize   = hello.MaxHead
)

// ioURing has one thread with a loop: one request accepts all connections, one
// receives all that a client sends, into buffers that all clients share.
func ioURing(ctx context.Context, s server) (err error) {
	loop, err := liburing.NewLoop(ringEntries, liburing.WithCQEntries(completionEntries))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, loop.Close(context.Background())) }()
	buffers, err := loop.NewBufGroup(groupBuffers, groupBufferSize, 0)
	if err != nil {
		return err
	}
	u := &uring{loop: loop, buffers: buffers}
	loop.Rearm(func(cb liburing.Callback) liburing.Request {
		return loop.MultishotAccept(s.listener, nil, unix.SOCK_CLOEXEC, cb)
	}, u.accepted)
	return errors.Join(loop.Run(ctx), u.err)
}

// uring has what all connections share.
type uring struct {
	loop    *liburing.Loop
	buffers *liburing.BufGroup
	err     error
}

func (u *uring) accepted(c liburing.Completion) {
	fd, err := c.Result()
	if err != nil { // too many open files, say
		u.err = err
		u.loop.Stop()
		return
	}
	client := &uringConnection{uring: u, fd: fd}
	client.onSent = client.sent // once: a method value is an allocation
	client.in = u.loop.Rearm(func(cb liburing.Callback) liburing.Request {
		return u.loop.RecvMultishot(fd, nil, 0, cb).Buffers(u.buffers)
	}, client.received)
}

// uringConnection is a client.
type uringConnection struct {
	*uring
	fd      int
	in      *liburing.Stream
	talk    hello.Conversation
	onSent  liburing.Callback
	sending bool
	ended   bool // nothing more comes in
	closed  bool
}

func (c *uringConnection) received(got liburing.Completion) {
	if c.closed {
		return
	}
	n := copy(c.talk.Room(), got.Buffer())
	c.talk.Got(n)
	switch {
	case n < len(got.Buffer()): // requests far ahead of their answers
		c.close()
	case got.Res <= 0:
		c.ended = true
		c.closeIfDone()
	case !c.sending:
		c.answer()
	}
}

// answer sends the next answer, if there is one.
func (c *uringConnection) answer() {
	answer, last := c.talk.Next()
	if answer == nil {
		return
	}
	if last {
		// The end follows the answer without another turn of the loop.
		c.send(answer, nil).HardLinkNext()
		c.close()
		return
	}
	c.sending = true
	c.send(answer, c.onSent)
}

func (c *uringConnection) send(answer []byte, sent liburing.Callback) liburing.Request {
	return c.loop.Send(c.fd, answer, unix.MSG_WAITALL|unix.MSG_NOSIGNAL, sent)
}

func (c *uringConnection) sent(done liburing.Completion) {
	c.sending = false
	if c.closed {
		return
	}
	if done.Err() != nil { // the client is gone
		c.close()
		return
	}
	c.answer()
	c.closeIfDone()
}

func (c *uringConnection) closeIfDone() {
	if c.ended && !c.sending && !c.closed {
		c.close()
	}
}

// close closes the connection. A receive would keep it open, so that ends too.
func (c *uringConnection) close() {
	c.closed = true
	c.loop.CloseFD(c.fd, nil)
	c.in.Stop()
}
