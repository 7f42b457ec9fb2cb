// Echo-server sends back what it receives over TCP, for tens of thousands of
// connections, in one thread. It is the counterpart of liburing's
// examples/echo-server.c.
//
// It teaches multishot accept and receive, which are requested once and complete for
// each connection and each message; connections that are registered files from the
// start, so that the kernel need not look them up; buffers that are taken only when
// there is data; and keeping a buffer until it has been sent.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/examples/internal/socket"
	"golang.org/x/sys/unix"
)

func main() {
	var at netip.AddrPort
	flag.TextVar(&at, "addr", netip.MustParseAddrPort("127.0.0.1:8000"), "the `address` to listen on; port 0 picks one")
	size := flag.Int("size", 2048, "`bytes` of a buffer")
	count := flag.Int("buffers", 1024, "the `number` of buffers for all connections")
	latency := flag.Duration("latency", 0, "how long messages may wait for others to come, so that they cost less")
	most := flag.Uint("connections", placesByDefault(), "the `number` of connections at a time; more are turned away")
	flag.Usage = func() {
		fmt.Fprintf(flag.CommandLine.Output(), "usage: echo-server [flags]\n\nSends back what it receives over TCP.\n")
		flag.PrintDefaults()
	}
	flag.Parse()
	if why := badArguments(*most, *count, *size); why != "" {
		fmt.Fprintln(os.Stderr, "echo-server:", why)
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := serve(ctx, at, int(*most), *count, *size, *latency); err != nil && ctx.Err() == nil {
		fmt.Fprintln(os.Stderr, "echo-server:", err)
		os.Exit(1)
	}
}

// placesByDefault is how many connections can be registered files unless the command line
// says so. A client for whom there is no place is turned away by the kernel, and 16 bytes
// are cheap: so it is as many as the kernel lets a table have, up to a number that one
// thread has enough to do with.
func placesByDefault() uint {
	const enough = 1 << 16
	var files unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &files); err != nil {
		return enough
	}
	return uint(min(files.Cur, enough))
}

// badArguments tells what is wrong with the command line. The limits are the
// kernel's, and for bytes the library's.
func badArguments(most uint, count, size int) string {
	switch {
	case flag.NArg() != 0:
		return "it takes flags only"
	case most < 1 || most > 1<<20:
		return "-connections must be 1 to 1048576"
	case count < 1 || count > 1<<15:
		return "-buffers must be 1 to 32768"
	case size < 1 || size > 1<<30:
		return "-size must be 1 to 1073741824"
	}
	return ""
}

func serve(ctx context.Context, at netip.AddrPort, most, count, size int, latency time.Duration) (err error) {
	fd, local, err := socket.Listen(unix.SOCK_STREAM, at)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	loop, err := liburing.NewLoop(64, liburing.WithCQEntries(4096), liburing.WithLatency(latency))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, loop.Close(context.Background())) }()
	err = loop.Control(func(r *liburing.Ring) error { return r.RegisterFilesSparse(most) })
	if err != nil {
		return err
	}
	buffers, err := loop.NewBufGroup(count, size, 0)
	if err != nil {
		return err
	}
	s := &server{loop: loop, buffers: buffers, listener: fd}
	s.accept()
	fmt.Println("listening on", local)
	err = loop.Run(ctx)
	return errors.Join(s.err, err)
}

// server has what all connections share.
type server struct {
	loop     *liburing.Loop
	buffers  *liburing.BufGroup
	listener int
	err      error
}

// accept lets clients in. When there are too many of them the stream pauses, and goes
// on by itself.
func (s *server) accept() {
	s.loop.Rearm(func(cb liburing.Callback) liburing.Request {
		return s.loop.MultishotAcceptDirect(s.listener, nil, 0, cb)
	}, s.accepted)
}

func (s *server) accepted(c liburing.Completion) {
	place, err := c.Result()
	switch {
	case err == nil:
		conn := &connection{server: s, fd: liburing.Fixed(place).FD()}
		conn.onSent = conn.sent // once: a method value is an allocation
		conn.receive()
	case c.More():
		fmt.Fprintln(os.Stderr, "echo-server:", err)
	default:
		s.err = err
		s.loop.Stop()
	}
}

// mostKept is how many buffers a client may have that sends and does not read:
// the others need some too.
const mostKept = 16

// connection is one client.
type connection struct {
	*server
	fd        int
	in        *liburing.Stream
	onSent    liburing.Callback
	out       []message // what is to be sent, the first of it on its way
	receiving bool
	gone      bool // there is nothing more to come
}

// message is what came in and is to be sent back, in the buffer where it came.
type message struct {
	bytes []byte            // what is left of it
	kept  liburing.Borrowed // nothing if bytes are a copy
}

func (c *connection) receive() {
	c.receiving = true
	c.in = c.loop.Rearm(func(cb liburing.Callback) liburing.Request {
		return c.loop.RecvMultishot(c.fd, nil, 0, cb).Buffers(c.buffers)
	}, c.received)
}

func (c *connection) received(got liburing.Completion) {
	c.receiving = got.More()
	switch {
	case got.Res > 0:
		c.out = append(c.out, c.message(got))
		if len(c.out) == 1 {
			c.send()
		}
		if len(c.out) >= mostKept {
			c.in.Stop()
		}
	case errors.Is(got.Err(), unix.ECANCELED), errors.Is(got.Err(), unix.ENOBUFS): // stopped
	default: // the end, or a reset
		c.gone = true
	}
	c.goOn()
}

// message keeps what has come in. A client that has its share of buffers may still
// get more, until the kernel learns that it is to stop: of that it is a copy.
func (c *connection) message(got liburing.Completion) message {
	if len(c.out) >= mostKept {
		return message{bytes: bytes.Clone(got.Buffer())}
	}
	kept := got.Keep()
	return message{kept.Bytes(), kept}
}

// send sends the first of what is to be sent. There is one send at a time, for
// two might overtake each other.
func (c *connection) send() {
	c.loop.Send(c.fd, c.out[0].bytes, unix.MSG_NOSIGNAL, c.onSent)
}

func (c *connection) sent(done liburing.Completion) {
	if done.Res < 0 { // the client is gone
		c.drop(len(c.out))
		c.gone = true
		c.in.Stop()
	} else if c.out[0].bytes = c.out[0].bytes[done.Res:]; len(c.out[0].bytes) == 0 {
		c.drop(1)
	}
	if len(c.out) > 0 {
		c.send()
	}
	c.goOn()
}

// drop gives the buffers of the first n messages back.
func (c *connection) drop(n int) {
	for _, m := range c.out[:n] {
		m.kept.Release()
	}
	c.out = append(c.out[:0], c.out[n:]...)
}

// goOn does what is due when everything has been sent and nothing is being
// received: to receive again, or to close.
func (c *connection) goOn() {
	switch {
	case c.receiving || len(c.out) > 0:
	case c.gone:
		c.close(tries)
	default:
		c.receive()
	}
}

// tries is how often a client is told of the end: where the kernel can make no worker for
// that, which signals are enough for, it is ECANCELED.
const tries = 3

// close hangs up. Linux 6.12 and older let go of a closed direct descriptor only when all
// requests on others that were made before have ended. So the client is told first.
func (c *connection) close(tries int) {
	c.loop.Shutdown(c.fd, unix.SHUT_RDWR, func(done liburing.Completion) {
		if done.Unbegun() && tries > 1 && !c.loop.Closing() {
			c.close(tries - 1)
			return
		}
		c.loop.CloseFD(c.fd, nil)
	})
}
