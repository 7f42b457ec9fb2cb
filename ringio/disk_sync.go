//go:build linux

package ringio

import (
	"context"
	"io/fs"
	"runtime/trace"
	"sync"

	"github.com/go-liburing/liburing"
	"golang.org/x/sys/unix"
)

// sharing has calls that come while one is under way wait for the next, which does for
// all of them.
type sharing struct {
	mu       sync.Mutex
	ended    sync.Cond
	running  bool
	begun    uint64 // rounds
	finished uint64
	failed   uint64 // the last round that failed
	err      error  // how
}

// do returns when a round has ended that began after the call.
func (s *sharing) do(round func() error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended.L = &s.mu
	mine := s.begun + 1
	for s.finished < mine {
		if s.running {
			s.ended.Wait()
			continue
		}
		s.run(round)
	}
	if s.failed >= mine {
		return s.err
	}
	return nil
}

// run carries out a round, with the lock given back meanwhile.
func (s *sharing) run(round func() error) {
	s.running = true
	s.begun++
	s.mu.Unlock()
	err := round()
	s.mu.Lock()
	s.running = false
	s.finished = s.begun
	if err != nil {
		s.failed, s.err = s.finished, err
	}
	s.ended.Broadcast()
}

// sync has the disk keep what was written, or of that only the data.
func (d *disk) sync(ctx context.Context, dataOnly bool) (err error) {
	if trace.IsEnabled() {
		defer trace.StartRegion(ctx, "ringio.sync").End()
	}
	began := d.watch.begin()
	switch {
	case ctx.Err() != nil:
		err = ctx.Err()
	case ctx.Done() != nil:
		err = d.syncOnce(ctx, dataOnly)
	case dataOnly:
		err = d.syncs[1].do(func() error { return d.syncOnce(ctx, true) })
	default:
		err = d.syncs[0].do(func() error { return d.syncOnce(ctx, false) })
	}
	d.watch.end(kindSync, began)
	if err != nil {
		return &fs.PathError{Op: "sync", Path: d.name, Err: err}
	}
	return nil
}

func (d *disk) syncOnce(ctx context.Context, dataOnly bool) (err error) {
	if d.conn.Control(func(fd uintptr) { err = d.syncFD(ctx, int(fd), dataOnly) }) != nil {
		return fs.ErrClosed
	}
	return err
}

func (d *disk) syncFD(ctx context.Context, fd int, dataOnly bool) error {
	if ctx.Done() == nil {
		defer d.engine.syncs.Add(-1)
		if d.engine.syncs.Add(1); d.engine.syncsPlainly() {
			d.engine.yield.Look()
			return plainSync(fd, dataOnly)
		}
	}
	o := d.engine.acquire()
	defer d.engine.release(o)
	var flags liburing.FsyncFlags
	if dataOnly {
		flags = liburing.FsyncDatasync
	}
	o.entry().PrepFsync(fd, flags)
	o.forContext()
	if d.engine.submit(o) != nil {
		return plainSync(fd, dataOnly)
	}
	res := d.engine.waitContext(ctx, o)
	if res >= 0 {
		return nil
	}
	switch err := unix.Errno(-res); {
	case err != unix.ECANCELED && err != unix.EINTR:
		return err
	case ctx.Err() != nil:
		return ctx.Err()
	default:
		return plainSync(fd, dataOnly)
	}
}

func plainSync(fd int, dataOnly bool) error {
	call := unix.Fsync
	if dataOnly {
		call = unix.Fdatasync
	}
	for {
		if err := call(fd); err != unix.EINTR {
			return err
		}
	}
}
