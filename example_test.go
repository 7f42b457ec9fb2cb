//go:build linux

package liburing_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
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
	loop.Read(liburing.FD(f), buf, 0, func(c liburing.Completion) {
		n, err := c.Result()
		fmt.Printf("%q %v\n", buf[:n], err)
	}).Keep(f)
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
	sqe.PrepRead(liburing.FD(f), buf, 0)
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
func ExampleRequest_LinkNext() {
	loop, err := liburing.NewLoop(8)
	if err != nil {
		log.Fatal(err)
	}
	defer loop.Close(context.Background())

	show := func(c liburing.Completion) { fmt.Println(c.Err()) }
	loop.Read(-1, make([]byte, 1), 0, show).LinkNext()
	loop.Nop(show)
	if err := loop.RunUntilIdle(context.Background()); err != nil {
		log.Fatal(err)
	}
	// Output:
	// read: bad file descriptor: descriptor -1 is not open
	// nop: operation canceled: it was linked behind a request that failed: read: bad file descriptor
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
	loop.ReadFixed(liburing.FD(f), buf.Bytes, 0, buf.Index, func(c liburing.Completion) {
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

// newLoop is for the examples below; each has the errors' handling once.
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

// Files: open, ask for the size, close, all by the kernel.
func ExampleLoop_Openat() {
	loop, closeLoop := newLoop()
	defer closeLoop()

	const path = "testdata/hello.txt"
	var info liburing.Statx
	loop.Openat(unix.AT_FDCWD, path, unix.O_RDONLY, 0, func(c liburing.Completion) {
		fd, err := c.Result()
		if err != nil {
			log.Fatal(err)
		}
		loop.Statx(unix.AT_FDCWD, path, 0, unix.STATX_SIZE, &info, func(c liburing.Completion) {
			fmt.Println(info.Size, "bytes", c.Err())
			loop.CloseFD(fd, nil)
		})
	})
	runUntilIdle(loop)
	// Output: 12 bytes <nil>
}

// Sockets: a connection is accepted and spoken to.
func ExampleLoop_Accept() {
	loop, closeLoop := newLoop()
	defer closeLoop()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()

	listener := l.(*net.TCPListener)
	loop.Accept(liburing.FD(listener), nil, unix.SOCK_CLOEXEC, func(c liburing.Completion) {
		fd, err := c.Result()
		if err != nil {
			log.Fatal(err)
		}
		loop.Send(fd, []byte("hello\n"), 0, func(liburing.Completion) { loop.CloseFD(fd, nil) })
	}).Keep(listener)
	heard := make(chan string)
	go func() {
		conn, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			log.Fatal(err)
		}
		b, _ := io.ReadAll(conn)
		conn.Close()
		heard <- string(b)
	}()
	runUntilIdle(loop)
	fmt.Printf("%q\n", <-heard)
	// Output: "hello\n"
}

// Polling: the callback runs each time the pipe has something to read.
func ExampleLoop_PollMultishot() {
	loop, closeLoop := newLoop()
	defer closeLoop()
	r, w, err := os.Pipe()
	if err != nil {
		log.Fatal(err)
	}
	defer r.Close()
	defer w.Close()

	var req liburing.Request
	req = loop.PollMultishot(liburing.FD(r), unix.POLLIN, func(c liburing.Completion) {
		if c.More() {
			fmt.Println("ready")
			loop.Cancel(req.Token(), 0, nil)
			return
		}
		fmt.Println("ended:", errors.Is(c.Err(), unix.ECANCELED))
	})
	fmt.Fprint(w, "x")
	runUntilIdle(loop)
	// Output:
	// ready
	// ended: true
}

// A context ends a request; the callback runs when the kernel is done with it.
func ExampleRequest_WithContext() {
	loop, closeLoop := newLoop()
	defer closeLoop()
	r, w, err := os.Pipe()
	if err != nil {
		log.Fatal(err)
	}
	defer r.Close()
	defer w.Close()

	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	loop.Read(liburing.FD(r), make([]byte, 1), 0, func(c liburing.Completion) {
		fmt.Println(errors.Is(c.Err(), context.DeadlineExceeded))
	}).WithContext(ctx)
	runUntilIdle(loop)
	// Output: true
}

// A timer of the kernel's, without a goroutine.
func ExampleLoop_Every() {
	loop, closeLoop := newLoop()
	defer closeLoop()

	n := 0
	var timer *liburing.Timer
	timer = loop.Every(time.Millisecond, func() {
		if n++; n == 3 {
			fmt.Println("three times")
			timer.Stop()
		}
	})
	runUntilIdle(loop)
	// Output: three times
}

// Registered files: the request names the file by its place in the table.
func ExampleRing_RegisterFiles() {
	loop, closeLoop := newLoop()
	defer closeLoop()
	f, err := os.Open("testdata/hello.txt")
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()

	err = loop.Control(func(r *liburing.Ring) error { return r.RegisterFiles([]int{liburing.FD(f)}) })
	if err != nil {
		log.Fatal(err)
	}
	buf := make([]byte, 5)
	loop.Read(0, buf, 0, func(c liburing.Completion) { fmt.Printf("%q\n", buf) }).FixedFile()
	runUntilIdle(loop)
	// Output: "hello"
}

// Provided buffers: the kernel picks one when there is data.
func ExampleRing_SetupBufRing() {
	loop, closeLoop := newLoop()
	defer closeLoop()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		log.Fatal(err)
	}
	defer unix.Close(fds[0])
	defer unix.Close(fds[1])

	const group, size = 1, 64
	mem := make([]byte, 2*size)
	err = loop.Control(func(r *liburing.Ring) error {
		bufs, err := r.SetupBufRing(2, group, 0)
		if err != nil {
			return err
		}
		bufs.Add(mem[:size], 0, 0)
		bufs.Add(mem[size:], 1, 1)
		bufs.Advance(2)
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	unix.Write(fds[0], []byte("hello"))
	req := loop.Recv(fds[1], nil, 0, func(c liburing.Completion) {
		id, _ := c.BufferID()
		fmt.Printf("buffer %d: %q\n", id, mem[int(id)*size:][:c.Res])
	}).Flags(liburing.SQEBufferSelect)
	req.SQE().SetBufGroup(group)
	runUntilIdle(loop)
	// Output: buffer 0: "hello"
}

// Futexes: a request waits for a word in memory.
func ExampleLoop_FutexWait() {
	loop, closeLoop := newLoop()
	defer closeLoop()

	const flags, all = liburing.Futex2SizeU32 | liburing.Futex2Private, 1<<32 - 1
	word := new(uint32)
	loop.FutexWait(word, 0, all, flags, 0, func(c liburing.Completion) { fmt.Println("woken", c.Err()) })
	loop.After(time.Millisecond, func() { loop.FutexWake(word, 1, all, flags, 0, nil) })
	runUntilIdle(loop)
	// Output: woken <nil>
}

// A message from one ring to another.
func ExampleSQE_PrepMsgRing() {
	from, err := liburing.New(2)
	if err != nil {
		log.Fatal(err)
	}
	defer from.Close()
	to, err := liburing.New(2)
	if err != nil {
		log.Fatal(err)
	}
	defer to.Close()

	from.GetSQE().PrepMsgRing(to.FD(), 42, 7, 0)
	if _, err := from.SubmitAndWait(1); err != nil {
		log.Fatal(err)
	}
	cqe, err := to.WaitCQE()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(cqe.Res, cqe.UserData)
	to.CQESeen(cqe)
	// Output: 42 7
}

func ExampleOp_String() {
	fmt.Println(liburing.OpReadFixed, liburing.OpSendmsgZC)
	// Output: read_fixed sendmsg_zc
}

func ExampleSetupFlags_String() {
	fmt.Println(liburing.SetupSQPoll | liburing.SetupClamp | 1<<30)
	// Output: sqpoll|clamp|0x40000000
}

func ExampleCQEFlags_String() {
	fmt.Println(liburing.CQEFBuffer | liburing.CQEFMore | 7<<liburing.CQEBufferShift)
	// Output: buffer|more|bid=7
}
