package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"time"

	"github.com/go-liburing/liburing"
	"golang.org/x/sys/unix"
)

const readBlock = 4 << 10

var depths = []int{1, 4, 16, 64}

// reads measures random reads of a file, with more and more of them in flight.
func (b *benchmark) reads(dir string, size int64) error {
	f, direct, err := testFile(b.ctx, dir, size)
	if err != nil || b.ctx.Err() != nil {
		return err
	}
	defer f.Close()
	c := chart{Title: "random reads of 4 KiB per second in " + dir}
	switch {
	case inMemory(f):
		c.Note = dir + " is in memory: these reads say nothing of a disk. Name a folder on one with -dir."
	case !direct:
		c.Note = dir + " refuses O_DIRECT: these reads go through the page cache and say little of a disk. Name a folder on one with -dir."
	}
	for _, depth := range depths {
		t, err := randomReads(b.ctx, f, size, depth, b.each)
		if err != nil || b.ctx.Err() != nil {
			return err
		}
		perSecond := t.perSecond()
		c.add(fmt.Sprintf("depth %d", depth), perSecond,
			fmt.Sprintf("%.0f MiB/s, %.0f us each", perSecond*readBlock/(1<<20), 1e6*float64(depth)/perSecond))
	}
	return b.add(c)
}

// checkFolder reports what is in the way of a file of that size in dir, before
// anything is measured.
func checkFolder(dir string, size int64) error {
	f, err := os.CreateTemp(dir, ".uring-bench-*")
	if err != nil {
		return fmt.Errorf("cannot make a file in %s: %w; another folder? (-dir)", dir, cause(err))
	}
	defer f.Close()
	if err := os.Remove(f.Name()); err != nil {
		return err
	}
	var fs unix.Statfs_t
	if err := unix.Fstatfs(liburing.FD(f), &fs); err != nil {
		return os.NewSyscallError("statfs", err)
	}
	if room := byteSize(fs.Bavail) * byteSize(fs.Bsize); fs.Blocks > 0 && int64(room) < size {
		return fmt.Errorf("%s has room for %d MiB, the file takes %d MiB: another folder (-dir), a smaller file (-size)?",
			dir, room>>20, size>>20)
	}
	return nil
}

// testFile makes a file of random bytes and returns it open for reading, past
// the page cache if the file system can. It loses its name at once, so it is
// gone when the program ends, however it does.
func testFile(ctx context.Context, dir string, size int64) (f *os.File, direct bool, err error) {
	w, err := os.CreateTemp(dir, ".uring-bench-*")
	if err != nil {
		return nil, false, fmt.Errorf("cannot make a file in %s: %w", dir, cause(err))
	}
	defer w.Close()
	f, direct, err = openDirect(w.Name())
	if err := errors.Join(err, os.Remove(w.Name())); err != nil {
		return nil, false, err
	}
	if err := writeRandom(ctx, w, size); err != nil {
		f.Close()
		return nil, false, fmt.Errorf("cannot write %d bytes in %s: %w; a smaller file? (-size)", size, dir, cause(err))
	}
	return f, direct, nil
}

// openDirect opens a file past the page cache, or else as usual.
func openDirect(name string) (f *os.File, direct bool, err error) {
	f, err = os.OpenFile(name, os.O_RDONLY|unix.O_DIRECT, 0)
	if errors.Is(err, unix.EINVAL) {
		f, err = os.Open(name)
		return f, false, err
	}
	return f, true, err
}

// writeRandom fills a file with bytes that no disk can make up.
func writeRandom(ctx context.Context, w *os.File, size int64) error {
	source := rand.NewChaCha8([32]byte{})
	chunk := make([]byte, 1<<20)
	for size > 0 && ctx.Err() == nil {
		n := min(size, int64(len(chunk)))
		source.Read(chunk[:n])
		if _, err := w.Write(chunk[:n]); err != nil {
			return err
		}
		size -= n
	}
	return w.Sync()
}

// inMemory reports whether a file lies in memory, where O_DIRECT means nothing.
func inMemory(f *os.File) bool {
	var fs unix.Statfs_t
	err := unix.Fstatfs(liburing.FD(f), &fs)
	kind := uint32(fs.Type) // which has a sign on some machines
	return err == nil && (kind == unix.TMPFS_MAGIC || kind == unix.RAMFS_MAGIC)
}

// randomReads keeps depth reads in flight.
func randomReads(ctx context.Context, f *os.File, size int64, depth int, each time.Duration) (t tally, err error) {
	pool, err := liburing.NewBufferPool(depth, readBlock)
	if err != nil {
		return tally{}, err
	}
	loop, err := liburing.NewLoop(depth)
	if err != nil {
		return tally{}, errors.Join(err, pool.Close())
	}
	r := reader{loop: loop, fd: liburing.FD(f), blocks: size / readBlock, watch: newStopwatch(ctx, each)}
	for i, buf := range pool.Buffers() {
		r.read(buf, i)
	}
	err = loop.Control(func(ring *liburing.Ring) error { return ring.RegisterBuffers(pool.Buffers()) })
	if err == nil {
		err = errors.Join(loop.RunUntilIdle(context.Background()), r.err)
	}
	t = r.watch.tally()
	return t, errors.Join(err, loop.Close(context.Background()), pool.Close())
}

// reader is a measurement of reads.
type reader struct {
	loop   *liburing.Loop
	fd     int
	blocks int64
	watch  *stopwatch
	err    error
}

// read reads a random block, and when that is done the next.
func (r *reader) read(buf []byte, index int) {
	off := uint64(rand.Int64N(r.blocks)) * readBlock
	r.loop.ReadFixed(r.fd, buf, off, index, func(c liburing.Completion) {
		n, err := c.Result()
		if err == nil && n < len(buf) {
			err = fmt.Errorf("%d bytes of %d were read at %d", n, len(buf), off)
		}
		if err != nil && r.err == nil {
			r.err = err
		}
		if !r.watch.isUp(1) && r.err == nil {
			r.read(buf, index)
		}
	})
}
