//go:build linux

package ringio

import (
	"time"

	"github.com/go-liburing/liburing"
	"golang.org/x/sys/unix"
)

// changes is how one waits for whom any other poll would come back at once, by one that is
// told of changes alone, as net's poller is: a raw reader or writer whose function wants more
// than there is, and who waits for room, see awaitRoom. It stays in the kernel until the function
// is content, so that no change is missed which comes while that runs.
type changes struct {
	s      *socket
	h      *half
	events uint32
	o      *op           // the request, nil if there is none
	wake   chan struct{} // one place
	ended  chan struct{}
	told   bool // how it is at first
	res    int32
}

func newChanges(s *socket, h *half, events uint32) *changes {
	return &changes{s: s, h: h, events: events, wake: make(chan struct{}, 1)}
}

// wait waits for a change behind the one that it was told last; at first also if there is
// something already. Who calls it looks at the deadline then.
func (c *changes) wait() error {
	if c.o == nil {
		switch err := c.begin(); err {
		case nil:
		case errForbidden:
			time.Sleep(time.Millisecond)
			return nil
		default:
			return err
		}
	}
	c.h.deadline.attach(c)
	defer c.h.deadline.detach()
	select {
	case <-c.wake:
		return nil
	case <-c.ended:
	}
	c.s.engine.release(c.o)
	c.o = nil
	switch {
	case c.res >= 0, c.s.engine.forbidden.is(): // the kernel had no room for what it tells
		return nil
	case c.res == -int32(unix.EINVAL): // before Linux 5.13 it has no such request
		time.Sleep(time.Millisecond)
		return nil
	}
	return c.s.failed(c.h, "poll", unix.Errno(-c.res))
}

func (c *changes) begin() error {
	o := c.s.engine.acquire()
	c.told, c.ended = false, make(chan struct{})
	o.entry().PrepPollMultishot(c.s.fd, c.events)
	o.keep, o.told = c, toldChange
	if err := c.s.engine.stage(o); err != nil {
		c.s.engine.release(o)
		return err
	}
	c.o = o
	c.s.engine.kickAside()
	return nil
}

// toldChange takes what the poll tells. The ring is locked.
func toldChange(o *op, res int32, _ liburing.CQEFlags, more bool) {
	c := o.keep.(*changes)
	if c.events != unix.POLLOUT || isRoom(res, c.told) {
		c.expire()
	}
	c.told = true
	if !more {
		c.res = res
		close(c.ended)
	}
}

// expire has who waits look up.
func (c *changes) expire() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// end returns when the kernel has nothing of it.
func (c *changes) end() {
	if c == nil {
		return
	}
	c.s.attachReader(c.h) // the deadline was c's meanwhile
	if c.o == nil {
		return
	}
	c.s.engine.cancel(c.o)
	<-c.ended
	c.s.engine.release(c.o)
}
