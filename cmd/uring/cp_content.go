package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/go-liburing/liburing"
	"golang.org/x/sys/unix"
)

const (
	cpDepth = 16 // blocks on their way at once
	cpBlock = 256 << 10
)

// copier copies files, one after the other, each in many blocks at once.
type copier struct {
	cpOptions
	ctx   context.Context
	loop  *liburing.Loop
	pool  *liburing.BufferPool
	fixed bool // the pool's buffers are registered
	bar   progress
}

func newCopier(ctx context.Context, o cpOptions) (*copier, error) {
	loop, err := liburing.NewLoop(2 * cpDepth)
	if err != nil {
		return nil, err
	}
	pool, err := liburing.NewBufferPool(cpDepth, cpBlock)
	if err != nil {
		return nil, errors.Join(err, loop.Close(context.Background()))
	}
	c := &copier{cpOptions: o, ctx: ctx, loop: loop, pool: pool, bar: newProgress()}
	err = loop.Control(func(r *liburing.Ring) error { return r.RegisterBuffers(pool.Buffers()) })
	c.fixed = err == nil
	if err != nil && !errors.Is(err, unix.ENOMEM) { // a low RLIMIT_MEMLOCK costs speed, no more
		return nil, errors.Join(err, c.close())
	}
	return c, nil
}

func (c *copier) close() error {
	return errors.Join(c.loop.Close(context.Background()), c.pool.Close())
}

// content copies what is in a file. One that says it is empty may not be so, in
// /proc for example, and is read until it ends.
func (c *copier) content(out, in *os.File, size int64) error {
	if size == 0 {
		return c.unsized(out, in)
	}
	if err := out.Truncate(size); err != nil { // what is not written stays a hole
		return err
	}
	t := transfer{copier: c, in: in, out: out, size: size}
	t.advance()
	t.start()
	return errors.Join(c.loop.RunUntilIdle(context.Background()), t.err)
}

func (c *copier) unsized(out, in *os.File) error {
	buf, _ := c.pool.Get()
	defer c.pool.Put(buf)
	s := stream{
		ctx:  c.ctx,
		loop: c.loop,
		from: newEndpoint(int(in.Fd()), in.Name()),
		to:   newEndpoint(int(out.Fd()), out.Name()),
		buf:  buf.Bytes,
	}
	return s.run()
}

// transfer is the copying of one file.
type transfer struct {
	*copier
	in, out   *os.File
	size      int64
	next, end int64 // what is left of the piece of data that is being read
	err       error // the first; no block is begun after it
}

// advance goes on to the next piece of data when one has been read.
func (t *transfer) advance() {
	hole := t.next
	t.next, t.end, t.err = nextData(t.in, t.next, t.size)
	t.bar.add(t.next - hole)
}

// nextData finds the next piece of data in a file at or behind off; if there is
// none, it is empty and at the end.
func nextData(f *os.File, off, size int64) (start, end int64, err error) {
	start, err = unix.Seek(int(f.Fd()), off, unix.SEEK_DATA)
	switch {
	case err == unix.ENXIO: // nothing but a hole, or the file does not reach that far any more
		return size, size, stillReaches(f, size)
	case err != nil: // the file system does not tell holes
		return off, size, nil
	}
	end, err = unix.Seek(int(f.Fd()), start, unix.SEEK_HOLE)
	if err != nil {
		return 0, 0, os.NewSyscallError("lseek", err)
	}
	return min(start, size), min(end, size), nil
}

func stillReaches(f *os.File, size int64) error {
	info, err := f.Stat()
	if err == nil && info.Size() < size {
		err = endedEarly(info.Size(), size)
	}
	return err
}

func endedEarly(at, size int64) error {
	return fmt.Errorf("it ended at byte %d and not at %d: it became shorter meanwhile, "+
		"or its size is not what it contains (as in /sys): %w", at, size, io.ErrUnexpectedEOF)
}

// start begins a block for every free buffer.
func (t *transfer) start() {
	for t.err == nil && t.ctx.Err() == nil && t.next < t.size {
		buf, ok := t.pool.Get()
		if !ok {
			return
		}
		n := min(int64(len(buf.Bytes)), t.end-t.next)
		b := &block{transfer: t, buf: buf, off: t.next, rest: buf.Bytes[:n]}
		t.next += n
		if t.next == t.end {
			t.advance()
		}
		b.read(b.rest)
	}
}

// block is one block on its way.
type block struct {
	*transfer
	buf  liburing.Buffer
	off  int64  // of rest
	rest []byte // what is to be written
}

// read reads the part of the block that is missing.
func (b *block) read(missing []byte) {
	fd, off := int(b.in.Fd()), uint64(b.off)+uint64(len(b.rest)-len(missing))
	done := func(c liburing.Completion) {
		n, err := c.Result()
		switch {
		case err != nil || b.ctx.Err() != nil:
			b.finish(err)
		case n == 0:
			b.finish(cmp.Or(stillReaches(b.in, b.size), endedEarly(int64(off), b.size)))
		case n < len(missing):
			b.read(missing[n:])
		default:
			b.write()
		}
	}
	if b.fixed {
		b.loop.ReadFixed(fd, missing, off, b.buf.Index, done)
	} else {
		b.loop.Read(fd, missing, off, done)
	}
}

func (b *block) write() {
	fd, off := int(b.out.Fd()), uint64(b.off)
	if b.fixed {
		b.loop.WriteFixed(fd, b.rest, off, b.buf.Index, b.written)
	} else {
		b.loop.Write(fd, b.rest, off, b.written)
	}
}

func (b *block) written(c liburing.Completion) {
	n, err := c.Result()
	if err == nil && n == 0 {
		err = io.ErrShortWrite
	}
	b.rest = b.rest[n:]
	b.off += int64(n)
	b.bar.add(int64(n))
	if err == nil && len(b.rest) > 0 && b.ctx.Err() == nil {
		b.write()
		return
	}
	b.finish(err)
}

// finish gives the buffer back and begins the next block.
func (b *block) finish(err error) {
	if b.err == nil {
		b.err = err
	}
	b.pool.Put(b.buf)
	b.start()
}
