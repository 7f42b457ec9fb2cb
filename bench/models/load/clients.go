package main

import (
	"fmt"
	"time"

	"github.com/go-liburing/liburing/bench/models/internal/hello"
	"golang.org/x/sys/unix"
)

const (
	warmUp   = 50 * time.Millisecond
	patience = time.Second           // that a client has for an answer
	tick     = 20 * time.Millisecond // between two looks for clients out of patience
	together = 256                   // how many clients begin at a time: a server can accept so many
)

// counts are what came of the requests.
type counts struct {
	answers, failures int
	why               error // the first failure
}

// result is what was measured.
type result struct {
	counts
	took     time.Duration
	total    int // answers, those of the warm-up too
	unserved int // clients without any answer
}

// String returns the result as the runner of the benchmarks reads it.
func (r result) String() string {
	return fmt.Sprintf("requests_per_second=%.1f requests=%d failures=%d unserved_clients=%d total_requests=%d",
		float64(r.answers)/r.took.Seconds(), r.answers, r.failures, r.unserved, r.total)
}

// clients are all clients, on one thread.
type clients struct {
	options
	request []byte
	answer  string
	address *unix.SockaddrInet4
	epoll   int
	all     []client
	begun   int
	now     time.Time
	looked  time.Time // for clients out of patience
	events  [512]unix.EpollEvent
	buffer  [4096]byte
	counts
}

// measure has the clients ask for a time.
func measure(o options) (result, error) {
	c, err := newClients(o)
	if err != nil {
		return result{}, err
	}
	defer c.end()
	if err := c.goOn(func() bool { return c.begun == len(c.all) }); err != nil {
		return result{}, err
	}
	warm := c.now.Add(warmUp)
	if err := c.goOn(func() bool { return c.now.After(warm) }); err != nil {
		return result{}, err
	}
	before, start := c.answers, c.now
	c.counts = counts{}
	if err := c.goOn(func() bool { return c.now.Sub(start) >= o.time }); err != nil {
		return result{}, err
	}
	return result{counts: c.counts, took: c.now.Sub(start), total: before + c.answers, unserved: c.unserved()}, nil
}

func newClients(o options) (*clients, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("epoll_create1: %w", err)
	}
	c := &clients{options: o, request: []byte(hello.OneRequest), answer: hello.LastAnswer, epoll: epoll, all: make([]client, o.clients)}
	if o.keepAlive {
		c.request, c.answer = []byte(hello.Request), hello.Answer
	}
	c.address = &unix.SockaddrInet4{Port: int(o.server.Port()), Addr: o.server.Addr().As4()}
	for i := range c.all {
		c.all[i] = client{clients: c, place: int32(i), fd: -1}
	}
	return c, nil
}

// goOn has the clients ask until enough says that it is enough.
func (c *clients) goOn(enough func() bool) error {
	for {
		c.now = time.Now()
		if enough() {
			return nil
		}
		c.beginSome()
		c.losePatience()
		wait := tick
		if c.begun < len(c.all) {
			wait = 0
		}
		n, err := unix.EpollWait(c.epoll, c.events[:], int(wait.Milliseconds()))
		if err != nil && err != unix.EINTR {
			return fmt.Errorf("epoll_wait: %w", err)
		}
		for _, event := range c.events[:max(n, 0)] {
			c.all[event.Fd].goOn(event.Events)
		}
	}
}

// beginSome has further clients begin.
func (c *clients) beginSome() {
	for range min(together, len(c.all)-c.begun) {
		c.all[c.begun].connect()
		c.begun++
	}
}

// losePatience has clients fail that have waited for too long, and those
// connect again that failed before.
func (c *clients) losePatience() {
	if c.now.Sub(c.looked) < tick {
		return
	}
	c.looked = c.now
	for i := range c.all[:c.begun] {
		client := &c.all[i]
		if client.fd >= 0 && c.now.Sub(client.since) > patience {
			client.fail(fmt.Errorf("no answer within %v", patience))
		}
		if client.fd < 0 {
			client.connect()
		}
	}
}

func (c *clients) unserved() (n int) {
	for i := range c.all {
		if !c.all[i].served {
			n++
		}
	}
	return n
}

func (c *clients) end() {
	for i := range c.all {
		c.all[i].disconnect()
	}
	unix.Close(c.epoll)
}
