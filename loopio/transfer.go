package loopio

import (
	"context"
	"io"
	"syscall"

	"github.com/go-liburing/liburing"
)

// ReadFull reads until buf is full, and calls done with the number of bytes and, like
// io.ReadFull, with io.EOF if there were none and io.ErrUnexpectedEOF if there were too
// few. offset is as for Read: CurrentPosition for sockets and pipes. When ctx ends, so
// does the reading, with ctx's error; ctx may be nil.
func ReadFull(ctx context.Context, l *liburing.Loop, fd int, buf []byte, offset uint64, done func(n int, err error)) {
	startTransfer(ctx, l, liburing.OpRead, fd, buf, offset, done)
}

// WriteAll writes all of buf, as ReadFull reads. A full disk may leave only a part of
// it written: n tells how much. Other writes to the same stream may come between its
// parts: see NewWriter.
func WriteAll(ctx context.Context, l *liburing.Loop, fd int, buf []byte, offset uint64, done func(n int, err error)) {
	startTransfer(ctx, l, liburing.OpWrite, fd, buf, offset, done)
}

// transfer is the reading or writing of a whole buffer.
type transfer struct {
	loop   *liburing.Loop
	ctx    context.Context
	op     liburing.Op
	fd     int
	buf    []byte
	n      int // that are done
	offset uint64
	done   func(int, error)
	cb     liburing.Callback
}

func startTransfer(ctx context.Context, l *liburing.Loop, op liburing.Op, fd int, buf []byte, offset uint64, done func(int, error)) {
	if done == nil {
		done = func(int, error) {}
	}
	t := &transfer{loop: l, ctx: ctx, op: op, fd: fd, buf: buf, offset: offset, done: done}
	t.cb = t.moved
	t.move()
}

// move moves what is left.
func (t *transfer) move() {
	offset := t.offset
	if offset != liburing.CurrentPosition {
		offset += uint64(t.n)
	}
	if t.op == liburing.OpRead {
		t.loop.Read(t.fd, t.buf[t.n:], offset, t.cb).WithContext(t.ctx)
	} else {
		t.loop.Write(t.fd, t.buf[t.n:], offset, t.cb).WithContext(t.ctx)
	}
}

// moved sees to the result of a part.
func (t *transfer) moved(c liburing.Completion) {
	n, err := c.Result()
	t.n += n
	switch {
	case t.n == len(t.buf):
		t.done(t.n, nil)
	case c.Res == -int32(syscall.EINTR) && err != nil && (t.ctx == nil || t.ctx.Err() == nil):
		t.move()
	case err != nil:
		t.done(t.n, err)
	case n > 0:
		t.move()
	case t.op == liburing.OpWrite:
		t.done(t.n, io.ErrShortWrite)
	case t.n == 0:
		t.done(0, io.EOF)
	default:
		t.done(t.n, io.ErrUnexpectedEOF)
	}
}
