// Ringio-kv is a key-value server: lines SET KEY VALUE, GET KEY and DEL KEY over TCP, a
// goroutine for each client. What was confirmed is on the disk.
//
// It teaches group commit: many goroutines append to one log, and those that come while
// the disk is busy share the next write and the next sync. A silent client needs no
// buffer (WaitReadable).
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/go-liburing/liburing/ringio"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:7000", "the `address` to listen on; port 0 picks one")
	log := flag.String("log", "kv.log", "the `file` that keeps what was set")
	flag.Usage = func() {
		fmt.Fprintf(flag.CommandLine.Output(), "usage: ringio-kv [flags]\n\nKeeps values by their keys, for lines SET KEY VALUE, GET KEY and DEL KEY.\n")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() > 0 {
		fmt.Fprintln(os.Stderr, "ringio-kv: there are flags only")
		flag.Usage()
		os.Exit(2)
	}
	if err := serve(*addr, *log); err != nil {
		fmt.Fprintln(os.Stderr, "ringio-kv:", err)
		os.Exit(1)
	}
}

// serve serves until a signal comes.
func serve(addr, log string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	s, err := openStore(log)
	if err != nil {
		return err
	}
	defer s.file.Close()
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
			all.Go(func() { s.talk(ctx, conn) })
		}
	}
}

var readers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, maxLine) }}

// talk answers a client until it goes.
func (s *store) talk(ctx context.Context, conn net.Conn) {
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	for ringio.WaitReadable(conn) == nil {
		r := readers.Get().(*bufio.Reader)
		r.Reset(conn)
		err := s.answerAll(conn, r)
		r.Reset(nil)
		readers.Put(r)
		if err != nil {
			return
		}
	}
}

// answerAll answers lines until all that has come is answered.
func (s *store) answerAll(conn net.Conn, r *bufio.Reader) error {
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			if errors.Is(err, bufio.ErrBufferFull) {
				fmt.Fprintf(conn, "ERROR a line has %d bytes at most\n", maxLine)
			}
			return err
		}
		if _, err := fmt.Fprintln(conn, s.answer(string(line))); err != nil {
			return err
		}
		if r.Buffered() == 0 {
			return nil
		}
	}
}
