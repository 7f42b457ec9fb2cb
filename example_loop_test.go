//go:build linux

package liburing_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/go-liburing/liburing"
	"golang.org/x/sys/unix"
)

// socketPair returns two sockets that are connected to each other.
func socketPair() (a, b int) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		log.Fatal(err)
	}
	return fds[0], fds[1]
}

// A receive that stays armed takes its memory from a group of buffers when data
// is there. What the callback does not keep goes back when it returns.
func ExampleLoop_NewBufGroup() {
	loop, closeLoop := newLoop()
	defer closeLoop()
	a, b := socketPair()
	defer unix.Close(a)
	buffers, err := loop.NewBufGroup(16, 4096, 0)
	if err != nil {
		log.Fatal(err)
	}
	loop.RecvMultishot(a, nil, 0, func(c liburing.Completion) {
		if c.More() {
			fmt.Printf("%q\n", c.Buffer())
		}
	}).Buffers(buffers)

	loop.Send(b, []byte("hello"), 0, func(liburing.Completion) { loop.CloseFD(b, nil) })
	runUntilIdle(loop)
	// Output: "hello"
}

// Bytes that are kept stay when the callback has returned: here until they have
// been sent back.
func ExampleCompletion_Keep() {
	loop, closeLoop := newLoop()
	defer closeLoop()
	a, b := socketPair()
	defer unix.Close(a)
	defer unix.Close(b)
	buffers, err := loop.NewBufGroup(16, 4096, 0)
	if err != nil {
		log.Fatal(err)
	}
	loop.Recv(a, nil, 0, func(c liburing.Completion) {
		kept := c.Keep()
		loop.Send(a, kept.Bytes(), 0, func(liburing.Completion) { kept.Release() })
	}).Buffers(buffers)

	answer := make([]byte, 16)
	loop.Send(b, []byte("echo"), 0, nil)
	loop.Recv(b, answer, 0, func(c liburing.Completion) { fmt.Printf("%q\n", answer[:c.Res]) })
	runUntilIdle(loop)
	// Output: "echo"
}

// A stream makes its multishot request again whenever that ends, for want of
// buffers too, until it is stopped.
func ExampleLoop_Rearm() {
	loop, closeLoop := newLoop()
	defer closeLoop()
	a, b := socketPair()
	defer unix.Close(a)
	defer unix.Close(b)
	buffers, err := loop.NewBufGroup(1, 4, 0) // far too few
	if err != nil {
		log.Fatal(err)
	}
	var stream *liburing.Stream
	var text []byte
	stream = loop.Rearm(func(cb liburing.Callback) liburing.Request {
		return loop.RecvMultishot(a, nil, 0, cb).Buffers(buffers)
	}, func(c liburing.Completion) {
		text = append(text, c.Buffer()...)
		if len(text) == 12 {
			stream.Stop()
		}
	})
	loop.Send(b, []byte("four by four"), 0, nil)
	runUntilIdle(loop)
	fmt.Printf("%q, short of buffers: %t\n", text, loop.Stats().BuffersShort > 0)
	// Output: "four by four", short of buffers: true
}

// A registered file is opened, read and closed without ever being a descriptor
// of the process. Its place goes wherever a descriptor does.
func ExampleFixed() {
	loop, closeLoop := newLoop()
	defer closeLoop()
	err := loop.Control(func(r *liburing.Ring) error { return r.RegisterFilesSparse(8) })
	if err != nil {
		log.Fatal(err)
	}
	buf := make([]byte, 64)
	loop.OpenatDirect(unix.AT_FDCWD, "testdata/hello.txt", os.O_RDONLY, 0, liburing.FileIndexAlloc, func(c liburing.Completion) {
		place, err := c.Result()
		if err != nil {
			log.Fatal(err)
		}
		file := liburing.Fixed(place)
		loop.Read(file.FD(), buf, 0, func(c liburing.Completion) {
			fmt.Printf("%q\n", buf[:c.Res])
			loop.CloseFD(file.FD(), nil)
		})
	})
	runUntilIdle(loop)
	// Output: "hello, ring\n"
}

// Of a chain only the last request tells, or the first that fails.
func ExampleRequest_SkipSuccess() {
	loop, closeLoop := newLoop()
	defer closeLoop()
	a, b := socketPair()
	defer unix.Close(a)
	told := func(name string) liburing.Callback {
		return func(c liburing.Completion) { fmt.Println(name, c.Res, c.Err()) }
	}
	loop.Send(b, []byte("last words"), 0, told("send")).LinkNext()
	loop.CloseFD(b, told("close")).SkipSuccess()
	runUntilIdle(loop)
	// Output: close 0 <nil>
}

// Several loops, each with a thread of its own; Next takes them in turns.
func ExampleLoopGroup() {
	group, err := liburing.NewLoopGroup(2, 8)
	if err != nil {
		log.Fatal(err)
	}
	defer group.Close(context.Background())
	done := make(chan string, 4)
	for range 4 {
		loop := group.Next()
		loop.Post(func() {
			loop.Nop(func(c liburing.Completion) { done <- c.Op().String() })
		})
	}
	go func() {
		for range 4 {
			fmt.Println(<-done)
		}
		group.Stop()
	}()
	if err := group.Run(context.Background()); err != nil {
		log.Fatal(err)
	}
	// Output:
	// nop
	// nop
	// nop
	// nop
}
