package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/go-liburing/liburing"
	"golang.org/x/sys/unix"
)

// endpoint is a descriptor, and what to call it in an error.
type endpoint struct {
	fd       int
	name     string
	position int64 // below zero for what has none, such as a pipe
}

func newEndpoint(fd int, name string) endpoint {
	position, err := unix.Seek(fd, 0, unix.SEEK_CUR)
	if err != nil {
		position = -1
	}
	return endpoint{fd, name, position}
}

// failed makes an error that tells which descriptor it is about.
func (e *endpoint) failed(err error) error { return fmt.Errorf("%s: %w", e.name, err) }

// moved notes that n bytes of a request for want have been read or written. If
// an error cut it short, which the kernel keeps to itself then, it forgets to
// move the file's position too, and the next write would go over the last one.
func (e *endpoint) moved(n, want int) {
	if e.position < 0 {
		return
	}
	e.position += int64(n)
	if n < want {
		unix.Seek(e.fd, e.position, unix.SEEK_SET)
	}
}

// stream moves bytes from one descriptor to another, block by block, each
// beginning where it stands, until the first has no more. Pipes and terminals
// are as welcome as files, also those that don't block: the kernel waits for them.
type stream struct {
	ctx      context.Context
	loop     *liburing.Loop
	from, to endpoint
	buf      []byte
	err      error // the first
	toFailed bool  // it was one of the second descriptor
}

// run moves it all. When ctx ends, so does a read that waits for input.
func (s *stream) run() error {
	s.read()
	return errors.Join(s.loop.RunUntilIdle(context.Background()), s.err)
}

func (s *stream) read() {
	s.loop.Read(s.from.fd, s.buf, liburing.CurrentPosition, func(c liburing.Completion) {
		n, err := c.Result()
		s.from.moved(n, len(s.buf))
		switch {
		case n > 0:
			s.write(s.buf[:n])
		case err != nil:
			s.err = s.from.failed(err)
		}
	}).WithContext(s.ctx)
}

func (s *stream) write(rest []byte) {
	s.loop.Write(s.to.fd, rest, liburing.CurrentPosition, func(c liburing.Completion) {
		n, err := c.Result()
		s.to.moved(n, len(rest))
		switch {
		case n == 0:
			s.err = s.to.failed(cmp.Or(err, io.ErrShortWrite))
			s.toFailed = true
		case n < len(rest):
			s.write(rest[n:])
		default:
			s.read()
		}
	})
}
