//go:build linux

package ringio

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"slices"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// unshared is the lock of a position that no ring's request moves.
type unshared struct{}

func (unshared) Lock()   {}
func (unshared) Unlock() {}

// positionOf returns the lock of a file's position.
func positionOf(v any) sync.Locker {
	if d := diskOf(v); d != nil {
		return &d.position
	}
	return unshared{}
}

// watchOf returns the watch of the first that has one.
func watchOf(all ...any) *watch {
	for _, v := range all {
		if f := fileOf(v); f != nil && f.engine != nil {
			return &f.engine.watch
		}
	}
	return new(watch)
}

// maxRange is the most that is copied while nobody else can move the positions.
const maxRange = 16 << 20

// rangeCopy is a copy by copy_file_range(2), which moves the positions of both files and has
// no lock for that.
type rangeCopy struct {
	from, to  syscall.RawConn
	positions []*disk // in the order in which their locks are taken
	left, n   int64
}

// copyRange copies to a file what r has. It is not handled, as a whole or from some byte on,
// if r is no file, nor a part of one, or the system can't.
func copyRange(to file, r io.Reader) (n int64, handled bool, err error) {
	c := rangeCopy{left: 1 << 62}
	part, limited := r.(*io.LimitedReader)
	if limited {
		r, c.left = part.R, part.N
	}
	from, ok := r.(file)
	if none, is := r.(*File); !ok || is && none == nil {
		return 0, false, nil
	}
	if c.to, err = to.SyscallConn(); err != nil || appends(c.to) {
		return 0, false, nil
	}
	if c.from, err = from.SyscallConn(); err != nil {
		return 0, false, nil
	}
	c.positions = inOrder(diskOf(from), diskOf(to))
	s := watchOf(to, from).start(context.Background(), kindWrite)
	handled, err = c.run()
	s.end()
	if limited {
		part.N = c.left
	}
	if err != nil {
		err = &fs.PathError{Op: "write", Path: to.Name(), Err: err}
	}
	return c.n, handled, err
}

// file is an os.File or a File, or what they make of themselves for io.Copy.
type file interface {
	fileReader
	Name() string
}

// inOrder returns the disks that there are, in an order that is the same for all.
func inOrder(a, b *disk) (all []*disk) {
	if a != nil && b != nil && a.number > b.number {
		a, b = b, a
	}
	if a != nil {
		all = append(all, a)
	}
	if b != nil && b != a {
		all = append(all, b)
	}
	return all
}

// run copies until the end. What can't be done at all is not handled, and left to reads and
// writes, as os.File does.
func (c *rangeCopy) run() (handled bool, err error) {
	for c.left > 0 {
		n, err := c.some()
		switch {
		case err == nil && n > 0:
			c.n += int64(n)
			c.left -= int64(n)
		case err == nil:
			return c.n > 0, nil // the end, or a file of which it can't be told
		case err == fs.ErrClosed:
			return true, err
		case slices.Contains(cannot, err):
			return false, nil
		default:
			return true, os.NewSyscallError("copy_file_range", err)
		}
	}
	return true, nil
}

// cannot are the errors that mean that reads and writes may succeed all the same, or are to
// tell what is wrong.
var cannot = []error{os.ErrDeadlineExceeded, unix.ENOSYS, unix.EXDEV, unix.EINVAL, unix.EIO, unix.EOPNOTSUPP, unix.EPERM}

// some makes one system call, with the locks held: os.File's as it takes them, then those of
// the positions, see transfer.moveAtPosition.
func (c *rangeCopy) some() (n int, err error) {
	failed := fs.ErrClosed
	var noRead error
	noWrite := c.to.Write(func(to uintptr) bool {
		noRead = c.from.Read(func(from uintptr) bool {
			for _, d := range c.positions {
				d.position.Lock()
				defer d.position.Unlock()
			}
			for {
				n, failed = unix.CopyFileRange(int(from), nil, int(to), nil, int(min(c.left, maxRange)), 0)
				if failed != unix.EINTR {
					return true
				}
			}
		})
		return true
	})
	if errors.Is(errors.Join(noWrite, noRead), os.ErrDeadlineExceeded) {
		failed = os.ErrDeadlineExceeded
	}
	return max(n, 0), failed
}
