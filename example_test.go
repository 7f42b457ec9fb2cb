//go:build linux && cgo

package liburing_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/go-liburing/liburing"
	"golang.org/x/sys/unix"
)

// A file is read, and what to do with it is in the callback.
func Example() {
	f, err := os.Open("testdata/hello.txt")
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	loop, err := liburing.NewLoop(64)
	if err != nil {
		log.Fatal(err)
	}
	defer loop.Close(context.Background())

	buf := make([]byte, 4096)
	loop.Read(int(f.Fd()), buf, 0, func(c liburing.Completion) {
		n, err := c.Result()
		fmt.Printf("%q %v\n", buf[:n], err)
	})
	if err := loop.RunUntilIdle(context.Background()); err != nil {
		log.Fatal(err)
	}
	// Output: "hello, ring\n" <nil>
}

// The same with liburing's own steps: take an entry, prepare it, submit, wait.
func ExampleRing() {
	ring, err := liburing.New(8)
	if err != nil {
		log.Fatal(err)
	}
	defer ring.Close()
	f, err := os.Open("testdata/hello.txt")
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()

	buf := make([]byte, 4096)
	sqe := ring.GetSQE()
	sqe.PrepRead(int(f.Fd()), buf, 0)
	sqe.SetData64(1)
	if _, err := ring.SubmitAndWait(1); err != nil {
		log.Fatal(err)
	}
	for cqe := range ring.CQEs() {
		fmt.Printf("%d: %q %v\n", cqe.UserData, buf[:cqe.Res], cqe.Err())
	}
	// Output: 1: "hello, ring\n" <nil>
}

// A chain: the second request waits for the first. Here that fails, and the
// second is cancelled.
func ExampleRequest_Link() {
	loop, err := liburing.NewLoop(8)
	if err != nil {
		log.Fatal(err)
	}
	defer loop.Close(context.Background())

	show := func(c liburing.Completion) { fmt.Println(c.Err()) }
	loop.Read(-1, make([]byte, 1), 0, show).Link()
	loop.Nop(show)
	if err := loop.RunUntilIdle(context.Background()); err != nil {
		log.Fatal(err)
	}
	// Output:
	// read: bad file descriptor
	// nop: operation canceled
}

func ExampleLoop_Timeout() {
	loop, err := liburing.NewLoop(8)
	if err != nil {
		log.Fatal(err)
	}
	defer loop.Close(context.Background())

	loop.Timeout(time.Millisecond, 0, 0, func(c liburing.Completion) {
		fmt.Println(errors.Is(c.Err(), unix.ETIME))
	})
	if err := loop.RunUntilIdle(context.Background()); err != nil {
		log.Fatal(err)
	}
	// Output: true
}

// Another goroutine has the loop do something.
func ExampleLoop_Post() {
	loop, err := liburing.NewLoop(8)
	if err != nil {
		log.Fatal(err)
	}
	defer loop.Close(context.Background())

	go loop.Post(func() {
		loop.Nop(func(liburing.Completion) {
			fmt.Println("done")
			loop.Stop()
		})
	})
	if err := loop.Run(context.Background()); err != nil {
		log.Fatal(err)
	}
	// Output: done
}

// Buffers that are registered once need no looking up at each read.
func ExampleBufferPool() {
	loop, err := liburing.NewLoop(8)
	if err != nil {
		log.Fatal(err)
	}
	defer loop.Close(context.Background())
	pool, err := liburing.NewBufferPool(4, 4096)
	if err != nil {
		log.Fatal(err)
	}
	if err := loop.Control(func(r *liburing.Ring) error { return r.RegisterBuffers(pool.Buffers()) }); err != nil {
		log.Fatal(err)
	}
	f, err := os.Open("testdata/hello.txt")
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()

	buf, _ := pool.Get()
	loop.ReadFixed(int(f.Fd()), buf.Bytes, 0, buf.Index, func(c liburing.Completion) {
		fmt.Printf("%q\n", buf.Bytes[:c.Res])
		pool.Put(buf)
	})
	if err := loop.RunUntilIdle(context.Background()); err != nil {
		log.Fatal(err)
	}
	// Output: "hello, ring\n"
}

// What the kernel can do.
func ExampleGetProbe() {
	probe, err := liburing.GetProbe()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(probe.OpcodeSupported(liburing.OpRead))
	// Output: true
}
