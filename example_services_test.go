//go:build linux

package liburing_test

import (
	"bytes"
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
	"golang.org/x/sys/unix"
)

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

// A client and a server on one loop.
func ExampleLoop_Dial() {
	loop, closeLoop := newLoop()
	defer closeLoop()
	listener, local, err := liburing.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	defer unix.Close(listener)

	loop.Accept(listener, nil, unix.SOCK_CLOEXEC, func(c liburing.Completion) {
		fd, err := c.Result()
		if err != nil {
			log.Fatal(err)
		}
		w := loop.NewWriter(fd, liburing.WriterOptions{})
		fmt.Fprintln(w, "hello")
		w.Close(nil)
	})
	to := liburing.SockaddrFrom(local.(*net.TCPAddr).AddrPort())
	loop.Dial(to, func(fd int, err error) {
		if err != nil {
			log.Fatal(err)
		}
		buf := make([]byte, 6)
		loop.ReadFull(context.Background(), fd, buf, liburing.CurrentPosition, func(n int, err error) {
			fmt.Printf("%q %v\n", buf[:n], err)
			loop.CloseFD(fd, nil)
		})
	}).Deadline(time.Second)
	runUntilIdle(loop)
	// Output: "hello\n" <nil>
}

// The steps of Dial one by one: a socket, and its connection.
func ExampleLoop_Connect() {
	loop, closeLoop := newLoop()
	defer closeLoop()
	listener, local, err := liburing.Listen("tcp", "127.0.0.1:0")
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

// All that is written comes out in its order.
func ExampleLoop_NewWriter() {
	loop, closeLoop := newLoop()
	defer closeLoop()
	a, b := socketPair()
	defer unix.Close(b)

	w := loop.NewWriter(a, liburing.WriterOptions{Failed: func(err error) { log.Print(err) }})
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
func ExampleLoop_NewConn() {
	loop, closeLoop := newLoop()
	defer closeLoop()
	a, peer := socketPair()
	defer unix.Close(peer)
	buffers, err := loop.NewBufGroup(8, 4096, 0)
	if err != nil {
		log.Fatal(err)
	}

	var conn *liburing.Conn
	conn = loop.NewConn(a, liburing.ConnOptions{
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

	w := loop.NewWriter(liburing.FD(file), liburing.WriterOptions{})
	for _, line := range []string{"one", "two"} {
		fmt.Fprintln(w, line)
		w.Sync(func(err error) { fmt.Println(line, err) })
	}
	runUntilIdle(loop)
	// Output:
	// one <nil>
	// two <nil>
}

// A datagram to an address, and who sent it.
func ExampleLoop_Sendmsg() {
	loop, closeLoop := newLoop()
	defer closeLoop()
	from, sender, err := liburing.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	defer unix.Close(from)
	to, receiver, err := liburing.ListenPacket("udp", "127.0.0.1:0")
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
	listener, local, err := liburing.Listen("tcp", "127.0.0.1:0")
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
