package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// client is one client: it connects, asks, waits for the answer, and so on.
type client struct {
	*clients
	place  int32
	fd     int // -1 between connections
	asked  bool
	got    int // bytes of the answer
	since  time.Time
	served bool // it has had an answer
}

// connect begins a connection. On the loopback most are made by the time that
// connect returns, so the client asks at once.
func (c *client) connect() {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		c.fail(fmt.Errorf("socket: %w", err))
		return
	}
	c.fd, c.since = fd, c.now
	if err := unix.Connect(fd, c.address); err != nil && err != unix.EINPROGRESS {
		c.fail(fmt.Errorf("connect: %w", err))
		return
	}
	if !c.ask() {
		return
	}
	// Edges: one registration does for the whole connection.
	event := unix.EpollEvent{Fd: c.place, Events: unix.EPOLLIN | unix.EPOLLOUT | unix.EPOLLET}
	if err := unix.EpollCtl(c.epoll, unix.EPOLL_CTL_ADD, fd, &event); err != nil {
		c.fail(fmt.Errorf("epoll_ctl: %w", err))
	}
}

// ask sends the request, if there is a connection yet. It returns false when it
// has failed.
func (c *client) ask() bool {
	n, err := unix.SendmsgN(c.fd, c.request, nil, nil, unix.MSG_NOSIGNAL)
	switch {
	case err == unix.EAGAIN:
		return true
	case err != nil:
		c.fail(fmt.Errorf("send: %w", err))
		return false
	case n < len(c.request):
		c.fail(errors.New("send: the socket has no room for a request"))
		return false
	}
	c.asked, c.since = true, c.now
	return true
}

// goOn goes on with what epoll says is possible.
func (c *client) goOn(events uint32) {
	if c.fd < 0 { // it has failed since
		return
	}
	if !c.asked && !c.ask() {
		return
	}
	if events&(unix.EPOLLIN|unix.EPOLLHUP|unix.EPOLLERR) != 0 {
		c.receive()
	}
}

// receive takes what the server has sent, until there is no more.
func (c *client) receive() {
	for {
		n, err := unix.Read(c.fd, c.buffer[:])
		switch {
		case err == unix.EAGAIN:
			return
		case err == unix.EINTR:
			continue
		case err != nil:
			c.fail(fmt.Errorf("receive: %w", err))
			return
		case n == 0:
			c.closed()
			return
		}
		if !c.take(c.buffer[:n]) {
			return
		}
	}
}

// take takes a part of the answer, and asks again after the last one if the
// connection is kept. It returns false when it has failed.
func (c *client) take(part []byte) bool {
	if !strings.HasPrefix(c.answer[c.got:], string(part)) {
		c.fail(fmt.Errorf("the answer has %q where %q should be", part, c.answer[c.got:]))
		return false
	}
	c.got += len(part)
	if c.got < len(c.answer) || !c.keepAlive {
		return true
	}
	c.got = 0
	c.count()
	return c.ask()
}

// closed is what follows when the server has closed the connection, as it
// should after the answer unless it is to be kept.
func (c *client) closed() {
	if c.keepAlive || c.got < len(c.answer) {
		c.fail(errors.New("the server has closed the connection before the answer's end"))
		return
	}
	c.count()
	c.disconnect()
	c.connect()
}

func (c *client) count() {
	c.answers++
	c.served = true
}

// fail counts a failure and ends the connection; the client connects again a
// little later.
func (c *client) fail(why error) {
	c.failures++
	if c.why == nil {
		c.why = why
	}
	c.disconnect()
}

func (c *client) disconnect() {
	if c.fd >= 0 {
		unix.Close(c.fd)
	}
	c.fd, c.asked, c.got = -1, false, 0
}
