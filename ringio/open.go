//go:build linux

package ringio

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// mayWait reports whether an open may wait for long: for a FIFO's other end.
func mayWait(name string, flag int) bool {
	if flag&unix.O_NONBLOCK != 0 {
		return false
	}
	var stat unix.Stat_t
	return unix.Stat(name, &stat) == nil && stat.Mode&unix.S_IFMT == unix.S_IFIFO
}

// openWaiting opens what may wait for long. What a name means, and who may open it, another
// thread may be told otherwise: it may have a namespace or a user of its own. So it is the
// caller's that asks, by an open that does not wait. It succeeds for one who reads, who
// then waits for another to write; for one who writes it says that nobody reads.
func (e *Engine) openWaiting(ctx context.Context, name string, flag int, perm fs.FileMode) (*os.File, error) {
	fd, err := openNow(name, flag, perm)
	switch access := flag & unix.O_ACCMODE; {
	case err == unix.ENXIO && access == unix.O_WRONLY:
		fd, err = e.openForReader(ctx, name, flag, perm)
	case err == nil && access == unix.O_RDONLY && isFIFO(fd):
		if err = e.awaitWriter(ctx, fd, name); err != nil {
			unix.Close(fd)
		}
	}
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return os.NewFile(uintptr(fd), name), nil
}

// openNow opens without waiting for a FIFO's other end.
func openNow(name string, flag int, perm fs.FileMode) (fd int, err error) {
	for {
		fd, err = unix.Open(name, flag|unix.O_NONBLOCK|unix.O_CLOEXEC, uint32(perm.Perm()))
		if err != unix.EINTR {
			return fd, err
		}
	}
}

func isFIFO(fd int) bool {
	var stat unix.Stat_t
	return unix.Fstat(fd, &stat) == nil && stat.Mode&unix.S_IFMT == unix.S_IFIFO
}

// awaitWriter returns when somebody writes the FIFO that fd reads: then another open, which
// waits, has ended.
func (e *Engine) awaitWriter(ctx context.Context, fd int, name string) error {
	if again, err := e.reopen(ctx, fd, unix.O_RDONLY); err == nil {
		unix.Close(again)
		return nil
	} else if ctx.Err() != nil {
		return ctx.Err()
	}
	f, err := openInBackground(ctx, name, unix.O_RDONLY, 0)
	if err != nil {
		return err.(*fs.PathError).Err
	}
	return f.Close()
}

// openForReader opens a FIFO for writing when somebody reads it.
func (e *Engine) openForReader(ctx context.Context, name string, flag int, perm fs.FileMode) (int, error) {
	if found, err := unix.Open(name, unix.O_PATH|unix.O_CLOEXEC|flag&unix.O_NOFOLLOW, 0); err == nil {
		fd, err := e.reopen(ctx, found, flag&^(unix.O_NOFOLLOW|unix.O_CREAT|unix.O_EXCL))
		unix.Close(found)
		if err == nil {
			return fd, unix.SetNonblock(fd, true)
		}
	}
	for pause := time.Millisecond; ; pause = min(2*pause, 20*time.Millisecond) {
		select {
		case <-ctx.Done():
			return -1, ctx.Err()
		case <-time.After(pause):
		}
		if fd, err := openNow(name, flag, perm); err != unix.ENXIO || !mayWait(name, flag) {
			return fd, err
		}
	}
}

// reopen opens what fd is by a ring. It fails where there is none, no /proc, or no thread of
// the kernel's to be had.
func (e *Engine) reopen(ctx context.Context, fd, flag int) (int, error) {
	ring := e.pick()
	if ring == nil {
		return -1, errNoRing
	}
	self := ring.registerSelf()
	defer ring.unregister(self)
	return ring.open(ctx, fdPath(fd), flag, self)
}

// fdPath is where a descriptor can be opened again.
func fdPath(fd int) string { return fmt.Sprintf("/proc/self/fd/%d", fd) }

// registerSelf has the ring know who the thread is, for requests that another one submits,
// and returns the name of that, which is zero if the kernel refuses.
func (e *engine) registerSelf() (personality uint16) {
	e.mu.Lock()
	defer e.unlock()
	if !e.ended {
		personality, _ = e.ring.RegisterPersonality()
	}
	return personality
}

func (e *engine) unregister(personality uint16) {
	e.mu.Lock()
	defer e.unlock()
	if !e.ended && personality != 0 {
		e.ring.UnregisterPersonality(personality)
	}
}

// open opens a path as the one that personality names, and returns the descriptor.
func (e *engine) open(ctx context.Context, path string, flag int, personality uint16) (int, error) {
	zeroed := append([]byte(path), 0)
	for {
		o := e.acquire()
		o.hold(zeroed)
		sqe := o.entry()
		sqe.PrepOpenat(unix.AT_FDCWD, &zeroed[0], flag|unix.O_CLOEXEC|unix.O_LARGEFILE, 0)
		sqe.Personality = personality
		o.forContext()
		res, err := int32(0), e.submit(o)
		if err == nil {
			res = e.waitContext(ctx, o)
		}
		e.release(o)
		switch errno := unix.Errno(-res); {
		case err != nil:
			return -1, err
		case res >= 0:
			return int(res), nil
		case ctx.Err() != nil && (errno == unix.ECANCELED || errno == unix.EINTR):
			return -1, ctx.Err()
		case errno != unix.EINTR:
			return -1, errno
		}
	}
}
