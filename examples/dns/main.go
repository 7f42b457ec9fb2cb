// Dns answers the question for one name's addresses, over UDP on IPv4 and IPv6.
//
// It teaches datagrams with everything that comes with them: the sender's address, and
// in a control message the address that it sent to, so that a server with several
// addresses answers from the right one; and an answer in memory of its own, which the
// loop keeps until it is sent.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/loopio"
	"golang.org/x/sys/unix"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:5353", "the `address` to receive on; :5353 is every one of both families, port 0 picks one")
	name := flag.String("name", "ring.test", "the `name` that is asked for")
	ip4, ip6 := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")
	flag.TextVar(&ip4, "ip4", ip4, "the name's `address` of IPv4")
	flag.TextVar(&ip6, "ip6", ip6, "the name's `address` of IPv6")
	flag.Usage = func() {
		fmt.Fprintf(flag.CommandLine.Output(), "usage: dns [flags]\n\nAnswers the question for a name's addresses.\n")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() != 0 || !ip4.Is4() || !ip6.Is6() {
		fmt.Fprintln(os.Stderr, "dns: it takes flags only, and an address of each family")
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	z := zone{name: strings.TrimSuffix(*name, "."), ip4: ip4, ip6: ip6}
	if err := serve(ctx, *addr, z); err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, "dns:", err)
		os.Exit(1)
	}
}

const (
	longest     = 512 // bytes of a question, as of old
	nameSize    = unix.SizeofSockaddrInet6
	controlSize = 64 // room for the address that was sent to
	bufferSize  = liburing.RecvmsgOutSize + nameSize + controlSize + longest
)

func serve(ctx context.Context, addr string, z zone) (err error) {
	fd, local, err := loopio.ListenPacket("udp", addr)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	// Whichever family the socket is of; the other option is refused.
	err = unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 1)
	if err != nil {
		err = unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_PKTINFO, 1)
	}
	if err != nil {
		return err
	}
	loop, err := liburing.NewLoop(64, liburing.WithCQEntries(512))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, loop.Close(context.Background())) }()
	buffers, err := loop.NewBufGroup(256, bufferSize, 0)
	if err != nil {
		return err
	}
	s := &server{loop: loop, fd: fd, zone: z, msg: liburing.Msghdr{Namelen: nameSize, Controllen: controlSize}}
	loop.Rearm(func(cb liburing.Callback) liburing.Request {
		return loop.RecvmsgMultishot(fd, &s.msg, 0, cb).Buffers(buffers)
	}, s.received)
	fmt.Println("listening on", local)
	return errors.Join(loop.Run(ctx), s.err)
}

type server struct {
	loop *liburing.Loop
	fd   int
	zone zone
	msg  liburing.Msghdr // what the buffers have room for
	err  error
}

func (s *server) received(c liburing.Completion) {
	if err := c.Err(); err != nil {
		s.err = err
		s.loop.Stop()
		return
	}
	in := liburing.RecvmsgValidate(c.Buffer(), &s.msg)
	if in == nil || in.Flags&(unix.MSG_TRUNC|unix.MSG_CTRUNC) != 0 {
		return // no question is that long
	}
	answer := s.zone.answer(in.Payload())
	if answer == nil {
		return
	}
	// The control message names the address that the question was sent to; with an
	// answer the same message says where that is to come from.
	to, control := in.Sockaddr(), append([]byte(nil), in.Control()...)
	s.loop.Sendmsg(s.fd, liburing.NewMsghdr(to, control, answer), 0, func(c liburing.Completion) {
		if err := c.Err(); err != nil && !errors.Is(err, unix.ECANCELED) {
			fmt.Fprintf(os.Stderr, "dns: answer to %v: %v\n", to, err)
		}
	})
}
