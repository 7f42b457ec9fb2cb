package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/go-liburing/liburing"
	"golang.org/x/sys/unix"
)

// A write of many pages costs the file system less than many writes do. What is mapped is
// written from where it is in the page cache, and not copied before; what is read should
// still be in the processor's cache when it is written.
const (
	cpDepth  = 4 // blocks on their way at once
	cpMapped = 8 << 20
	cpBlock  = 1 << 20 // of a file that can't be mapped
)

// cpRing is what files of many blocks are copied by.
type cpRing struct {
	loop  *liburing.Loop
	pool  *liburing.BufferPool
	fixed bool // the pool's buffers are registered
}

func newCpRing() (*cpRing, error) {
	loop, err := liburing.NewLoop(2 * cpDepth)
	if err != nil {
		return nil, err
	}
	pool, err := liburing.NewBufferPool(cpDepth, cpBlock)
	if err != nil {
		return nil, errors.Join(err, loop.Close(context.Background()))
	}
	r := &cpRing{loop: loop, pool: pool}
	err = loop.Control(func(ring *liburing.Ring) error { return ring.RegisterBuffers(pool.Buffers()) })
	r.fixed = err == nil
	if err != nil && !errors.Is(err, unix.ENOMEM) { // a low RLIMIT_MEMLOCK costs speed, no more
		return nil, errors.Join(err, r.close())
	}
	return r, nil
}

func (r *cpRing) close() error {
	return errors.Join(r.loop.Close(context.Background()), r.pool.Close())
}

// stream copies what is no file, a pipe for example, until it ends.
func (r *cpRing) stream(ctx context.Context, out int, in original, to place) error {
	buf, _ := r.pool.Get()
	defer r.pool.Put(buf)
	s := stream{
		ctx:  ctx,
		loop: r.loop,
		from: newEndpoint(in.fd, in.path),
		to:   newEndpoint(out, to.path),
		buf:  buf.Bytes,
	}
	return s.run()
}

// transfer is the copying of one file.
type transfer struct {
	*cpRing
	ctx       context.Context
	bar       *progress
	in, out   int
	size      int64
	next, end int64 // what is left of the piece of data that is being read
	ended     int64 // where there was nothing more to read
	whole     int64 // all before it is copied, or will be
	unmapped  bool  // blocks are read
	err       error // the first; no block is begun after it
}

// run copies the file. It returns how many bytes from its start are copied.
func (t *transfer) run() (int64, error) {
	if err := unix.Ftruncate(t.out, t.size); err != nil { // what is not written stays a hole
		return 0, os.NewSyscallError("ftruncate", err)
	}
	t.advance()
	t.start()
	err := errors.Join(t.loop.RunUntilIdle(context.Background()), t.err)
	copied := min(t.whole, t.next)
	switch {
	case err != nil:
	case copied < t.size && t.ctx.Err() != nil:
		err = errInterrupted
	case t.ended == t.size:
		err = stillReaches(t.in, t.size) // a mapped file seems to go on to the end of its last page
	case t.ended < t.size:
		err = os.NewSyscallError("ftruncate", unix.Ftruncate(t.out, t.ended))
	}
	if err != nil {
		copied = t.withoutRest(copied)
	}
	return copied, err
}

// withoutRest leaves out what was copied of a mapped page behind the end that the file has
// now.
func (t *transfer) withoutRest(copied int64) int64 {
	var info unix.Stat_t
	if unix.Fstat(t.in, &info) == nil && copied-info.Size < int64(os.Getpagesize()) {
		copied = min(copied, info.Size)
	}
	return copied
}

// advance goes on to the next piece of data when one has been read.
func (t *transfer) advance() {
	start, end, err := nextData(t.in, t.next, t.size)
	if err != nil {
		t.end, t.err = t.next, err
		return
	}
	t.bar.add(start - t.next)
	t.next, t.end = start, end
}

// nextData finds the next piece of data in a file at or behind off; if there is
// none, it is empty and at the end.
func nextData(fd int, off, size int64) (start, end int64, err error) {
	start, err = unix.Seek(fd, off, unix.SEEK_DATA)
	switch {
	case err == unix.ENXIO: // nothing but a hole, or the file does not reach that far any more
		return size, size, stillReaches(fd, size)
	case err != nil: // the file system does not tell holes
		return off, size, nil
	}
	end, err = unix.Seek(fd, start, unix.SEEK_HOLE)
	switch {
	case err != nil:
		return 0, 0, os.NewSyscallError("lseek", err)
	case end == start: // somebody has made a hole of it meanwhile: some of it is copied as data
		end = start + cpBlock
	}
	return min(start, size), min(end, size), nil
}

// stillReaches returns an error if a file has become shorter while it was read. Sizes that
// are not what can be read, as in /sys, stay.
func stillReaches(fd int, size int64) error {
	var info unix.Stat_t
	if err := unix.Fstat(fd, &info); err != nil {
		return os.NewSyscallError("fstat", err)
	}
	if info.Size < size {
		return fmt.Errorf("it ended at byte %d and not at %d: it became shorter meanwhile: %w", info.Size, size, io.ErrUnexpectedEOF)
	}
	return nil
}

// start begins a block for every free buffer.
func (t *transfer) start() {
	for t.err == nil && t.ctx.Err() == nil && t.next < t.size {
		buf, ok := t.pool.Get()
		if !ok {
			return
		}
		b := &block{transfer: t, buf: buf, off: t.next}
		b.take()
		if t.next == t.end {
			t.advance()
		}
		if b.mapped != nil {
			b.write()
		} else {
			b.readRest()
		}
	}
}

// take has the block be the next part of the data, which it maps if it can and if that is
// worth it.
func (b *block) take() {
	n := b.end - b.next
	if !b.unmapped && n >= cpBlock {
		mapped, err := unix.Mmap(b.in, b.next, int(min(n, cpMapped)), unix.PROT_READ, unix.MAP_SHARED)
		b.unmapped = err != nil
		b.mapped, b.rest = mapped, mapped
		populate(mapped)
	}
	if b.mapped == nil {
		b.behind = min(n, cpBlock)
	}
	b.next += int64(len(b.rest)) + b.behind
}

// populate has the kernel read what is mapped, as far as that works: the write tells what is
// missing. MAP_POPULATE would not do: where the disk fails it tries for ever.
func populate(mapped []byte) {
	if len(mapped) > 0 {
		unix.Madvise(mapped, unix.MADV_POPULATE_READ)
	}
}

// block is one block on its way.
type block struct {
	*transfer
	buf    liburing.Buffer
	off    int64  // of rest
	rest   []byte // what is to be written
	behind int64  // bytes that follow and have not been read
	mapped []byte // all of the block, or nil
}

// readRest reads what has not been read, or as much as the buffer holds.
func (b *block) readRest() {
	b.rest = b.buf.Bytes[:min(b.behind, int64(len(b.buf.Bytes)))]
	b.behind -= int64(len(b.rest))
	b.read(b.rest)
}

// unmap has what is left of a block be read: it can't be had from memory, and a read tells
// why.
func (b *block) unmap() {
	b.unmapped = true
	b.behind = int64(len(b.rest))
	b.release()
	b.readRest()
}

func (b *block) release() {
	if b.mapped != nil {
		b.err = errors.Join(b.err, os.NewSyscallError("munmap", unix.Munmap(b.mapped)))
		b.mapped = nil
	}
}

// read reads the part of the block that is missing.
func (b *block) read(missing []byte) {
	off := uint64(b.off) + uint64(len(b.rest)-len(missing))
	done := func(c liburing.Completion) {
		n, err := c.Result()
		switch {
		case err != nil || b.ctx.Err() != nil:
			b.finish(err)
		case n == 0:
			b.endsEarly(missing)
		case n < len(missing):
			b.read(missing[n:])
		default:
			b.write()
		}
	}
	if b.fixed {
		b.loop.ReadFixed(b.in, missing, off, b.buf.Index, done)
	} else {
		b.loop.Read(b.in, missing, off, done)
	}
}

// endsEarly ends the copy with what has been read if the file is one whose size
// is not what can be read.
func (b *block) endsEarly(missing []byte) {
	end := b.off + int64(len(b.rest)-len(missing))
	if err := stillReaches(b.in, b.size); err != nil {
		b.finish(err)
		return
	}
	b.rest, b.behind = b.rest[:len(b.rest)-len(missing)], 0
	b.ended = min(b.ended, end)
	b.next = b.size
	if len(b.rest) == 0 {
		b.finish(nil)
		return
	}
	b.write()
}

func (b *block) write() {
	fd, off := b.out, uint64(b.off)
	if b.fixed && b.mapped == nil {
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
	switch {
	case errors.Is(err, unix.EFAULT) && b.mapped != nil:
		b.unmap()
	case err != nil || b.ctx.Err() != nil:
		b.finish(err)
	case len(b.rest) > 0:
		b.write()
	case b.behind > 0:
		b.readRest()
	default:
		b.finish(nil)
	}
}

// finish gives the buffer back and begins the next block.
func (b *block) finish(err error) {
	if b.err == nil {
		b.err = err
	}
	if len(b.rest) > 0 || b.behind > 0 {
		b.whole = min(b.whole, b.off)
	}
	b.release()
	b.pool.Put(b.buf)
	b.start()
}
