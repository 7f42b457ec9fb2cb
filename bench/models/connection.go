package main

import (
	"github.com/go-liburing/liburing/bench/models/internal/hello"
	"golang.org/x/sys/unix"
)

// What a connection waits for; for poll and epoll these are the same numbers.
const (
	nothing  = 0 // it has ended
	readable = unix.POLLIN
	writable = unix.POLLOUT
)

// connection is a client of a server that waits for many at once.
type connection struct {
	fd   int
	talk hello.Conversation
	out  []byte // the rest of an answer
	last bool   // nothing comes after it
}

// ready does what can be done without waiting, once what the connection waited
// for has come, and returns what it waits for now.
func (c *connection) ready() (wants int16) {
	if c.out == nil {
		n, err := unix.Read(c.fd, c.talk.Room())
		switch {
		case err == unix.EAGAIN || err == unix.EINTR:
			return readable
		case n <= 0:
			return nothing
		}
		c.talk.Got(n)
	}
	return c.answer()
}

// answer sends answers as long as there are some.
func (c *connection) answer() (wants int16) {
	for {
		if c.out == nil {
			c.out, c.last = c.talk.Next()
		}
		if c.out == nil {
			return readable
		}
		n, err := unix.Write(c.fd, c.out)
		switch {
		case err == unix.EAGAIN || err == unix.EINTR || err == nil && n < len(c.out):
			c.out = c.out[max(n, 0):]
			return writable
		case err != nil || c.last:
			return nothing
		}
		c.out = nil
	}
}

// acceptAll takes the connections that wait, and has add called with each.
func acceptAll(listener int, add func(*connection) error) error {
	for {
		fd, err := accept(listener, unix.SOCK_NONBLOCK)
		if err == unix.EAGAIN {
			return nil
		}
		if err == nil {
			err = add(&connection{fd: fd})
		}
		if err != nil {
			return err
		}
	}
}

// waitsFor returns what the connection waits for.
func (c *connection) waitsFor() int16 {
	if c.out != nil {
		return writable
	}
	return readable
}
