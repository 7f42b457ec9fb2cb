// Echo-netpoll is a TCP echo server with CloudWeGo's netpoll: one poller over
// epoll, and a pool of goroutines for the requests.
package main

import (
	"context"
	"flag"
	"log"

	"github.com/cloudwego/netpoll"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:8000", "the address to listen on")
	flag.Parse()
	if err := netpoll.Configure(netpoll.Config{PollerNum: 1}); err != nil {
		log.Fatal(err)
	}
	l, err := netpoll.CreateListener("tcp", *addr)
	if err != nil {
		log.Fatal(err)
	}
	loop, err := netpoll.NewEventLoop(echo)
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(loop.Serve(l))
}

func echo(_ context.Context, conn netpoll.Connection) error {
	buf, err := conn.Reader().Next(conn.Reader().Len())
	if err != nil {
		return err
	}
	if _, err := conn.Writer().WriteBinary(buf); err != nil {
		return err
	}
	if err := conn.Writer().Flush(); err != nil {
		return err
	}
	return conn.Reader().Release()
}
