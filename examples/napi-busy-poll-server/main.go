// Napi-busy-poll-server sends each datagram back at once: it is the other end of
// napi-busy-poll-client. It is the counterpart of liburing's
// examples/napi-busy-poll-server.c.
//
// It teaches how to make the waits of a ring poll the network device instead of waiting
// for its interrupt, which costs a processor and saves microseconds; and how to use a
// Ring by hand, where the way of waiting matters.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"unsafe"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/examples/internal/napi"
	"github.com/go-liburing/liburing/examples/internal/socket"
	"golang.org/x/sys/unix"
)

func main() {
	var at netip.AddrPort
	flag.TextVar(&at, "addr", netip.MustParseAddrPort("127.0.0.1:8000"), "the `address` to receive on; port 0 picks one")
	pings := flag.Int("n", 0, "end after so many `pings`; 0 for when interrupted")
	settings := napi.Flags()
	flag.Usage = func() {
		fmt.Fprintf(flag.CommandLine.Output(), "usage: napi-busy-poll-server [flags]\n\nSends datagrams back, polling the network device.\n")
		flag.PrintDefaults()
	}
	flag.Parse()
	err := settings.Check()
	if *pings < 0 || flag.NArg() != 0 {
		err = errors.New("it takes flags only, and -n must not be below 0")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "napi-busy-poll-server:", err)
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := serve(ctx, at, *pings, settings); err != nil && ctx.Err() == nil {
		fmt.Fprintln(os.Stderr, "napi-busy-poll-server:", err)
		os.Exit(1)
	}
}

func serve(ctx context.Context, at netip.AddrPort, pings int, settings *napi.Settings) (err error) {
	fd, local, err := socket.Listen(unix.SOCK_DGRAM, at)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	ring, err := settings.Open()
	if err != nil {
		return err
	}
	m := newMessage()
	defer func() {
		err = errors.Join(err, ring.Close())
		runtime.KeepAlive(m) // until now the kernel may have written to it
	}()
	fmt.Println("listening on", local)
	for i := 0; pings == 0 || i < pings; i++ {
		if err := m.sendBack(ctx, ring, fd); err != nil {
			return err
		}
		if i == 0 {
			fmt.Println(napi.ID(fd))
		}
	}
	return nil
}

// message is a datagram and the address of its sender. The kernel reads and
// writes all of it, so it lives as long as the ring.
type message struct {
	hdr  liburing.Msghdr
	iov  liburing.Iovec
	from unix.RawSockaddrAny
	buf  [2048]byte
}

func newMessage() *message {
	m := new(message)
	m.hdr.Name = (*byte)(unsafe.Pointer(&m.from))
	m.hdr.Iov = &m.iov
	m.hdr.SetIovlen(1)
	m.iov.Base = &m.buf[0]
	return m
}

// sendBack receives one datagram and sends it to where it came from.
func (m *message) sendBack(ctx context.Context, ring *napi.Ring, fd int) error {
	m.hdr.Namelen = uint32(unsafe.Sizeof(m.from))
	m.iov.SetLen(len(m.buf))
	ring.GetSQE().PrepRecvmsg(fd, &m.hdr, 0)
	n, err := result(ctx, ring)
	if err != nil {
		return fmt.Errorf("receive: %w", err)
	}
	m.iov.SetLen(n)
	ring.GetSQE().PrepSendmsg(fd, &m.hdr, 0)
	if _, err := result(ctx, ring); err != nil {
		return fmt.Errorf("send: %w", err)
	}
	return nil
}

// result waits for the one request that is in flight.
func result(ctx context.Context, ring *napi.Ring) (n int, err error) {
	if err := ring.Wait(ctx, 1, 0); err != nil {
		return 0, err
	}
	for cqe := range ring.CQEs() {
		n, err = int(cqe.Res), cqe.Err()
	}
	return n, err
}
