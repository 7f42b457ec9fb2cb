package main

import (
	"context"
	"os"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// cpShort is up to which size a file is copied by one read and one write.
const cpShort = 256 << 10

// copier copies files. Short ones are read and written by system calls,
// several at once: to the ring they would be worth a worker thread for each call
// that makes something. Longer ones go through the ring, one after the
// other, each with several blocks at once.
type copier struct {
	cpOptions
	ctx   context.Context
	umask uint32
	limit uint64      // of a file's size
	over  atomic.Bool // nothing more is begun
	bar   progress
	turn  sync.Mutex // for the ring
	ring  *cpRing    // nil until it is needed
}

func newCopier(ctx context.Context, o cpOptions) *copier {
	c := &copier{cpOptions: o, ctx: ctx, bar: progress{terminal: isTerminal()}, limit: unix.RLIM_INFINITY}
	c.umask = uint32(unix.Umask(0o077))
	unix.Umask(int(c.umask))
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_FSIZE, &limit) == nil {
		c.limit = limit.Cur
	}
	return c
}

// close gives back the ring.
func (c *copier) close() error {
	if c.ring == nil {
		return nil
	}
	return c.ring.close()
}

// content copies what is in a file, and returns how many bytes from the start
// have been copied for sure. Both may be no files, the copy if intoFile is false.
func (c *copier) content(out int, in original, to place, intoFile bool) (copied int64, err error) {
	isFile := kindOf(&in.info) == 0
	if isFile && in.info.Size <= cpShort && !isSparse(&in.info) {
		return c.short(out, in)
	}
	if isFile && intoFile && again(func() error { return unix.IoctlFileClone(out, in.fd) }) == nil {
		c.bar.add(in.info.Size) // the file system has both share their blocks
		return in.info.Size, nil
	}
	c.turn.Lock()
	defer c.turn.Unlock()
	if c.ring == nil {
		if c.ring, err = newCpRing(); err != nil {
			return 0, err
		}
	}
	if !isFile || !intoFile {
		return 0, c.ring.stream(c.ctx, out, in, to)
	}
	t := transfer{cpRing: c.ring, ctx: c.ctx, bar: &c.bar, in: in.fd, out: out, size: in.info.Size, ended: in.info.Size, whole: in.info.Size}
	t.unmapped = !isStored(&in.info)
	return t.run()
}

// isStored reports whether a file takes room in its file system. Those of /sys don't: some
// are the registers of a device (a PCI device's resource0), which can be mapped but refuse
// to be read, and to look at one may change it.
func isStored(info *unix.Stat_t) bool { return info.Blocks > 0 }

// isSparse reports whether a file may have holes that are worth keeping.
func isSparse(info *unix.Stat_t) bool { return info.Size > 4096 && info.Blocks*512 < info.Size }

// shortBuffers are buffers for a short file and a byte, which tells that there is more.
var shortBuffers = sync.Pool{New: func() any { b := make([]byte, cpShort+1); return &b }}

// short copies a file that fits in a buffer. One that says it is empty may not be
// so, in /proc for example, and is read until it ends.
func (c *copier) short(out int, in original) (copied int64, err error) {
	buf := shortBuffers.Get().(*[]byte)
	defer shortBuffers.Put(buf)
	for {
		n, err := readSome(in.fd, *buf)
		if err != nil {
			return copied, os.NewSyscallError("read", err)
		}
		if n == 0 {
			return copied, stillReaches(in.fd, in.info.Size)
		}
		if err := writeAll(out, (*buf)[:n]); err != nil {
			return copied, os.NewSyscallError("write", err)
		}
		copied += int64(n)
		c.bar.add(int64(n))
		if n < len(*buf) && copied == in.info.Size {
			return copied, nil // it is a file that knows its size
		}
		if c.ctx.Err() != nil {
			return copied, errInterrupted
		}
	}
}

func readSome(fd int, buf []byte) (n int, err error) {
	err = again(func() (err error) { n, err = unix.Read(fd, buf); return err })
	return n, err
}

func writeAll(fd int, buf []byte) error {
	for len(buf) > 0 {
		n, err := unix.Write(fd, buf)
		if err != nil && err != unix.EINTR {
			return err
		}
		buf = buf[max(n, 0):]
	}
	return nil
}
