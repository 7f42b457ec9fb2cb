package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/go-liburing/liburing"
	"golang.org/x/sys/unix"
)

// file copies a regular file. The copy grows under another name in the target's
// folder, so that its own name never stands for half a file.
func (c *copier) file(from, to string) error {
	if _, err := os.Lstat(to); c.keep && err == nil {
		return nil
	}
	in, info, err := openFile(from)
	if err != nil {
		return err
	}
	defer in.Close()
	path, err := replaceable(info, from, to)
	if err != nil {
		return err
	}
	folder := filepath.Dir(path)
	out, err := os.CreateTemp(folder, ".uring-cp-*")
	if err != nil {
		return fmt.Errorf("cannot make a file in %s: %w", folder, cause(err))
	}
	err = c.fill(out, in, info, path)
	err = errors.Join(err, out.Close())
	if err == nil {
		err = os.Rename(out.Name(), path)
	}
	if err != nil {
		os.Remove(out.Name())
		return err
	}
	if path != to { // a link has led out of the folder that is settled in the end
		return c.settleFolder(folder)
	}
	return nil
}

// openFile opens a regular file. Others might have no end, or none to read.
func openFile(path string) (*os.File, fs.FileInfo, error) {
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a regular file: `uring cat` shows what it yields", path)
	}
	if err != nil {
		return nil, nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	info, err = f.Stat()
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return f, info, nil
}

// replaceable returns the path that the copy goes to, symbolic links followed.
// It refuses a target that would be lost, or is none.
func replaceable(from fs.FileInfo, source, to string) (string, error) {
	path, err := filepath.EvalSymlinks(to)
	if errors.Is(err, os.ErrNotExist) {
		if _, err := os.Lstat(to); err == nil {
			return "", fmt.Errorf("%s is a symbolic link to what is not there: remove it first", to)
		}
		return to, nil
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w", to, cause(err))
	}
	there, err := os.Stat(path)
	switch {
	case err != nil:
		return "", err
	case os.SameFile(from, there):
		return "", fmt.Errorf("%s and %s are the same file", source, to)
	case there.IsDir():
		return "", fmt.Errorf("%s is a folder: name the copy, such as %s", to, filepath.Join(to, filepath.Base(source)))
	case !there.Mode().IsRegular():
		return "", fmt.Errorf("%s is not a regular file and would be lost: choose another name, or `uring cat %s > %s`", to, source, to)
	}
	return path, nil
}

// fill gives out the content of in, and what else is to be kept of it.
func (c *copier) fill(out, in *os.File, info fs.FileInfo, to string) error {
	err := c.content(out, in, info.Size())
	switch {
	case c.ctx.Err() != nil:
		return errInterrupted
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT):
		return fmt.Errorf("%s: %w: make room there; what was there before is as it was", to, cause(err))
	case errors.Is(err, unix.EFBIG):
		return fmt.Errorf("%s: %w: raise `ulimit -f`, or choose a file system that takes files of %d bytes", to, cause(err), info.Size())
	case err != nil:
		return fmt.Errorf("%s to %s: %w", in.Name(), to, err)
	}
	if err := c.like(out, info); err != nil {
		return err
	}
	return c.settle(out)
}

// like gives a file or folder the permissions of another, and with -p its
// owner and times.
func (c *copier) like(f *os.File, info fs.FileInfo) error {
	mode := info.Mode().Perm()
	if !c.preserve {
		return f.Chmod(mode)
	}
	stat := info.Sys().(*syscall.Stat_t)
	special := info.Mode() & (fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky)
	err := f.Chown(int(stat.Uid), int(stat.Gid))
	if errors.Is(err, unix.EPERM) {
		// Somebody else's program must not run with our rights.
		err, special = nil, special&fs.ModeSticky
	}
	if err := errors.Join(err, f.Chmod(mode|special)); err != nil {
		return err
	}
	return setTimes(f.Name(), stat, 0)
}

// setTimes gives what has the path the times of another; flags are those of
// utimensat(2).
func setTimes(path string, stat *syscall.Stat_t, flags int) error {
	times := []unix.Timespec{unix.Timespec(stat.Atim), unix.Timespec(stat.Mtim)}
	return os.NewSyscallError("utimensat", unix.UtimesNanoAt(unix.AT_FDCWD, path, times, flags))
}

// settle has a file or folder on the disk if that is wanted.
func (c *copier) settle(f *os.File) (err error) {
	if !c.sync {
		return nil
	}
	c.loop.Fsync(int(f.Fd()), 0, func(done liburing.Completion) {
		if done.Err() != nil {
			err = fmt.Errorf("%s: %w", f.Name(), done.Err())
		}
	})
	return errors.Join(c.loop.RunUntilIdle(context.Background()), err)
}

func (c *copier) settleFolder(path string) error {
	if !c.sync {
		return nil
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return c.settle(f)
}

// cause returns the errno of an error if it has one.
func cause(err error) error {
	if errno := unix.Errno(0); errors.As(err, &errno) {
		return errno
	}
	return err
}
