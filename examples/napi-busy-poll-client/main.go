// Napi-busy-poll-client sends small datagrams to napi-busy-poll-server, one at a time,
// and prints how long the answers took. It is the counterpart of liburing's
// examples/napi-busy-poll-client.c.
//
// It teaches what polling the network device is worth: run it with and without
// -poll, -prefer and -spin. Each ping is a chain of two requests, the answer
// being received in the system call that sends the question.
package main

import (
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/examples/internal/napi"
	"github.com/go-liburing/liburing/examples/internal/socket"
	"golang.org/x/sys/unix"
)

func main() {
	c := new(client)
	flag.TextVar(&c.to, "addr", netip.MustParseAddrPort("127.0.0.1:8000"), "the `address` of the server")
	flag.IntVar(&c.pings, "n", 10000, "the `number` of pings")
	flag.DurationVar(&c.patience, "wait", time.Second, "how long an answer may take")
	settings := napi.Flags()
	flag.Usage = func() {
		fmt.Fprintf(flag.CommandLine.Output(), "usage: napi-busy-poll-client [flags]\n\nMeasures round trips to napi-busy-poll-server, polling the network device.\n")
		flag.PrintDefaults()
	}
	flag.Parse()
	err := settings.Check()
	if c.pings < 1 || c.patience <= 0 || c.to.Port() == 0 || flag.NArg() != 0 {
		err = errors.New("it takes flags only; -n and -wait must be more than 0, and -addr must have a port")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "napi-busy-poll-client:", err)
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := c.run(ctx, settings); err != nil {
		fmt.Fprintln(os.Stderr, "napi-busy-poll-client:", err)
		os.Exit(1)
	}
}

// client has what the kernel reads and writes, so it lives as long as the ring.
type client struct {
	to       netip.AddrPort
	pings    int
	patience time.Duration

	ring   *napi.Ring
	fd     int
	server *liburing.Sockaddr
	ping   [8]byte
	pong   [9]byte // one more, to notice an answer that is too long
}

func (c *client) run(ctx context.Context, settings *napi.Settings) (err error) {
	if c.fd, err = socket.New(unix.SOCK_DGRAM, c.to.Addr()); err != nil {
		return err
	}
	defer unix.Close(c.fd)
	if c.ring, err = settings.Open(); err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, c.ring.Close())
		runtime.KeepAlive(c) // until now the kernel may have written to it
	}()
	c.server = liburing.SockaddrFrom(c.to)
	c.ring.GetSQE().PrepConnect(c.fd, c.server)
	if err := c.results(ctx, 0); err != nil {
		return fmt.Errorf("connect to %v: %w", c.to, err)
	}
	trips := make(trips, 0, c.pings)
	for i := range c.pings + 1 { // the first finds the way, and does not count
		took, err := c.trip(ctx, uint64(i))
		if err != nil {
			return fmt.Errorf("ping %d to %v: %w", i, c.to, err)
		}
		if i == 0 {
			fmt.Println(napi.ID(c.fd))
			continue
		}
		trips = append(trips, took)
	}
	trips.print()
	return nil
}

// trip sends a ping and waits for its answer.
func (c *client) trip(ctx context.Context, number uint64) (time.Duration, error) {
	begun := time.Now()
	binary.NativeEndian.PutUint64(c.ping[:], number)
	send := c.ring.GetSQE()
	send.PrepSend(c.fd, c.ping[:], 0)
	send.Flags |= liburing.SQEIOLink
	c.ring.GetSQE().PrepRecv(c.fd, c.pong[:], 0)
	if err := c.results(ctx, len(c.ping), len(c.ping)); err != nil {
		return 0, err
	}
	took := time.Since(begun)
	if [8]byte(c.pong[:8]) != c.ping {
		return 0, fmt.Errorf("the answer has other bytes: % x instead of % x", c.pong[:8], c.ping)
	}
	return took, nil
}

// results waits for as many requests as are in flight, which must have the
// results that are wanted.
func (c *client) results(ctx context.Context, want ...int) (err error) {
	if err := c.ring.Wait(ctx, len(want), c.patience); err != nil {
		return err
	}
	i := 0
	for cqe := range c.ring.CQEs() {
		if err == nil && cqe.Err() != nil {
			err = cqe.Err()
		} else if err == nil && int(cqe.Res) != want[i] {
			err = fmt.Errorf("%d bytes instead of %d", cqe.Res, want[i])
		}
		i++
	}
	return err
}
