// Cp copies a file through a Loop: it maps a few blocks at a time, has the kernel read
// each into memory, and writes it from where it is in the page cache. It is the
// counterpart of liburing's examples/io_uring-cp.c, which copies each block into a buffer
// of its own before it writes it.
//
// It teaches how requests follow each other per block while the blocks are independent
// of one another, how to handle short writes, and when memory may be given back.
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
	"golang.org/x/sys/unix"
)

// Few large blocks: a write of many pages costs the file system less than many writes do.
const (
	depth     = 4
	blockSize = 4 << 20
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
	defer func() { err = errors.Join(err, loop.Close(context.Background())) }()
	c := copier{loop: loop, in: in, out: out, size: size, bar: newProgress(size)}
	c.begin()
	err = loop.RunUntilIdle(ctx)
	c.bar.end()
	return errors.Join(err, c.err)
}

// copier has the state of one copy.
type copier struct {
	loop    *liburing.Loop
	in, out int
	size    int64
	next    int64 // where the next block begins
	blocks  int   // that are on their way
	reading bool  // one of them is being read
	done    int64 // bytes written
	err     error // the first; no block is begun after it
	bar     progress
}

// begin begins the next block, if it is its turn. The blocks are read one after the other,
// which is what a disk and its readahead do best, while others are written.
func (c *copier) begin() {
	if c.err != nil || c.next >= c.size || c.reading || c.blocks == depth {
		return
	}
	n := min(blockSize, c.size-c.next)
	mem, err := unix.Mmap(c.in, c.next, int(n), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		c.err = fmt.Errorf("it can't be mapped: %w", err) // in /sys, for one
		return
	}
	b := &block{copier: c, mem: mem, off: c.next, rest: mem}
	c.next += n
	c.blocks++
	b.read()
}

// block is one block on its way.
type block struct {
	*copier
	mem  []byte
	off  int64  // of rest
	rest []byte // what is to be written
}

// read has all of the block in memory. Kernels before 5.14 can't do that: they read each
// page when it is written.
func (b *block) read() {
	b.reading = true
	b.loop.Madvise(b.mem, unix.MADV_POPULATE_READ, func(c liburing.Completion) {
		b.reading = false
		if err := c.Err(); err != nil && !errors.Is(err, unix.EINVAL) {
			b.end(explain(err))
			return
		}
		b.write()
		b.begin()
	})
}

func (b *block) write() {
	b.loop.Write(b.out, b.rest, uint64(b.off), func(c liburing.Completion) {
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
		b.end(explain(err))
	})
}

// explain says what it means that mapped memory can't be had.
func explain(err error) error {
	if errors.Is(err, unix.EFAULT) {
		return fmt.Errorf("the file became shorter while it was copied, or the disk failed: %w", err)
	}
	return err
}

// end gives the memory back, which the kernel does not use any more, and begins the next
// block.
func (b *block) end(err error) {
	err = errors.Join(err, os.NewSyscallError("munmap", unix.Munmap(b.mem)))
	if b.err == nil {
		b.err = err
	}
	b.blocks--
	b.bar.show(b.done)
	b.begin()
}
