// Link-cp copies a file with pairs of linked requests: the kernel begins the write of a
// block when its read has completed, without the program's help. It is the counterpart
// of liburing's examples/link-cp.c.
//
// It teaches SQEIOLink on a Ring: both requests of a pair go with the same submission,
// and a read that fails or is short cancels the write after it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/examples/internal/filecopy"
)

const (
	depth     = 32 // blocks in flight
	blockSize = 32 << 10
)

func main() {
	flag.Usage = func() {
		fmt.Fprintf(flag.CommandLine.Output(), "usage: link-cp FROM TO\n\nCopies a file by linked reads and writes through io_uring.\n")
	}
	flag.Parse()
	if flag.NArg() != 2 {
		fmt.Fprintf(os.Stderr, "link-cp: two file names are needed, not %d\n", flag.NArg())
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	err := filecopy.Copy(flag.Arg(0), flag.Arg(1), func(in, out int, size int64) error {
		return copyBlocks(ctx, in, out, size)
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, "link-cp:", err)
		os.Exit(1)
	}
}

func copyBlocks(ctx context.Context, in, out int, size int64) error {
	runtime.LockOSThread() // requests depend on the thread that submitted them
	defer runtime.UnlockOSThread()
	ring, err := liburing.New(2 * depth)
	if err != nil {
		return err
	}
	defer ring.Close()
	c := copier{ring: ring, in: in, out: out, size: size}
	for i := range c.blocks {
		c.begin(i)
	}
	for c.inFlight > 0 {
		if _, err := ring.SubmitAndWait(1); err != nil {
			return err
		}
		for cqe := range ring.CQEs() {
			c.completed(cqe)
		}
		if c.err == nil {
			c.err = ctx.Err()
		}
	}
	return c.err
}

// copier has the state of one copy.
type copier struct {
	ring     *liburing.Ring
	in, out  int
	size     int64
	next     int64 // where the next block begins
	blocks   [depth]block
	inFlight int   // requests
	err      error // the first; no block is begun after it
}

// block is one block on its way.
type block struct {
	off           int64
	buf           []byte
	read, written int // bytes
	awaited       int // completions
}

// begin has place i of the blocks take the next part of the file.
func (c *copier) begin(i int) {
	b := &c.blocks[i]
	n := min(blockSize, c.size-c.next)
	if n == 0 || c.err != nil {
		return
	}
	if b.buf == nil {
		b.buf = make([]byte, blockSize)
	}
	*b = block{off: c.next, buf: b.buf[:n]}
	c.next += n
	c.queue(i)
}

// What a request's user data says beside the block's place.
const (
	isRead = iota
	isWrite
	kinds
)

// queue makes the requests that block i still needs: a read of what is missing,
// linked to the write, which begins only if the read fills the block. There is
// room for both: no block has more than two requests, and the queue two places
// for each.
func (c *copier) queue(i int) {
	b := &c.blocks[i]
	if b.read < len(b.buf) {
		sqe := c.ring.GetSQE()
		sqe.PrepRead(c.in, b.buf[b.read:], uint64(b.off)+uint64(b.read))
		sqe.SetFlags(liburing.SQEIOLink)
		sqe.SetData64(uint64(i*kinds + isRead))
		b.awaited++
	}
	sqe := c.ring.GetSQE()
	sqe.PrepWrite(c.out, b.buf[b.written:], uint64(b.off)+uint64(b.written))
	sqe.SetData64(uint64(i*kinds + isWrite))
	b.awaited++
	c.inFlight += b.awaited
}

// completed takes a completion. When it was a block's last, the block is done,
// or what is missing is queued again.
func (c *copier) completed(cqe *liburing.CQE) {
	i, kind := int(cqe.UserData/kinds), cqe.UserData%kinds
	b := &c.blocks[i]
	if err := b.account(kind, int(cqe.Res), cqe.Err()); c.err == nil {
		c.err = err
	}
	b.awaited--
	c.inFlight--
	switch {
	case b.awaited > 0 || c.err != nil:
	case b.written < len(b.buf):
		c.queue(i)
	default:
		c.begin(i)
	}
}

// account adds a request's result to the block's.
func (b *block) account(kind uint64, n int, err error) error {
	switch {
	case errors.Is(err, syscall.ECANCELED):
		return nil // the read was short, or failed and told so itself
	case err != nil:
		return err
	case kind == isRead && n == 0:
		return fmt.Errorf("the file became shorter while it was copied: %w", io.ErrUnexpectedEOF)
	case kind == isRead:
		b.read += n
	case n == 0:
		return io.ErrShortWrite
	default:
		b.written += n
	}
	return nil
}
