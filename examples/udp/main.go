// Udp sends datagrams back to where they came from. It is the counterpart of
// liburing's examples/io_uring-udp.c.
//
// It teaches multishot recvmsg, which is requested once and puts each datagram into a
// buffer together with its sender's address; taking such a buffer apart; sending from
// the buffer before it goes back to the kernel; and a registered file in place of a
// descriptor.
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
	"github.com/go-liburing/liburing/examples/internal/socket"
	"golang.org/x/sys/unix"
)

func main() {
	var at netip.AddrPort
	flag.TextVar(&at, "addr", netip.MustParseAddrPort("127.0.0.1:8000"), "the `address` to receive on; port 0 picks one")
	size := flag.Int("size", 4096, "the longest datagram in `bytes`; longer ones are dropped")
	count := flag.Int("buffers", 1024, "the `number` of buffers, each for one datagram")
	verbose := flag.Bool("v", false, "tell of each datagram")
	flag.Usage = func() {
		fmt.Fprintf(flag.CommandLine.Output(), "usage: udp [flags]\n\nSends datagrams back to where they came from.\n")
		flag.PrintDefaults()
	}
	flag.Parse()
	if why := badArguments(*count, *size); why != "" {
		fmt.Fprintln(os.Stderr, "udp:", why)
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := serve(ctx, at, *count, *size, *verbose); err != nil && ctx.Err() == nil {
		fmt.Fprintln(os.Stderr, "udp:", err)
		os.Exit(1)
	}
}

func badArguments(count, size int) string {
	switch {
	case flag.NArg() != 0:
		return "it takes flags only"
	case count < 1 || count > 1<<15:
		return "-buffers must be 1 to 32768"
	case size < 1 || size > 1<<16:
		return "-size must be 1 to 65536, and no datagram is longer"
	}
	return ""
}

const (
	nameSize   = unix.SizeofSockaddrInet6           // room for the sender's address
	overhead   = liburing.RecvmsgOutSize + nameSize // of each buffer: what the kernel writes in front
	thisSocket = liburing.Fixed(0)                  // the socket's place among the registered files
)

func serve(ctx context.Context, at netip.AddrPort, count, size int, verbose bool) (err error) {
	fd, local, err := socket.Listen(unix.SOCK_DGRAM, at)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	loop, err := liburing.NewLoop(64, liburing.WithCQEntries(512))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, loop.Close(context.Background())) }()
	buffers, err := loop.NewBufGroup(count, overhead+size, 0)
	if err != nil {
		return err
	}
	if err := loop.Control(func(r *liburing.Ring) error { return r.RegisterFiles([]int{fd}) }); err != nil {
		return err
	}
	s := &server{loop: loop, verbose: verbose, msg: liburing.Msghdr{Namelen: nameSize}}
	loop.Rearm(func(cb liburing.Callback) liburing.Request {
		return loop.RecvmsgMultishot(thisSocket.FD(), &s.msg, unix.MSG_TRUNC, cb).Buffers(buffers)
	}, s.received)
	fmt.Println("listening on", local)
	err = loop.Run(ctx)
	return errors.Join(s.err, err)
}

type server struct {
	loop    *liburing.Loop
	verbose bool
	msg     liburing.Msghdr // what the buffers have room for
	err     error
}

func (s *server) received(c liburing.Completion) {
	if err := c.Err(); err != nil {
		s.err = err
		s.loop.Stop()
		return
	}
	in := liburing.RecvmsgValidate(c.Buffer(), &s.msg)
	switch {
	case in == nil || in.Namelen > nameSize:
		fmt.Fprintf(os.Stderr, "udp: dropped a datagram: %d bytes do not hold it and its sender's address\n", c.Res)
	case in.Flags&unix.MSG_TRUNC != 0:
		fmt.Fprintf(os.Stderr, "udp: dropped a datagram of %d bytes from %v: there is room for %d (-size)\n",
			in.Payloadlen, in.Sockaddr(), in.PayloadLength())
	default:
		if s.verbose {
			fmt.Fprintf(os.Stderr, "received %d bytes from %v\n", in.PayloadLength(), in.Sockaddr())
		}
		s.reply(in.Payload(), in.Sockaddr(), c.Keep())
	}
}

// reply sends a datagram from the buffer that it came in.
func (s *server) reply(payload []byte, to *liburing.Sockaddr, buffer liburing.Borrowed) {
	s.loop.Sendto(thisSocket.FD(), payload, 0, to, func(c liburing.Completion) {
		buffer.Release()
		if err := c.Err(); err != nil && !errors.Is(err, unix.ECANCELED) { // nobody's fault but this datagram's
			fmt.Fprintf(os.Stderr, "udp: reply to %v: %v\n", to, err)
		}
	})
}
