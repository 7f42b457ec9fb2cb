package main

import (
	"context"
	"fmt"

	"golang.org/x/sys/unix"
)

// epoll has one thread that the kernel tells of the connections that are ready.
func epoll(ctx context.Context, s server) error {
	if err := unix.SetNonblock(s.listener, true); err != nil {
		return err
	}
	return untilDone(ctx, func() error {
		e := epoller{listener: s.listener, connections: make(map[int32]*connection)}
		if err := e.start(); err != nil {
			return fmt.Errorf("epoll: %w", err)
		}
		for {
			if err := e.turn(); err != nil {
				return fmt.Errorf("epoll: %w", err)
			}
		}
	})
}

// epoller has the connections by their descriptors.
type epoller struct {
	fd          int
	listener    int
	connections map[int32]*connection
	events      [512]unix.EpollEvent
}

func (e *epoller) start() (err error) {
	if e.fd, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return err
	}
	return e.watch(unix.EPOLL_CTL_ADD, e.listener, readable)
}

func (e *epoller) watch(op, fd int, wants int16) error {
	return unix.EpollCtl(e.fd, op, fd, &unix.EpollEvent{Fd: int32(fd), Events: uint32(wants)})
}

// turn waits once and serves all who are ready.
func (e *epoller) turn() error {
	n, err := unix.EpollWait(e.fd, e.events[:], -1)
	if err != nil && err != unix.EINTR {
		return err
	}
	for _, event := range e.events[:max(n, 0)] {
		if event.Fd == int32(e.listener) {
			err = acceptAll(e.listener, e.add)
		} else {
			err = e.serve(e.connections[event.Fd])
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (e *epoller) add(c *connection) error {
	e.connections[int32(c.fd)] = c
	return e.watch(unix.EPOLL_CTL_ADD, c.fd, readable)
}

// serve goes on with a connection that is ready; the kernel is told if that
// makes it wait for something else.
func (e *epoller) serve(c *connection) error {
	waited := c.waitsFor()
	switch wants := c.ready(); wants {
	case nothing:
		delete(e.connections, int32(c.fd))
		return unix.Close(c.fd)
	case waited:
		return nil
	default:
		return e.watch(unix.EPOLL_CTL_MOD, c.fd, wants)
	}
}
