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

// round is what is done for all of them. As a function it would be allocated each time.
type round interface{ run() error }

// fullSyncs and dataSyncs are a disk whose rounds are syncs: of all, or only of the data.
type (
	fullSyncs disk
	dataSyncs disk
)

func (d *fullSyncs) run() error { return (*disk)(d).syncOnce(context.Background(), false) }
func (d *dataSyncs) run() error { return (*disk)(d).syncOnce(context.Background(), true) }

// do returns when a round has ended that began after the call.
func (s *sharing) do(shared round) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended.L = &s.mu
	mine := s.begun + 1
	for s.finished < mine {
		if s.running {
			s.ended.Wait()
			continue
		}
		s.run(shared)
	}
	if s.failed >= mine {
		return s.err
	}
	return nil
}

// run carries out a round, with the lock given back meanwhile.
func (s *sharing) run(shared round) {
	s.running = true
	s.begun++
	s.mu.Unlock()
	err := shared.run()
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
		err = d.syncs[1].do((*dataSyncs)(d))
	default:
		err = d.syncs[0].do((*fullSyncs)(d))
	}
	d.watch.end(kindSync, began)
	if err != nil {
		return &fs.PathError{Op: "sync", Path: d.name, Err: err}
	}
	return nil
}

// syncing is a sync that holds the descriptor. It is used again, because what is called while
// a descriptor is held would be allocated.
type syncing struct {
	*disk
	ctx      context.Context
	dataOnly bool
	err      error
	held     func(fd uintptr) // run, made once
}

var syncings = sync.Pool{New: func() any {
	s := new(syncing)
	s.held = s.run
	return s
}}

func (s *syncing) run(fd uintptr) { s.err = s.syncFD(s.ctx, int(fd), s.dataOnly) }

func (d *disk) syncOnce(ctx context.Context, dataOnly bool) (err error) {
	s := syncings.Get().(*syncing)
	s.disk, s.ctx, s.dataOnly = d, ctx, dataOnly
	if d.conn.Control(s.held) != nil {
		s.err = fs.ErrClosed
	}
	err = s.err
	*s = syncing{held: s.held}
	syncings.Put(s)
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
