// Proxy forwards TCP connections to another address, both ways, or with -sink drops
// what comes in. It is the counterpart of liburing's examples/proxy.c.
//
// It teaches backpressure. Each direction of a connection has a few buffers of its own,
// and the kernel reads only while one of them is free: what a slow receiver has not
// taken yet stays with the sender, and neither memory nor other connections suffer. A
// connection that is closed in one direction stays open in the other, and one that
// breaks is closed on both sides.
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

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/examples/internal/socket"
	"github.com/go-liburing/liburing/loopio"
	"golang.org/x/sys/unix"
)

func main() {
	p := new(proxy)
	var at netip.AddrPort
	flag.TextVar(&at, "addr", netip.MustParseAddrPort("127.0.0.1:4444"), "the `address` to listen on; port 0 picks one")
	flag.TextVar(&p.to, "to", netip.AddrPort{}, "the `address` to hand connections on to")
	flag.BoolVar(&p.sink, "sink", false, "drop what comes in instead of handing it on")
	flag.IntVar(&p.size, "size", 16<<10, "`bytes` of a buffer")
	flag.IntVar(&p.count, "buffers", 16, "the `number` of buffers for each direction of a connection")
	flag.BoolVar(&p.verbose, "v", false, "tell of each connection what went through it")
	flag.Usage = func() {
		fmt.Fprintf(flag.CommandLine.Output(), "usage: proxy [flags] -to ADDRESS | -sink\n\nHands TCP connections on to another address, both ways.\n")
		flag.PrintDefaults()
	}
	flag.Parse()
	if bad := p.check(flag.Args()); bad != "" {
		fmt.Fprintln(os.Stderr, "proxy:", bad)
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := p.serve(ctx, at); err != nil && ctx.Err() == nil {
		fmt.Fprintln(os.Stderr, "proxy:", err)
		os.Exit(1)
	}
}

// proxy has what all connections share.
type proxy struct {
	to          netip.AddrPort
	sink        bool
	size, count int
	verbose     bool

	loop   *liburing.Loop
	spare  []*liburing.BufGroup
	ending bool // the server ends: connections break off, and that is no news
}

// check says what is wrong with the arguments.
func (p *proxy) check(args []string) string {
	switch {
	case len(args) != 0:
		return fmt.Sprintf("unexpected argument %q", args[0])
	case p.sink && p.to.IsValid():
		return "-sink drops what -to would hand on: only one of them can be"
	case !p.sink && p.to.Port() == 0:
		return "-to must say where to hand connections on to: an address with its port, such as 127.0.0.1:8000"
	case p.count < 1 || p.count > 1<<15:
		return "-buffers must be 1 to 32768"
	case p.size < 1 || p.size > 1<<30:
		return "-size must be 1 to 1073741824"
	}
	return ""
}

func (p *proxy) serve(ctx context.Context, at netip.AddrPort) (err error) {
	fd, local, err := socket.Listen(unix.SOCK_STREAM, at)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if p.loop, err = liburing.NewLoop(64, liburing.WithCQEntries(4096)); err != nil {
		return err
	}
	defer func() {
		p.ending = true
		err = errors.Join(err, p.loop.Close(context.Background()))
	}()
	loopio.Serve(p.loop, fd, p.accepted, func(err error, over bool) {
		if over {
			p.loop.Fail(err)
		} else { // there were too many: it has paused, and goes on
			p.log(err)
		}
	})
	fmt.Println("listening on", local)
	return p.loop.Run(ctx)
}

// accepted begins with a client.
func (p *proxy) accepted(fd int) {
	if p.sink {
		p.swallow(fd)
	} else {
		p.connect(fd)
	}
}

// patience is how long the other side may take to accept a connection.
const patience = 10 * time.Second

// connect connects a client to the server. Until that has succeeded nothing is
// read from the client.
func (p *proxy) connect(client int) {
	server, err := socket.New(unix.SOCK_STREAM, p.to.Addr())
	if err != nil {
		p.log(err)
		p.loop.CloseFD(client, nil)
		return
	}
	p.loop.Connect(server, liburing.SockaddrFrom(p.to), func(c liburing.Completion) {
		err := c.Err()
		switch {
		case err == nil:
			err = p.begin(client, server)
		case errors.Is(err, unix.ECANCELED):
			err = fmt.Errorf("no answer from %v within %v", p.to, patience)
		}
		if err != nil {
			if errors.Is(err, unix.ECONNRESET) { // accepted, and broken off at once: as later, that is the client's news
				resetOnClose(client)
			} else {
				p.log(err)
			}
			p.loop.CloseFD(client, nil)
			p.loop.CloseFD(server, nil)
		}
	}).Deadline(patience)
}

// log tells of what went wrong with one connection. The others go on.
func (p *proxy) log(err error) {
	if !p.ending {
		fmt.Fprintln(os.Stderr, "proxy:", err)
	}
}
