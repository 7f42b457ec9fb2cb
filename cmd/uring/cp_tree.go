package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// totalSize adds up the sizes of files and of those in folders. What cannot be
// read is left out: it is for the progress bar only.
func totalSize(paths []string) (size int64) {
	for _, path := range paths {
		if real, err := filepath.EvalSymlinks(path); err == nil {
			path = real
		}
		filepath.WalkDir(path, func(_ string, e fs.DirEntry, err error) error {
			if err == nil && e.Type().IsRegular() {
				if info, err := e.Info(); err == nil {
					size += info.Size()
				}
			}
			return nil
		})
	}
	return size
}

// folder copies a folder and goes on after what cannot be copied, unless the
// rest would fail as well.
func (c *copier) folder(from, to string, info fs.FileInfo) error {
	made, err := makeFolder(to)
	if err != nil {
		return err
	}
	entries, err := os.ReadDir(from)
	errs := []error{err}
	for _, e := range entries {
		err := c.entry(filepath.Join(from, e.Name()), filepath.Join(to, e.Name()), e)
		errs = append(errs, err)
		if hopeless(err) {
			break
		}
	}
	if made || c.preserve {
		errs = append(errs, c.likeFolder(to, info))
	}
	return errors.Join(append(errs, c.settleFolder(to))...)
}

// makeFolder makes a folder that can be written to until it has its contents.
func makeFolder(path string) (made bool, err error) {
	err = os.Mkdir(path, 0o700)
	if errors.Is(err, os.ErrExist) {
		if there, err := os.Stat(path); err == nil && there.IsDir() {
			return false, nil
		}
		return false, fmt.Errorf("%s is there and is not a folder: remove it, or choose another name", path)
	}
	return err == nil, err
}

// entry copies what a folder contains.
func (c *copier) entry(from, to string, e fs.DirEntry) error {
	switch {
	case c.ctx.Err() != nil:
		return errInterrupted
	case e.IsDir():
		info, err := e.Info()
		if err != nil {
			return err
		}
		return c.folder(from, to, info)
	case e.Type()&fs.ModeSymlink != 0:
		return c.symlink(from, to)
	}
	return c.file(from, to)
}

// symlink makes a link that points where another does.
func (c *copier) symlink(from, to string) error {
	target, err := os.Readlink(from)
	if err != nil {
		return err
	}
	err = os.Symlink(target, to)
	if err == nil && c.preserve {
		return likeLink(from, to)
	}
	if !errors.Is(err, os.ErrExist) {
		return err
	}
	if there, err := os.Readlink(to); c.keep || err == nil && there == target {
		return nil
	}
	return fmt.Errorf("%s is there and would be lost: remove it, or keep it with -n", to)
}

// likeLink gives a symbolic link the owner, as far as allowed, and the times of
// another.
func likeLink(from, to string) error {
	info, err := os.Lstat(from)
	if err != nil {
		return err
	}
	stat := info.Sys().(*syscall.Stat_t)
	err = os.Lchown(to, int(stat.Uid), int(stat.Gid))
	if errors.Is(err, unix.EPERM) {
		err = nil
	}
	return errors.Join(err, setTimes(to, stat, unix.AT_SYMLINK_NOFOLLOW))
}

// likeFolder gives a folder what is to be kept of another.
func (c *copier) likeFolder(path string, info fs.FileInfo) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return c.like(f, info)
}

// hopeless reports whether after an error other files would fail as well: the
// user does not want them, or there is no room.
func hopeless(err error) bool {
	return errors.Is(err, errInterrupted) || errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT)
}
