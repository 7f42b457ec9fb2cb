package main

import (
	"context"
	"fmt"

	"golang.org/x/sys/unix"
)

// poll has one thread that hands the kernel the list of all connections each
// time it waits.
func poll(ctx context.Context, s server) error {
	if err := unix.SetNonblock(s.listener, true); err != nil {
		return err
	}
	return untilDone(ctx, func() error {
		p := poller{watched: []unix.PollFd{{Fd: int32(s.listener), Events: readable}}, connections: []*connection{nil}}
		for {
			if err := p.turn(); err != nil {
				return fmt.Errorf("poll: %w", err)
			}
		}
	})
}

// poller has the connections and what each waits for, at the same places. The
// listening socket is at the first.
type poller struct {
	watched     []unix.PollFd
	connections []*connection
}

// turn waits once and serves all who are ready.
func (p *poller) turn() error {
	if _, err := unix.Poll(p.watched, -1); err != nil && err != unix.EINTR {
		return err
	}
	// From behind: a place that becomes free is taken by the last.
	for i := len(p.watched) - 1; i > 0; i-- {
		if p.watched[i].Revents == 0 {
			continue
		}
		p.watched[i].Events = p.connections[i].ready()
		if p.watched[i].Events == nothing {
			p.drop(i)
		}
	}
	if p.watched[0].Revents == 0 {
		return nil
	}
	return acceptAll(int(p.watched[0].Fd), p.add)
}

func (p *poller) add(c *connection) error {
	p.watched = append(p.watched, unix.PollFd{Fd: int32(c.fd), Events: readable})
	p.connections = append(p.connections, c)
	return nil
}

func (p *poller) drop(place int) {
	unix.Close(p.connections[place].fd)
	last := len(p.watched) - 1
	p.watched[place], p.connections[place] = p.watched[last], p.connections[last]
	p.connections[last] = nil
	p.watched, p.connections = p.watched[:last], p.connections[:last]
}
