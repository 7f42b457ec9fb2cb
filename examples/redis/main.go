// Redis answers a few of Redis's commands (GET, SET, DEL, INCR, PING) and does not
// forget: what changes stands in an append-only log before it is confirmed.
//
// It teaches a service of three parts on one loop without a lock: connections whose
// requests come in pieces or many at a time, and whose answers a Writer puts into few
// sends; a log that is written and synced once for all that have come meanwhile
// (group commit); and a stop in which nothing confirmed is lost.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/go-liburing/liburing"
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
	if err := serve(ctx, *addr, *name); err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, "redis:", err)
		os.Exit(1)
	}
}

func serve(ctx context.Context, addr, name string) (err error) {
	s := &server{data: map[string]string{}}
	if s.log, err = openLog(name, s); err != nil {
		return err
	}
	defer s.log.file.Close()
	listener, local, err := liburing.Listen("tcp", addr)
	if err != nil {
		return err
	}
	defer unix.Close(listener)
	if s.loop, err = liburing.NewLoop(256, liburing.WithCQEntries(4096)); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.loop.Close(context.Background())) }()
	if s.buffers, err = s.loop.NewBufGroup(256, 16<<10, 0); err != nil {
		return err
	}
	s.accept(listener)
	fmt.Println("listening on", local)
	return errors.Join(s.loop.Run(ctx), s.err)
}

// server has what all connections share.
type server struct {
	loop    *liburing.Loop
	buffers *liburing.BufGroup
	data    map[string]string
	log     *log
	err     error
}

func (s *server) accept(listener int) {
	s.loop.Rearm(func(cb liburing.Callback) liburing.Request {
		return s.loop.MultishotAccept(listener, nil, unix.SOCK_CLOEXEC, cb)
	}, func(c liburing.Completion) {
		switch fd, err := c.Result(); {
		case err == nil:
			s.serve(fd)
		case c.More(): // too many clients, as a rule: the stream goes on by itself
			fmt.Fprintln(os.Stderr, "redis:", err)
		case !errors.Is(err, unix.ECANCELED): // that would be the loop's end
			s.fail(err)
		}
	})
}

// serve serves one client.
func (s *server) serve(fd int) {
	unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	client := &client{server: s}
	client.out = s.loop.NewWriter(fd, liburing.WriterOptions{
		Limit:  64 << 20, // one that asks for more without reading is given up
		Failed: func(error) { client.in.Stop() },
	})
	client.in = s.loop.Rearm(func(cb liburing.Callback) liburing.Request {
		return s.loop.RecvMultishot(fd, nil, 0, cb).Buffers(s.buffers)
	}, client.received)
}

// fail ends the server.
func (s *server) fail(err error) {
	if s.err == nil {
		s.err = err
	}
	s.loop.Stop()
}
