package main

import (
	"fmt"

	"github.com/go-liburing/liburing/bench/models/internal/hello"
	"golang.org/x/sys/unix"
)

// answerEach serves one client after the other.
func answerEach(listener int) error {
	for {
		fd, err := accept(listener, 0)
		if err != nil {
			return fmt.Errorf("accept: %w", err)
		}
		converse(fd)
	}
}

// converse answers a client until the connection ends, and closes it. The
// thread waits in the kernel for what the client sends.
func converse(fd int) {
	defer unix.Close(fd)
	var talk hello.Conversation
	for {
		answer, last := talk.Next()
		if answer == nil {
			n, err := unix.Read(fd, talk.Room())
			if err == unix.EINTR {
				continue
			}
			if n <= 0 {
				return
			}
			talk.Got(n)
			continue
		}
		if writeAll(fd, answer) != nil || last {
			return
		}
	}
}

func writeAll(fd int, rest []byte) error {
	for len(rest) > 0 {
		n, err := unix.Write(fd, rest)
		if err != nil && err != unix.EINTR {
			return err
		}
		rest = rest[max(n, 0):]
	}
	return nil
}
