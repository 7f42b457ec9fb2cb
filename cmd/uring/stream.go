package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/go-liburing/liburing"
)

// endpoint is a descriptor, and what to call it in an error.
type endpoint struct {
	fd   int
	name string
}

// failed makes an error that tells which descriptor it is about.
func (e endpoint) failed(err error) error { return fmt.Errorf("%s: %w", e.name, err) }

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

// current is the offset that means the file's own position.
const current = ^uint64(0)

// run moves it all. When ctx ends, so does a read that waits for input.
func (s *stream) run() error {
	s.read()
	return errors.Join(s.loop.RunUntilIdle(context.Background()), s.err)
}

func (s *stream) read() {
	s.loop.Read(s.from.fd, s.buf, current, func(c liburing.Completion) {
		n, err := c.Result()
		switch {
		case n > 0:
			s.write(s.buf[:n])
		case err != nil:
			s.err = s.from.failed(err)
		}
	}).WithContext(s.ctx)
}

func (s *stream) write(rest []byte) {
	s.loop.Write(s.to.fd, rest, current, func(c liburing.Completion) {
		n, err := c.Result()
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
