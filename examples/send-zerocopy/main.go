// Send-zerocopy sends as much as it can for a while, over TCP or UDP, and prints how
// much that was; with -receive it is the other end. It is the counterpart of liburing's
// examples/send-zerocopy.c.
//
// It teaches sending without copying: the completion with the result is not the last
// one, because the network still reads the memory. A notification comes when it is done
// with that, and says whether the bytes were copied after all, as they are on the way
// to the same machine.
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
	"time"

	"golang.org/x/sys/unix"
)

const usage = `usage: send-zerocopy [flags] tcp|udp

Sends for a while without copying, and tells how much. With more than one
request in flight, TCP may deliver them in another order.

`

// settings are what the flags say.
type settings struct {
	addr    netip.AddrPort
	size    int
	time    time.Duration
	flying  int
	copying bool
	fixed   bool
	threads int
	receive bool
	typ     int // of the socket
}

func main() {
	var s settings
	flag.TextVar(&s.addr, "addr", netip.MustParseAddrPort("127.0.0.1:8000"), "the `address` to send to, or with -receive to listen on; there port 0 picks one")
	flag.IntVar(&s.size, "size", 65000, "`bytes` of a request")
	flag.DurationVar(&s.time, "time", 4*time.Second, "how long to send")
	flag.IntVar(&s.flying, "n", 8, "the `number` of requests in flight")
	flag.BoolVar(&s.copying, "copy", false, "send by copying, to compare")
	flag.BoolVar(&s.fixed, "fixed", true, "send from a registered buffer")
	flag.IntVar(&s.threads, "threads", 1, "the `number` of sockets, each with a loop and its thread")
	flag.BoolVar(&s.receive, "receive", false, "receive instead, until interrupted")
	flag.Usage = func() {
		fmt.Fprint(flag.CommandLine.Output(), usage)
		flag.PrintDefaults()
	}
	flag.Parse()
	if err := s.check(flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "send-zerocopy:", err)
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	do := sendAll
	if s.receive {
		do = receive
	}
	if err := do(ctx, s); err != nil {
		fmt.Fprintln(os.Stderr, "send-zerocopy:", err)
		os.Exit(1)
	}
}

// maxDatagram is what fits behind the headers of IPv4 and UDP.
const maxDatagram = 1<<16 - 1 - 20 - 8

// check looks at the arguments and finds out which protocol they name.
func (s *settings) check(args []string) error {
	if len(args) != 1 {
		return errors.New("one protocol must be named: tcp or udp")
	}
	switch args[0] {
	case "tcp":
		s.typ = unix.SOCK_STREAM
	case "udp":
		s.typ = unix.SOCK_DGRAM
	default:
		return fmt.Errorf("%q is not a protocol: tcp or udp", args[0])
	}
	switch {
	case s.size < 1 || s.time <= 0 || s.flying < 1 || s.threads < 1:
		return errors.New("-size, -time, -n and -threads must be more than 0")
	case s.size > 1<<30 || s.flying > 1<<15 || s.threads > 1<<10:
		return errors.New("-size must be 1073741824 at most, -n 32768 and -threads 1024")
	case s.typ == unix.SOCK_DGRAM && s.size > maxDatagram:
		return fmt.Errorf("-size is %d, and a datagram holds %d bytes at most", s.size, maxDatagram)
	case !s.receive && s.addr.Port() == 0:
		return errors.New("-addr must have the port to send to")
	}
	return nil
}
