// Cp copies a file through a Loop: several reads and writes in flight, each block
// written as soon as it has been read, in buffers that are registered with the
// kernel. It is the counterpart of liburing's examples/io_uring-cp.c.
//
// It teaches how requests follow each other per block while the blocks are independent
// of one another, and how to handle short reads and writes.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/examples/internal/filecopy"
)

// Few large blocks: a write of many pages costs the file system less than many writes
// do, as long as what was read is still in the processor's cache when it is written.
const (
	depth     = 4
	blockSize = 512 << 10
)

func main() {
	flag.Usage = func() {
		fmt.Fprintf(flag.CommandLine.Output(), "usage: cp FROM TO\n\nCopies a file through io_uring.\n")
	}
	flag.Parse()
	if flag.NArg() != 2 {
		fmt.Fprintf(os.Stderr, "cp: two file names are needed, not %d\n", flag.NArg())
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	err := filecopy.Copy(flag.Arg(0), flag.Arg(1), func(in, out int, size int64) error {
		return copyBlocks(ctx, in, out, size)
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, "cp:", err)
		os.Exit(1)
	}
}

func copyBlocks(ctx context.Context, in, out int, size int64) (err error) {
	loop, err := liburing.NewLoop(2 * depth)
	if err != nil {
		return err
	}
	pool, err := liburing.NewBufferPool(depth, blockSize)
	if err != nil {
		return errors.Join(err, loop.Close(context.Background()))
	}
	defer func() { err = errors.Join(err, loop.Close(context.Background()), pool.Close()) }()
	if err := loop.Control(func(r *liburing.Ring) error { return r.RegisterBuffers(pool.Buffers()) }); err != nil {
		return err
	}
	c := copier{loop: loop, pool: pool, in: in, out: out, size: size, bar: newProgress(size)}
	c.start()
	err = loop.RunUntilIdle(ctx)
	c.bar.end()
	return errors.Join(err, c.err)
}

// copier has the state of one copy.
type copier struct {
	loop    *liburing.Loop
	pool    *liburing.BufferPool
	in, out int
	size    int64
	next    int64 // where the next block begins
	done    int64 // bytes written
	err     error // the first; no block is begun after it
	bar     progress
}

// start begins a block for every free buffer.
func (c *copier) start() {
	for c.err == nil && c.next < c.size {
		buf, ok := c.pool.Get()
		if !ok {
			return
		}
		n := min(int64(len(buf.Bytes)), c.size-c.next)
		b := &block{copier: c, buf: buf, off: c.next, rest: buf.Bytes[:n]}
		c.next += n
		b.read(b.rest)
	}
}

// block is one block on its way.
type block struct {
	*copier
	buf  liburing.Buffer
	off  int64  // of rest
	rest []byte // what is to be written
}

// read reads the part of the block that is missing.
func (b *block) read(missing []byte) {
	off := uint64(b.off) + uint64(len(b.rest)-len(missing))
	b.loop.ReadFixed(b.in, missing, off, b.buf.Index, func(c liburing.Completion) {
		n, err := c.Result()
		switch {
		case err != nil:
			b.end(err)
		case n == 0:
			b.end(fmt.Errorf("the file became shorter while it was copied: %w", io.ErrUnexpectedEOF))
		case n < len(missing):
			b.read(missing[n:])
		default:
			b.write()
		}
	})
}

func (b *block) write() {
	b.loop.WriteFixed(b.out, b.rest, uint64(b.off), b.buf.Index, func(c liburing.Completion) {
		n, err := c.Result()
		if err == nil && n == 0 {
			err = io.ErrShortWrite
		}
		b.rest = b.rest[n:]
		b.off += int64(n)
		b.done += int64(n)
		if err == nil && len(b.rest) > 0 {
			b.write()
			return
		}
		b.end(err)
	})
}

// end gives the buffer back and begins the next block.
func (b *block) end(err error) {
	if b.err == nil {
		b.err = err
	}
	b.pool.Put(b.buf)
	b.bar.show(b.done)
	b.start()
}
