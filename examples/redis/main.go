// Redis answers a few of Redis's commands (GET, SET, DEL, INCR, PING) durably: a change
// is in an append-only log before it is confirmed.
//
// It teaches a service of three parts on one loop without a lock: connections (Conn)
// whose requests come in pieces or many at a time, and whose answers go out in few
// sends; a log that is written and synced once for everything that has come meanwhile,
// while answers are held back (Writer.Sync, Writer.Hold); and a stop that loses nothing
// that was confirmed.
package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/loopio"
	"golang.org/x/sys/unix"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:6379", "the `address` to listen on; port 0 picks one")
	name := flag.String("log", "appendonly.aof", "the `file` that keeps what changes")
	flag.Usage = func() {
		fmt.Fprintf(flag.CommandLine.Output(), "usage: redis [flags]\n\nAnswers some of Redis's commands, and keeps a log.\n")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() != 0 {
		fmt.Fprintln(os.Stderr, "redis: it takes flags only")
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := serve(ctx, *addr, *name); err != nil && ctx.Err() == nil {
		fmt.Fprintln(os.Stderr, "redis:", err)
		os.Exit(1)
	}
}

// server has what all connections share.
type server struct {
	loop    *liburing.Loop
	buffers *liburing.BufGroup
	log     *loopio.Writer
	data    map[string]string
	answers bytes.Buffer // of the client that is being served
}

func serve(ctx context.Context, addr, name string) error {
	listener, local, err := loopio.Listen("tcp", addr)
	if err != nil {
		return err
	}
	defer unix.Close(listener)
	loop, err := liburing.NewLoop(256, liburing.WithCQEntries(4096))
	if err != nil {
		return err
	}
	defer loop.Close(context.Background())
	s := &server{loop: loop, data: map[string]string{}}
	if s.buffers, err = loop.NewBufGroup(256, 16<<10, 0); err != nil {
		return err
	}
	if err := s.openLog(name); err != nil {
		return err
	}
	loopio.Serve(loop, listener, s.serve, func(err error, over bool) {
		if over {
			loop.Fail(err)
		} else { // too many clients, as a rule
			fmt.Fprintln(os.Stderr, "redis:", err)
		}
	})
	fmt.Println("listening on", local)
	defer s.log.Close(nil)
	return loop.Run(ctx)
}
