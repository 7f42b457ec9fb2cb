//go:build linux

package loopio_test

import (
	"bytes"
	"context"
	"fmt"
	"log"
	"net"
	"os"
	"time"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/loopio"
	"golang.org/x/sys/unix"
)

// A client and a server on one loop.
func ExampleDial() {
	loop, closeLoop := newLoop()
	defer closeLoop()
	listener, local, err := loopio.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	defer unix.Close(listener)

	loop.Accept(listener, nil, unix.SOCK_CLOEXEC, func(c liburing.Completion) {
		fd, err := c.Result()
		if err != nil {
			log.Fatal(err)
		}
		w := loopio.NewWriter(loop, fd, loopio.WriterOptions{})
		fmt.Fprintln(w, "hello")
		w.Close(nil)
	})
	to := liburing.SockaddrFrom(local.(*net.TCPAddr).AddrPort())
	loopio.Dial(loop, to, func(fd int, err error) {
		if err != nil {
			log.Fatal(err)
		}
		buf := make([]byte, 6)
		loopio.ReadFull(context.Background(), loop, fd, buf, liburing.CurrentPosition, func(n int, err error) {
			fmt.Printf("%q %v\n", buf[:n], err)
			loop.CloseFD(fd, nil)
		})
	}).Deadline(time.Second)
	runUntilIdle(loop)
	// Output: "hello\n" <nil>
}

// All that is written comes out in its order.
func ExampleNewWriter() {
	loop, closeLoop := newLoop()
	defer closeLoop()
	a, b := socketPair()
	defer unix.Close(b)

	w := loopio.NewWriter(loop, a, loopio.WriterOptions{Failed: func(err error) { log.Print(err) }})
	fmt.Fprintf(w, "%d lines, ", 2)
	w.WriteString("one send")
	w.Close(func(err error) {
		buf := make([]byte, 100)
		n, _ := unix.Read(b, buf)
		fmt.Printf("%q %v\n", buf[:n], err)
	})
	runUntilIdle(loop)
	// Output: "2 lines, one send" <nil>
}

// Lines come in pieces, and are answered whole.
func ExampleNewConn() {
	loop, closeLoop := newLoop()
	defer closeLoop()
	a, peer := socketPair()
	defer unix.Close(peer)
	buffers, err := loop.NewBufGroup(8, 4096, 0)
	if err != nil {
		log.Fatal(err)
	}

	var conn *loopio.Conn
	conn = loopio.NewConn(loop, a, loopio.ConnOptions{
		Buffers: buffers,
		Received: func(data []byte) (used int, err error) {
			for {
				line, _, whole := bytes.Cut(data[used:], []byte("\n"))
				if !whole {
					return used, nil
				}
				used += len(line) + 1
				if _, err := fmt.Fprintf(conn, "%s!\n", line); err != nil {
					return used, err
				}
			}
		},
	})
	unix.Write(peer, []byte("one\ntw"))
	unix.Write(peer, []byte("o\n"))
	unix.Shutdown(peer, unix.SHUT_WR) // the Conn closes when all is answered
	runUntilIdle(loop)
	buf := make([]byte, 100)
	n, _ := unix.Read(peer, buf)
	fmt.Printf("%q\n", buf[:n])
	// Output: "one!\ntwo!\n"
}

// A log: what was written is told of when it is on the disk, several at once.
func ExampleWriter_Sync() {
	loop, closeLoop := newLoop()
	defer closeLoop()
	file, err := os.CreateTemp("", "log")
	if err != nil {
		log.Fatal(err)
	}
	defer os.Remove(file.Name())
	defer file.Close()

	w := loopio.NewWriter(loop, liburing.FD(file), loopio.WriterOptions{})
	for _, line := range []string{"one", "two"} {
		fmt.Fprintln(w, line)
		w.Sync(func(err error) { fmt.Println(line, err) })
	}
	runUntilIdle(loop)
	// Output:
	// one <nil>
	// two <nil>
}

func newLoop() (*liburing.Loop, func()) {
	loop, err := liburing.NewLoop(32)
	if err != nil {
		log.Fatal(err)
	}
	return loop, func() { loop.Close(context.Background()) }
}

func runUntilIdle(loop *liburing.Loop) {
	if err := loop.RunUntilIdle(context.Background()); err != nil {
		log.Fatal(err)
	}
}

// socketPair returns two sockets that are connected to each other.
func socketPair() (a, b int) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		log.Fatal(err)
	}
	return fds[0], fds[1]
}
