// Ringio-proxy forwards TCP connections to another address, both ways, with two
// goroutines for each.
//
// It teaches what io.Copy does with connections of package ringio: one that waits has
// no buffer, small amounts are read and written, large ones are moved by the kernel
// itself. A connection that ends in one direction stays open in the other.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/go-liburing/liburing/ringio"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:4444", "the `address` to listen on; port 0 picks one")
	to := flag.String("to", "", "the `address` to hand connections on to")
	flag.Usage = func() {
		fmt.Fprintf(flag.CommandLine.Output(), "usage: ringio-proxy [flags] -to ADDRESS\n\nHands TCP connections on to another address, both ways.\n")
		flag.PrintDefaults()
	}
	flag.Parse()
	if *to == "" || flag.NArg() > 0 {
		fmt.Fprintln(os.Stderr, "ringio-proxy: say where to hand connections on to, and no more")
		flag.Usage()
		os.Exit(2)
	}
	if err := serve(*addr, *to); err != nil {
		fmt.Fprintln(os.Stderr, "ringio-proxy:", err)
		os.Exit(1)
	}
}

// serve hands connections on until a signal comes, and breaks off what is open then.
func serve(addr, to string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	l, err := ringio.Listen("tcp", addr)
	if err != nil {
		return err
	}
	fmt.Println("listening on", l.Addr())
	context.AfterFunc(ctx, func() { l.Close() })
	var all sync.WaitGroup
	defer all.Wait()
	for {
		conn, err := l.Accept()
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE):
			time.Sleep(10 * time.Millisecond) // until others end
		case err != nil:
			return err
		default:
			all.Go(func() { handOn(ctx, conn.(ringio.TCPConn), to) })
		}
	}
}

func handOn(ctx context.Context, client ringio.TCPConn, to string) {
	defer client.Close()
	dialed, err := ringio.DialContext(ctx, "tcp", to)
	if err != nil {
		fmt.Fprintln(os.Stderr, "ringio-proxy:", err)
		client.SetLinger(0) // a reset: nobody takes what it sends
		return
	}
	server := dialed.(ringio.TCPConn)
	defer server.Close()
	defer context.AfterFunc(ctx, func() { client.Close(); server.Close() })()
	var both sync.WaitGroup
	both.Go(func() { copyOne(server, client) })
	both.Go(func() { copyOne(client, server) })
	both.Wait()
}

// copyOne hands one direction on, its end too. If it breaks, both connections do.
func copyOne(to, from ringio.TCPConn) {
	if _, err := io.Copy(to, from); err == nil {
		to.CloseWrite()
		return
	}
	for _, c := range []net.Conn{to, from} {
		c.(ringio.TCPConn).SetLinger(0)
		c.Close()
	}
}
