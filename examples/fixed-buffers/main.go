// Fixed-buffers copies a file through one registered buffer, from and to
// registered files.
//
// It teaches what registering saves: the kernel pins the buffer's memory and looks up
// the files once, not for each request. A registered file has a place and no longer
// needs a descriptor; Fixed names the place wherever a descriptor goes, and the program
// closes its own descriptors before it begins.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/examples/internal/filecopy"
	"golang.org/x/sys/unix"
)

const blockSize = 256 << 10

func main() {
	flag.Usage = func() {
		fmt.Fprintf(flag.CommandLine.Output(), "usage: fixed-buffers FROM TO\n\nCopies a file through a registered buffer and registered files.\n")
	}
	flag.Parse()
	if flag.NArg() != 2 {
		fmt.Fprintf(os.Stderr, "fixed-buffers: two file names are needed, not %d\n", flag.NArg())
		flag.Usage()
		os.Exit(2)
	}
	if err := filecopy.Copy(flag.Arg(0), flag.Arg(1), copyFile); err != nil {
		fmt.Fprintln(os.Stderr, "fixed-buffers:", err)
		os.Exit(1)
	}
}

// The places of the registered files, and of the registered buffer.
const (
	from liburing.Fixed = iota
	to
	buffer = 0
)

func copyFile(in, out int, size int64) (err error) {
	loop, err := liburing.NewLoop(4)
	if err != nil {
		return err
	}
	pool, err := liburing.NewBufferPool(1, blockSize)
	if err != nil {
		return errors.Join(err, loop.Close(context.Background()))
	}
	defer func() { err = errors.Join(err, loop.Close(context.Background()), pool.Close()) }()
	c := copier{loop: loop, buf: pool.Buffers()[buffer], left: size}
	if err := loop.Control(func(r *liburing.Ring) error { return c.register(r, in, out) }); err != nil {
		return err
	}
	c.read()
	return errors.Join(loop.RunUntilIdle(context.Background()), c.err)
}

// copier copies block by block.
type copier struct {
	loop *liburing.Loop
	buf  []byte
	off  uint64
	left int64
	err  error
}

// register hands the buffer and the files over. The kernel holds on to the files
// by itself, so copies of the descriptors do, which are closed at once.
func (c *copier) register(r *liburing.Ring, in, out int) error {
	fds := []int{in, out}
	for i, fd := range fds {
		own, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(own)
		fds[i] = own
	}
	return errors.Join(r.RegisterFiles(fds), r.RegisterBuffers([][]byte{c.buf}))
}

func (c *copier) read() {
	if c.left == 0 {
		return
	}
	block := c.buf[:min(int64(len(c.buf)), c.left)]
	c.loop.ReadFixed(from.FD(), block, c.off, buffer, func(done liburing.Completion) {
		n, err := done.Result()
		switch {
		case err != nil:
			c.err = err
		case n == 0:
			c.err = fmt.Errorf("the file became shorter while it was copied: %w", io.ErrUnexpectedEOF)
		default:
			c.write(block[:n])
		}
	})
}

// write writes a part of the registered buffer: its index goes with any part.
func (c *copier) write(rest []byte) {
	c.loop.WriteFixed(to.FD(), rest, c.off, buffer, func(done liburing.Completion) {
		n, err := done.Result()
		c.off += uint64(n)
		c.left -= int64(n)
		switch {
		case err != nil:
			c.err = err
		case n == 0:
			c.err = io.ErrShortWrite
		case n < len(rest):
			c.write(rest[n:])
		default:
			c.read()
		}
	})
}
