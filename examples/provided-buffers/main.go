// Provided-buffers receives messages into buffers that the kernel picks: no request
// names one, and none is taken before there is data.
//
// It teaches a group of buffers: which buffer each message came in, keeping one beyond
// the callback, what happens when all are kept, and how receiving goes on by itself
// when one is given back.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"

	"github.com/go-liburing/liburing"
	"golang.org/x/sys/unix"
)

func main() {
	count := flag.Int("buffers", 4, "the `number` of buffers")
	messages := flag.Int("messages", 10, "the `number` of messages")
	flag.Usage = func() {
		fmt.Fprintf(flag.CommandLine.Output(), "usage: provided-buffers [-buffers N] [-messages N]\n\nSends messages to itself and receives them into buffers that the kernel picks.\n")
		flag.PrintDefaults()
	}
	flag.Parse()
	if why := badArguments(*count, *messages); why != "" {
		fmt.Fprintln(os.Stderr, "provided-buffers:", why)
		flag.Usage()
		os.Exit(2)
	}
	if err := run(*count, *messages); err != nil {
		fmt.Fprintln(os.Stderr, "provided-buffers:", err)
		os.Exit(1)
	}
}

// maxMessages is as many as a socket holds without a receiver.
const maxMessages = 100

func badArguments(count, messages int) string {
	switch {
	case flag.NArg() != 0:
		return fmt.Sprintf("unexpected argument %q", flag.Arg(0))
	case count < 1 || count > 1<<15:
		return "-buffers must be 1 to 32768"
	case messages < 1 || messages > maxMessages:
		return fmt.Sprintf("-messages must be 1 to %d", maxMessages)
	}
	return ""
}

func run(count, messages int) (err error) {
	sockets, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socketpair", err)
	}
	defer unix.Close(sockets[0])
	defer unix.Close(sockets[1])
	loop, err := liburing.NewLoop(16)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, loop.Close(context.Background())) }()
	buffers, err := loop.NewBufGroup(count, 256, 0)
	if err != nil {
		return err
	}
	r := receiver{loop: loop, left: messages}
	r.stream = loop.Rearm(func(cb liburing.Callback) liburing.Request {
		return loop.RecvMultishot(sockets[0], nil, 0, cb).Buffers(buffers)
	}, r.received)
	for i := range messages {
		if _, err := unix.Write(sockets[1], fmt.Appendf(nil, "message %d", i+1)); err != nil {
			return os.NewSyscallError("write", err)
		}
	}
	// The messages are kept until none has come for a while, which is when all
	// buffers are taken or all messages are here.
	r.timer = loop.Every(quiet, r.giveBack)
	err = loop.RunUntilIdle(context.Background())
	fmt.Printf("received %d messages in %d buffers; ran dry %d times\n", messages-r.left, count, loop.Stats().BuffersShort)
	return errors.Join(err, r.err)
}

// receiver keeps what it receives.
type receiver struct {
	loop   *liburing.Loop
	stream *liburing.Stream
	timer  *liburing.Timer
	kept   []liburing.Borrowed
	left   int // messages that have not come
	err    error
}

func (r *receiver) received(c liburing.Completion) {
	if id, ok := c.BufferID(); ok {
		fmt.Printf("buffer %d: %s\n", id, c.Buffer())
		r.kept = append(r.kept, c.Keep())
		r.left--
	}
	if !c.More() && !errors.Is(c.Err(), unix.ECANCELED) {
		r.err = c.Err()
	}
	if r.left == 0 || !c.More() {
		r.timer.Stop()
		r.stream.Stop()
		r.release()
	}
}

const quiet = 2e6 // nanoseconds

// giveBack is called when no message has come for a while.
func (r *receiver) giveBack() {
	fmt.Printf("all taken: giving %d back\n", len(r.kept))
	r.release()
}

func (r *receiver) release() {
	for _, b := range r.kept {
		b.Release()
	}
	r.kept = r.kept[:0]
}
