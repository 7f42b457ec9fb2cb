// Echo-server sends back what it receives over TCP, for any number of
// connections, in one thread. It is the counterpart of liburing's
// examples/echo-server.c.
//
// It teaches multishot accept and receive, which are asked for once and complete
// for each connection and each message; buffers that the kernel takes only when
// data is there; and to keep a buffer until it has been sent.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"os/signal"
	"syscall"

	"github.com/go-liburing/liburing"
	"golang.org/x/sys/unix"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:8000", "the `address` to listen on; port 0 picks one")
	size := flag.Int("size", 2048, "`bytes` of a buffer")
	count := flag.Int("buffers", 1024, "the `number` of buffers for all connections")
	flag.Usage = func() {
		fmt.Fprintf(flag.CommandLine.Output(), "usage: echo-server [flags]\n\nSends back what it receives over TCP.\n")
		flag.PrintDefaults()
	}
	flag.Parse()
	at, err := netip.ParseAddrPort(*addr)
	if err != nil || flag.NArg() != 0 {
		if err != nil {
			fmt.Fprintf(os.Stderr, "echo-server: -addr: %v\n", err)
		}
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := serve(ctx, at, *count, *size); err != nil && ctx.Err() == nil {
		fmt.Fprintln(os.Stderr, "echo-server:", err)
		os.Exit(1)
	}
}

func serve(ctx context.Context, at netip.AddrPort, count, size int) (err error) {
	fd, err := listen(at)
	if err != nil {
		return fmt.Errorf("listen on %v: %w", at, err)
	}
	defer unix.Close(fd)
	loop, err := liburing.NewLoop(64, liburing.WithCQEntries(4096))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, loop.Close(context.Background())) }()
	buffers, err := loop.NewBufGroup(count, size, 0)
	if err != nil {
		return err
	}
	s := &server{loop: loop, buffers: buffers}
	loop.Rearm(func(cb liburing.Callback) liburing.Request {
		return loop.MultishotAccept(fd, nil, unix.SOCK_CLOEXEC, cb)
	}, s.accepted)
	err = loop.Run(ctx)
	return errors.Join(s.err, err)
}

// listen returns a listening socket and prints its address.
func listen(at netip.AddrPort) (fd int, err error) {
	family, sa := unix.AF_INET, unix.Sockaddr(&unix.SockaddrInet4{Port: int(at.Port()), Addr: at.Addr().Unmap().As4()})
	if at.Addr().Is6() {
		family, sa = unix.AF_INET6, &unix.SockaddrInet6{Port: int(at.Port()), Addr: at.Addr().As16()}
	}
	fd, err = unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
	err = unix.Bind(fd, sa)
	if err == nil {
		err = unix.Listen(fd, 1024)
	}
	if err == nil {
		sa, err = unix.Getsockname(fd)
	}
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	fmt.Println("listening on", addrPort(sa))
	return fd, nil
}

func addrPort(sa unix.Sockaddr) netip.AddrPort {
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port))
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(sa.Addr), uint16(sa.Port))
	}
	return netip.AddrPort{}
}

// server has what all connections share.
type server struct {
	loop    *liburing.Loop
	buffers *liburing.BufGroup
	err     error
}

func (s *server) accepted(c liburing.Completion) {
	fd, err := c.Result()
	if err != nil { // too many files open, say
		s.err = err
		s.loop.Stop()
		return
	}
	conn := &connection{server: s, fd: fd}
	conn.onSent = conn.sent // once: a method value is an allocation
	conn.in = s.loop.Rearm(func(cb liburing.Callback) liburing.Request {
		return s.loop.RecvMultishot(fd, nil, 0, cb).Buffers(s.buffers)
	}, conn.received)
}

// connection is one client.
type connection struct {
	*server
	fd     int
	in     *liburing.Stream
	onSent liburing.Callback
	out    []liburing.Borrowed // what is to be sent, the first of it on its way
	ended  bool                // nothing more comes in
}

func (c *connection) received(got liburing.Completion) {
	if got.Res > 0 {
		c.out = append(c.out, got.Keep())
		if len(c.out) == 1 {
			c.send()
		}
		return
	}
	c.ended = true
	c.closeIfDone()
}

// send sends the first of what is to be sent. There is one send at a time, for
// two might overtake each other.
func (c *connection) send() {
	c.loop.Send(c.fd, c.out[0].Bytes(), unix.MSG_WAITALL|unix.MSG_NOSIGNAL, c.onSent)
}

func (c *connection) sent(done liburing.Completion) {
	c.drop(1)
	if done.Err() != nil { // the client is gone
		c.drop(len(c.out))
		c.in.Stop()
	}
	if len(c.out) > 0 {
		c.send()
	}
	c.closeIfDone()
}

// drop gives the first n buffers back.
func (c *connection) drop(n int) {
	for _, b := range c.out[:n] {
		b.Release()
	}
	c.out = append(c.out[:0], c.out[n:]...)
}

func (c *connection) closeIfDone() {
	if c.ended && len(c.out) == 0 {
		c.loop.CloseFD(c.fd, nil)
	}
}
