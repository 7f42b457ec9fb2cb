package main

import (
	"context"
	"net"
	"os"

	"github.com/go-liburing/liburing/bench/models/internal/hello"
)

// goroutines has a goroutine for each connection, which the runtime parks while
// the client is silent.
func goroutines(ctx context.Context, s server) error {
	file := os.NewFile(uintptr(s.listener), "listener")
	listener, err := net.FileListener(file)
	if err != nil {
		return err
	}
	file.Close()
	defer context.AfterFunc(ctx, func() { listener.Close() })()
	for {
		conn, err := listener.Accept()
		if err != nil {
			return err
		}
		go converseParked(conn)
	}
}

// converseParked answers a client until the connection ends, and closes it.
func converseParked(conn net.Conn) {
	defer conn.Close()
	var talk hello.Conversation
	for {
		answer, last := talk.Next()
		if answer == nil {
			n, err := conn.Read(talk.Room())
			if err != nil {
				return
			}
			talk.Got(n)
			continue
		}
		if _, err := conn.Write(answer); err != nil || last {
			return
		}
	}
}
