package main

import (
	"fmt"
	"os"

	"github.com/go-liburing/liburing"
	"golang.org/x/sys/unix"
)

// connection is a client and the server that it is connected to.
type connection struct {
	*proxy
	client, server int
	there, back    *direction // from the client to the server, and the other way
	open           int        // directions that have not ended
	broken         bool       // bytes were lost: both ends are to know
}

// begin has bytes flow between a client and a server.
func (p *proxy) begin(client, server int) error {
	c := &connection{proxy: p, client: client, server: server, open: 2}
	for _, fd := range []int{client, server} {
		// What one end has sent is not held back until there is more of it.
		if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
			return err
		}
	}
	var err error
	if c.there, err = c.direction(client, server); err != nil {
		return err
	}
	if c.back, err = c.direction(server, client); err != nil {
		p.giveBack(c.there.buffers)
		return err
	}
	c.there.start()
	c.back.start()
	return nil
}

// breakOff ends both directions at once.
func (c *connection) breakOff() {
	if c.broken {
		return
	}
	c.broken = true
	for _, d := range []*direction{c.there, c.back} {
		d.in.Stop()
		c.loop.CancelFD(d.to, liburing.AsyncCancelAll, nil) // a send that the receiver does not take
	}
}

// ended is called when a direction has ended.
func (c *connection) ended() {
	if c.open--; c.open > 0 {
		return
	}
	if c.verbose {
		fmt.Fprintf(os.Stderr, "connection: %d bytes there, %d back\n", c.there.bytes, c.back.bytes)
	}
	for _, fd := range []int{c.client, c.server} {
		if c.broken { // closed with a reset: what has arrived must not pass for everything
			resetOnClose(fd)
		}
		c.loop.CloseFD(fd, nil)
	}
}

// resetOnClose has the close of a socket tell the other end that bytes may be missing.
func resetOnClose(fd int) {
	unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
}

// direction carries bytes from one socket to the other.
type direction struct {
	*connection
	from, to int
	buffers  *liburing.BufGroup
	in       *liburing.Stream
	out      []liburing.Borrowed // what is to be sent, the first of it on its way
	eof      bool                // nothing more comes in
	shut     bool                // the receiver was told so
	bytes    int                 // sent
	onSent   liburing.Callback
}

func (c *connection) direction(from, to int) (*direction, error) {
	buffers, err := c.getBuffers()
	if err != nil {
		return nil, err
	}
	d := &direction{connection: c, from: from, to: to, buffers: buffers}
	d.onSent = d.sent // once: a method value is an allocation
	return d, nil
}

func (d *direction) start() {
	d.in = d.loop.Rearm(func(cb liburing.Callback) liburing.Request {
		return d.loop.RecvMultishot(d.from, nil, 0, cb).Buffers(d.buffers)
	}, d.received)
}

// received keeps what has come in until it is sent. The buffers that are kept
// are the backpressure: when there is none left, the kernel stops reading, and
// the stream goes on when one is free again.
func (d *direction) received(got liburing.Completion) {
	switch {
	case got.Res > 0 && d.broken:
	case got.Res > 0:
		d.out = append(d.out, got.Keep())
		if len(d.out) == 1 {
			d.send()
		}
	default:
		d.eof = true
		if got.Err() != nil || d.brokeOff() {
			d.breakOff()
		}
		d.endIfDone()
	}
}

// brokeOff reports whether an end is a reset, whose error a send has taken: the
// connection is gone then, though nobody has told this sender that nothing more comes.
func (d *direction) brokeOff() bool {
	const closed = 7 // TCP_CLOSE
	other := d.there
	if d == other {
		other = d.back
	}
	info, err := unix.GetsockoptTCPInfo(d.from, unix.IPPROTO_TCP, unix.TCP_INFO)
	return err == nil && info.State == closed && !other.shut
}

// send sends the first of what is to be sent. There is one send at a time, for
// two might overtake each other.
func (d *direction) send() {
	d.loop.Send(d.to, d.out[0].Bytes(), unix.MSG_WAITALL|unix.MSG_NOSIGNAL, d.onSent)
}

func (d *direction) sent(done liburing.Completion) {
	n, err := done.Result()
	d.bytes += n
	if err == nil && n < len(d.out[0].Bytes()) { // cancelled half way
		err = unix.EPIPE
	}
	if err != nil {
		d.breakOff()
	}
	d.drop(1)
	if d.broken {
		d.drop(len(d.out))
	}
	if len(d.out) > 0 {
		d.send()
	}
	d.endIfDone()
}

// drop gives the first n buffers back.
func (d *direction) drop(n int) {
	for _, b := range d.out[:n] {
		b.Release()
	}
	d.out = append(d.out[:0], d.out[n:]...)
}

// endIfDone ends the direction when all that came in has been sent: the
// receiver is told that nothing more comes, and may go on sending itself.
func (d *direction) endIfDone() {
	if !d.eof || len(d.out) > 0 {
		return
	}
	if !d.broken {
		d.shut = true
		unix.Shutdown(d.to, unix.SHUT_WR) // does not wait; as a request it would take a worker of the kernel's
	}
	d.giveBack(d.buffers)
	d.ended()
}

// getBuffers returns a group of buffers for a direction: one that another has
// left, if there is one.
func (p *proxy) getBuffers() (*liburing.BufGroup, error) {
	if n := len(p.spare); n > 0 {
		g := p.spare[n-1]
		p.spare = p.spare[:n-1]
		return g, nil
	}
	return p.loop.NewBufGroup(p.count, p.size, 0)
}

func (p *proxy) giveBack(g *liburing.BufGroup) { p.spare = append(p.spare, g) }
