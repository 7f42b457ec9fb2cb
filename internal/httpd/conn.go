package httpd

import (
	"errors"
	"net/http"
	"net/netip"
	"time"

	"github.com/go-liburing/liburing"
	"golang.org/x/sys/unix"
)

// conn is a client's connection.
type conn struct {
	server *Server
	fd     int
	peer   netip.AddrPort

	in     []byte         // what has been received and not been answered
	headBy time.Time      // when the head that has begun to come must be whole
	waits  liburing.Token // the request that the client keeps waiting
	by     time.Time      // when it must be done
	late   bool           // it was not
	last   bool           // nothing is answered after this
	deaf   bool           // the client may be sending what nobody will read

	answer
}

// wait notes a request that waits for the client, and how long it may.
func (c *conn) wait(r liburing.Request, by time.Time) {
	c.waits, c.by, c.late = r.Token(), by, false
}

// cut has the request fail that waits for the client.
func (c *conn) cut() {
	c.late = true
	c.server.loop.Cancel(c.waits, 0, nil)
}

func (c *conn) isLate() bool { return c.late || c.server.graceOver }

// receive waits for more of what the client sends.
func (c *conn) receive() {
	if c.server.stopping {
		c.end(nil)
		return
	}
	by := time.Now().Add(c.server.options.Timeout)
	if len(c.in) > 0 {
		if c.headBy.IsZero() {
			c.headBy = by
		}
		by = c.headBy
	}
	c.wait(c.server.loop.Recv(c.fd, nil, 0, c.received).Buffers(c.server.buffers), by)
}

func (c *conn) received(got liburing.Completion) {
	switch {
	case got.Res > 0:
		c.in = append(c.in, got.Buffer()...)
		c.next()
	case noBuffers(got):
		c.receive()
	case c.late && len(c.in) > 0 && !c.server.stopping:
		c.refuse(http.StatusRequestTimeout)
	default: // the client has closed, or is gone, or was idle for too long
		c.end(nil)
	}
}

// noBuffers reports whether a receive has found all buffers taken. Since
// callbacks don't keep them, they are back when the next receive is submitted.
func noBuffers(got liburing.Completion) bool { return got.Res == -int32(unix.ENOBUFS) }

// next answers the request that has come, or waits for the rest of it.
func (c *conn) next() {
	head, rest, status := cutHead(c.in)
	switch {
	case status != 0:
		c.refuse(status)
		return
	case head == nil:
		c.in = rest
		c.receive()
		return
	}
	r, status := c.server.parse(head)
	c.in = append(c.in[:0], rest...)
	c.headBy = time.Time{}
	if r == nil {
		c.refuse(status)
		return
	}
	c.begin(r, status)
}

// begin begins the answer to a request. A status tells that it is an error.
func (c *conn) begin(r *http.Request, status int) {
	hasBody := r.ContentLength != 0
	c.request = r
	c.last = r.Close || hasBody || c.server.stopping
	c.deaf = hasBody || !r.Close
	if status != 0 {
		c.answerStatus(status)
		return
	}
	c.find()
}

// refuse answers what is no request, and listens no more.
func (c *conn) refuse(status int) {
	c.request = new(http.Request)
	c.last, c.deaf = true, true
	c.answerStatus(status)
}

// answered goes on when an answer has been sent.
func (c *conn) answered() {
	c.over(nil)
	switch {
	case !c.last && !c.server.stopping:
		c.next()
	case c.deaf:
		c.linger()
	default:
		c.end(nil)
	}
}

// lingerFor is how long a client may take to close its side.
const lingerFor = 2 * time.Second

// linger ends a connection whose client may still send. Closed at once, it would
// be reset, and the client might lose the answer.
func (c *conn) linger() {
	c.last = true
	by := time.Now().Add(lingerFor)
	unix.Shutdown(c.fd, unix.SHUT_WR) // does not wait; as a request it would take a worker of the kernel's
	c.drop(by)
}

// drop throws away what the client sends until it closes.
func (c *conn) drop(by time.Time) {
	r := c.server.loop.Recv(c.fd, nil, 0, func(got liburing.Completion) {
		if (got.Res > 0 || noBuffers(got)) && !c.isLate() {
			c.drop(by)
			return
		}
		c.end(nil)
	})
	c.wait(r.Buffers(c.server.buffers), by)
}

var errLate = errors.New("the client took too long")

// end closes the connection. why is what an answer was broken off for.
func (c *conn) end(why error) {
	c.over(why)
	s := c.server
	delete(s.conns, c)
	s.closeFD(c.fd)
	s.accept()
	s.restIfDone()
}
