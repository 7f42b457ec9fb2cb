//go:build linux

// Service is a program that a test runs where there is nothing else: no files, no /proc.
package main

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/go-liburing/liburing"
	"golang.org/x/sys/unix"
)

func main() {
	log.SetFlags(0)
	size, err := liburing.MemorySize(8, 0)
	check(err)
	if page := os.Getpagesize(); size != int64(2*page) {
		log.Fatalf("a ring takes %d bytes with pages of %d", size, page)
	}
	mem, err := unix.Mmap(-1, 0, int(size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	check(err)
	r, _, err := liburing.QueueInitMem(8, nil, mem)
	check(err)
	check(r.Close())
	fmt.Println(liburing.Backend(), echo("hello"))
}

// echo sends a text through a pipe.
func echo(text string) string {
	var fds [2]int
	check(unix.Pipe2(fds[:], unix.O_CLOEXEC))
	loop, err := liburing.NewLoop(8)
	check(err)
	defer loop.Close(context.Background())
	buf, n := make([]byte, 64), 0
	loop.Write(fds[1], []byte(text), 0, func(c liburing.Completion) { check(c.Err()) })
	loop.Read(fds[0], buf, 0, func(c liburing.Completion) {
		n, err = c.Result()
		check(err)
	})
	check(loop.RunUntilIdle(context.Background()))
	return string(buf[:n])
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
