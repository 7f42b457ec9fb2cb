//go:build linux

package ringio

import (
	"context"
	"fmt"
	"io/fs"
	"os"

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

// openWaiting opens by the ring what waits for long. The name is looked up here: it may
// mean something else to another thread, which has a namespace or a user of its own.
func (e *Engine) openWaiting(ctx context.Context, name string, flag int, perm fs.FileMode) (*os.File, error) {
	ring := e.pick()
	if ring == nil {
		return openInBackground(ctx, name, flag, perm)
	}
	found, err := unix.Open(name, unix.O_PATH|unix.O_CLOEXEC|flag&unix.O_NOFOLLOW, 0)
	if err != nil {
		return os.OpenFile(name, flag, perm)
	}
	defer unix.Close(found)
	fd, err := ring.open(ctx, fmt.Sprintf("/proc/self/fd/%d", found), flag&^(unix.O_NOFOLLOW|unix.O_CREAT|unix.O_EXCL))
	if err == unix.ECANCELED && ctx.Err() == nil { // no thread of the kernel's can be had
		return openInBackground(ctx, name, flag, perm)
	}
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	unix.SetNonblock(fd, true)
	return os.NewFile(uintptr(fd), name), nil
}

// open opens a path and returns the descriptor.
func (e *engine) open(ctx context.Context, path string, flag int) (int, error) {
	zeroed := append([]byte(path), 0)
	for {
		o := e.acquire()
		o.hold(zeroed)
		o.entry().PrepOpenat(unix.AT_FDCWD, &zeroed[0], flag|unix.O_CLOEXEC|unix.O_LARGEFILE, 0)
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
