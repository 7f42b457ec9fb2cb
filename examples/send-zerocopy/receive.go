package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/examples/internal/socket"
	"github.com/go-liburing/liburing/loopio"
	"golang.org/x/sys/unix"
)

// receive takes whatever is sent, until ctx ends, and prints how much it was.
func receive(ctx context.Context, s settings) (err error) {
	fd, local, err := socket.Listen(s.typ, s.addr)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	loop, err := liburing.NewLoop(64, liburing.WithCQEntries(4096))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, loop.Close(context.Background())) }()
	buffers, err := loop.NewBufGroup(256, s.size, 0)
	if err != nil {
		return err
	}
	r := &receiver{loop: loop, buffers: buffers}
	if s.typ == unix.SOCK_DGRAM {
		r.datagrams(fd)
	} else {
		loopio.Serve(loop, fd, r.accepted, func(err error, _ bool) { loop.Fail(err) })
	}
	fmt.Println("listening on", local)
	if err = loop.Run(ctx); ctx.Err() != nil {
		err = nil
	}
	fmt.Printf("received %d bytes, %d times\n", r.bytes, r.times)
	return err
}

type receiver struct {
	loop         *liburing.Loop
	buffers      *liburing.BufGroup
	bytes, times int
}

// datagrams receives from a socket that has no connections. An empty datagram
// is no end there.
func (r *receiver) datagrams(fd int) {
	r.receive(fd, func(err error) {
		if err != nil {
			r.loop.Fail(err)
			return
		}
		r.datagrams(fd)
	})
}

// accepted receives from a connection until that ends or breaks.
func (r *receiver) accepted(fd int) {
	r.receive(fd, func(error) { r.loop.CloseFD(fd, nil) })
}

// receive counts what arrives at a socket until the end, which it tells of.
func (r *receiver) receive(fd int, ended func(error)) {
	r.loop.Rearm(func(cb liburing.Callback) liburing.Request {
		return r.loop.RecvMultishot(fd, nil, 0, cb).Buffers(r.buffers)
	}, func(c liburing.Completion) {
		n, err := c.Result()
		if n == 0 {
			ended(err)
			return
		}
		r.bytes += n
		r.times++
	})
}
