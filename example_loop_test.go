//go:build linux

package liburing_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/loopio"
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

// A file that nothing but its request needs.
func ExampleRequest_Keep() {
	loop, closeLoop := newLoop()
	defer closeLoop()

	read := func(name string) {
		file, err := os.Open(name)
		if err != nil {
			log.Fatal(err)
		}
		buf := make([]byte, 5)
		loop.Read(liburing.FD(file), buf, 0, func(c liburing.Completion) {
			fmt.Printf("%q %v\n", buf[:c.Res], c.Err())
		}).Keep(file)
	}
	read("testdata/hello.txt")
	runUntilIdle(loop)
	// Output: "hello" <nil>
}

// Addresses in the kernel's form.
func ExampleSockaddr() {
	fmt.Println(liburing.SockaddrFrom(netip.MustParseAddrPort("[2001:db8::1]:80")))
	local, err := liburing.SockaddrUnix("@abstract")
	fmt.Println(local, err)
	_, err = liburing.SockaddrUnix(strings.Repeat("long", 30))
	fmt.Println(errors.Is(err, unix.EINVAL))
	// Output:
	// [2001:db8::1]:80
	// @abstract <nil>
	// true
}

// The steps of Dial one by one: a socket, and its connection.
func ExampleLoop_Connect() {
	loop, closeLoop := newLoop()
	defer closeLoop()
	listener, local, err := loopio.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	unix.Close(listener) // nobody is there

	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		log.Fatal(err)
	}
	to := liburing.SockaddrFrom(local.(*net.TCPAddr).AddrPort())
	loop.Connect(fd, to, func(c liburing.Completion) {
		err := c.Err() // connect 127.0.0.1:PORT: connection refused
		fmt.Println(errors.Is(err, unix.ECONNREFUSED), strings.HasPrefix(err.Error(), "connect "+local.String()))
		loop.CloseFD(fd, nil)
	})
	runUntilIdle(loop)
	// Output: true true
}

// A datagram to an address, and who sent it.
func ExampleLoop_Sendmsg() {
	loop, closeLoop := newLoop()
	defer closeLoop()
	from, sender, err := loopio.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	defer unix.Close(from)
	to, receiver, err := loopio.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	defer unix.Close(to)

	peer, buf := liburing.NewSockaddr(), make([]byte, 100)
	loop.Recvmsg(to, liburing.NewMsghdr(peer, nil, buf), 0, func(c liburing.Completion) {
		fmt.Printf("%q, from the sender: %t\n", buf[:c.Res], peer.String() == sender.String())
	})
	addr := liburing.SockaddrFrom(receiver.(*net.UDPAddr).AddrPort())
	loop.Sendmsg(from, liburing.NewMsghdr(addr, nil, []byte("two "), []byte("parts")), 0, nil)
	runUntilIdle(loop)
	// Output: "two parts", from the sender: true
}

// A control message: a descriptor goes to who is at the other end.
func ExampleLoop_Recvmsg() {
	loop, closeLoop := newLoop()
	defer closeLoop()
	a, b := socketPair()
	defer unix.Close(a)
	defer unix.Close(b)
	file, err := os.Open("testdata/hello.txt")
	if err != nil {
		log.Fatal(err)
	}
	defer file.Close()

	loop.Sendmsg(a, liburing.NewMsghdr(nil, unix.UnixRights(liburing.FD(file)), []byte("x")), 0, nil).Keep(file)
	msg := liburing.NewMsghdr(nil, make([]byte, unix.CmsgSpace(4)), make([]byte, 1))
	loop.Recvmsg(b, msg, unix.MSG_CMSG_CLOEXEC, func(c liburing.Completion) {
		messages, err := unix.ParseSocketControlMessage(liburing.Control(msg))
		if err != nil {
			log.Fatal(err)
		}
		fds, err := unix.ParseUnixRights(&messages[0])
		if err != nil {
			log.Fatal(err)
		}
		buf := make([]byte, 12)
		loop.Read(fds[0], buf, 0, func(c liburing.Completion) {
			fmt.Printf("%q\n", buf[:c.Res])
			loop.CloseFD(fds[0], nil)
		})
	})
	runUntilIdle(loop)
	// Output: "hello, ring\n"
}

// A send without a copy completes twice: with its result, and when the memory is free.
func ExampleLoop_SendZC() {
	loop, closeLoop := newLoop()
	defer closeLoop()
	listener, local, err := loopio.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	defer unix.Close(listener)
	conn, err := net.Dial("tcp", local.String())
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	go conn.Read(make([]byte, 4096))

	loop.Accept(listener, nil, unix.SOCK_CLOEXEC, func(c liburing.Completion) {
		fd, err := c.Result()
		if err != nil {
			log.Fatal(err)
		}
		loop.SendZC(fd, make([]byte, 4096), unix.MSG_WAITALL, 0, func(c liburing.Completion) {
			if c.Flags&liburing.CQEFNotif == 0 {
				fmt.Println("sent", c.Res, c.Err(), c.More())
				return
			}
			fmt.Println("the memory is free")
			loop.CloseFD(fd, nil)
		})
	})
	runUntilIdle(loop)
	// Output:
	// sent 4096 <nil> true
	// the memory is free
}

// A chain: what was written is on the disk when the last request completes.
func ExampleLoop_Fsync() {
	loop, closeLoop := newLoop()
	defer closeLoop()
	file, err := os.CreateTemp("", "journal")
	if err != nil {
		log.Fatal(err)
	}
	defer os.Remove(file.Name())
	defer file.Close()

	fd := liburing.FD(file)
	loop.Write(fd, []byte("an entry\n"), 0, nil).LinkNext()
	loop.Fsync(fd, liburing.FsyncDatasync, func(c liburing.Completion) {
		// A write that fails or is short cancels what is linked behind it.
		fmt.Println("durable:", c.Err() == nil)
	})
	runUntilIdle(loop)
	// Output: durable: true
}

// A request that takes too long.
func ExampleRequest_Deadline() {
	loop, closeLoop := newLoop()
	defer closeLoop()
	a, b := socketPair()
	defer unix.Close(a)
	defer unix.Close(b)

	loop.Recv(a, make([]byte, 1), 0, func(c liburing.Completion) { fmt.Println(c.Err()) }).Deadline(time.Millisecond)
	runUntilIdle(loop)
	// Output: recv: i/o timeout: operation canceled
}

// What failed, why, and what to do about it.
func ExampleOpError() {
	_, err := liburing.New(8, liburing.WithFlags(liburing.SetupDeferTaskrun))
	var op *liburing.OpError
	if errors.As(err, &op) {
		fmt.Println(op.Op)
		fmt.Println(op.Err)
		fmt.Println(op.Hint)
	}
	fmt.Println(errors.Is(err, unix.EINVAL))
	// Output:
	// io_uring_setup
	// invalid argument
	// defer_taskrun needs single_issuer
	// true
}

// A service that ends in order: no new work, what is in flight comes to its end for
// a while, and then it is cancelled.
func ExampleLoop_Close() {
	loop, err := liburing.NewLoop(8)
	if err != nil {
		log.Fatal(err)
	}
	stop, cancel := context.WithCancel(context.Background()) // signal.NotifyContext, as a rule
	loop.Timeout(time.Hour, 0, 0, func(c liburing.Completion) {
		fmt.Println("cancelled:", errors.Is(c.Err(), unix.ECANCELED))
	})
	loop.Timeout(20*time.Millisecond, 0, 0, func(c liburing.Completion) { fmt.Println("came to its end") })
	loop.Post(cancel)

	err = loop.Run(stop) // until the signal
	fmt.Println(err)
	grace, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	err = loop.RunUntilIdle(grace)
	fmt.Println(err)
	fmt.Println(loop.Close(context.Background()))
	// Output:
	// context canceled
	// came to its end
	// context deadline exceeded
	// cancelled: true
	// <nil>
}

// A connection goes from the loop that accepts to the one that serves.
func ExampleLoop_HandOver() {
	accepts, closeAccepts := newLoop()
	defer closeAccepts()
	serves, closeServes := newLoop()
	defer closeServes()
	for _, loop := range []*liburing.Loop{accepts, serves} {
		if err := loop.Control(func(r *liburing.Ring) error { return r.RegisterFilesSparse(8) }); err != nil {
			log.Fatal(err)
		}
	}
	accepts.OpenDirect("testdata/hello.txt", unix.O_RDONLY, 0, liburing.FileIndexAlloc, func(c liburing.Completion) {
		place, err := c.Result()
		if err != nil {
			log.Fatal(err)
		}
		accepts.HandOver(liburing.Fixed(place), serves, func(file liburing.Fixed, err error) {
			if err != nil {
				log.Fatal(err)
			}
			buf := make([]byte, 5)
			serves.Read(file.FD(), buf, 0, func(c liburing.Completion) { fmt.Printf("%q %v\n", buf, c.Err()) })
		})
	})
	runUntilIdle(accepts)
	runUntilIdle(serves)
	// Output: "hello" <nil>
}

// A loop that polls the network devices of its sockets for up to 50 µs before it sleeps,
// where there is a device that can be polled (SO_INCOMING_NAPI_ID of a socket is its
// queue's number then, 0 on the loopback).
func ExampleRing_RegisterNAPI() {
	loop, closeLoop := newLoop()
	defer closeLoop()
	napi := liburing.NAPI{BusyPollTo: 50}
	err := loop.Control(func(r *liburing.Ring) error { return r.RegisterNAPI(&napi) })
	if err != nil {
		fmt.Println(err) // before Linux 6.9, or a kernel built without CONFIG_NET_RX_BUSY_POLL
		return
	}

	// … serve …

	var was liburing.NAPI
	if err := loop.Control(func(r *liburing.Ring) error { return r.UnregisterNAPI(&was) }); err == nil {
		fmt.Println("polled for", was.BusyPollTo, "µs")
	}
}

func ExampleLoop_Stats() {
	loop, closeLoop := newLoop()
	defer closeLoop()
	for range 10 {
		loop.Nop(nil)
	}
	runUntilIdle(loop)
	stats := loop.Stats()
	fmt.Println(stats.Submitted, "submitted,", stats.Completed, "completed, system calls:", stats.Enters)
	// Output: 10 submitted, 10 completed, system calls: 1
}

// Bytes go from a file into a socket by way of a pipe, and through no buffer.
func ExampleLoop_Splice() {
	loop, closeLoop := newLoop()
	defer closeLoop()
	a, b := socketPair()
	defer unix.Close(a)
	defer unix.Close(b)
	file, err := os.Open("testdata/hello.txt")
	if err != nil {
		log.Fatal(err)
	}
	defer file.Close()
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		log.Fatal(err)
	}
	defer unix.Close(pipe[0])
	defer unix.Close(pipe[1])

	loop.Splice(liburing.FD(file), 0, pipe[1], -1, 12, 0, nil).Keep(file).LinkNext()
	loop.Splice(pipe[0], -1, a, -1, 12, 0, func(c liburing.Completion) {
		buf := make([]byte, 100)
		n, _ := unix.Read(b, buf)
		fmt.Printf("%q %v\n", buf[:n], c.Err())
	})
	runUntilIdle(loop)
	// Output: "hello, ring\n" <nil>
}

// What stat tells of a file, as Go has it.
func ExampleFileInfo() {
	loop, closeLoop := newLoop()
	defer closeLoop()
	const name = "testdata/hello.txt"
	statx := new(liburing.Statx)
	loop.Statx(unix.AT_FDCWD, name, 0, liburing.StatxBasicStats, statx, func(c liburing.Completion) {
		info := liburing.FileInfo(name, statx)
		fmt.Println(info.Name(), info.Size(), info.Mode().IsRegular(), c.Err())
	})
	runUntilIdle(loop)
	// Output: hello.txt 12 true <nil>
}

// A process is waited for without a goroutine.
func ExampleLoop_Waitid() {
	loop, closeLoop := newLoop()
	defer closeLoop()
	cmd := exec.Command("sh", "-c", "exit 3")
	if err := cmd.Start(); err != nil {
		log.Fatal(err)
	}
	info := new(liburing.Siginfo)
	loop.Waitid(unix.P_PID, cmd.Process.Pid, info, unix.WEXITED|unix.WNOWAIT, 0, func(c liburing.Completion) {
		cmd.Wait() // it is still to be collected (WNOWAIT), which does not block any more
		fmt.Println("ended by a child's exit:", info.Code == 1, cmd.ProcessState.ExitCode(), c.Err())
	})
	runUntilIdle(loop)
	// Output: ended by a child's exit: true 3 <nil>
}

// A ring that may do little: for a part of a program that is not to be trusted.
func ExampleRing_RegisterRestrictions() {
	ring, err := liburing.New(8, liburing.WithFlags(liburing.SetupRDisabled))
	if err != nil {
		log.Fatal(err)
	}
	defer ring.Close()
	err = ring.RegisterRestrictions([]liburing.Restriction{
		{Opcode: liburing.RestrictionSQEOp, Value: uint8(liburing.OpNop)},
	})
	if err != nil {
		log.Fatal(err)
	}
	if err := ring.EnableRings(); err != nil {
		log.Fatal(err)
	}
	ring.GetSQE().PrepNop()
	ring.GetSQE().PrepOpenat(unix.AT_FDCWD, nil, 0, 0)
	if _, err := ring.SubmitAndWait(2); err != nil {
		log.Fatal(err)
	}
	for cqe := range ring.CQEs() {
		fmt.Println(cqe.Err())
	}
	// Unordered output:
	// <nil>
	// permission denied
}
