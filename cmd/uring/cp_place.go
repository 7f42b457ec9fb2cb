package main

import (
	"errors"
	"io/fs"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// place is a name in a folder. The folder is a descriptor, so that it stays the
// same one whatever happens to its path meanwhile.
type place struct {
	folder int    // or unix.AT_FDCWD
	name   string // as seen from the folder
	path   string // what messages call it
}

// at returns the place of a path.
func at(path string) place { return place{unix.AT_FDCWD, path, path} }

// child returns a name in the folder that has been opened at the place.
func (p place) child(folder int, name string) place {
	return place{folder, name, strings.TrimSuffix(p.path, "/") + "/" + name}
}

// folderOf returns the path of the folder that a path's last name is in. Unlike
// filepath.Dir it leaves ".." to the kernel, which knows of symbolic links.
func folderOf(path string) string {
	path = strings.TrimRight(path, "/")
	switch i := strings.LastIndexByte(path, '/'); {
	case i > 0:
		return path[:i]
	case i == 0 || path == "":
		return "/"
	}
	return "."
}

// failed makes the error of a system call. No error stays none.
func (p place) failed(op string, err error) error {
	if err == nil {
		return nil
	}
	return &fs.PathError{Op: op, Path: p.path, Err: err}
}

func (p place) stat(flags int) (info unix.Stat_t, err error) {
	err = again(func() error { return unix.Fstatat(p.folder, p.name, &info, flags) })
	return info, p.failed("stat", err)
}

func (p place) open(flags int, mode uint32) (fd int, err error) {
	err = again(func() (err error) {
		fd, err = unix.Openat(p.folder, p.name, flags|unix.O_CLOEXEC, mode)
		return err
	})
	return fd, p.failed("open", err)
}

// again calls a function until no signal comes in between.
func again(f func() error) error {
	for {
		if err := f(); err != unix.EINTR {
			return err
		}
	}
}

var (
	temporaryStart = rand.Uint64()
	temporaryCount atomic.Uint64
)

// temporary returns another name in the same folder that nobody can guess.
func (p place) temporary() place {
	name := ".uring-cp-" + strconv.FormatUint(temporaryStart+temporaryCount.Add(1), 36)
	if dir := folderOf(p.name); dir != "." {
		name = dir + "/" + name
	}
	return place{p.folder, name, p.path}
}

// make has something made under another name, and gives it the place's when it
// is whole: the name never stands for half of it. Without replace what has come
// to the place meanwhile is left alone.
func (p place) make(replace bool, do func(temporary place) (whole bool, err error)) error {
	temporary := p.temporary()
	whole, err := do(temporary)
	if whole {
		failed := p.failed("create", temporary.rename(p, replace))
		whole, err = failed == nil, errors.Join(err, failed)
	}
	if !whole {
		unix.Unlinkat(temporary.folder, temporary.name, 0)
	}
	return err
}

func (p place) rename(to place, replace bool) error {
	flags := uint(unix.RENAME_NOREPLACE)
	if replace {
		flags = 0
	}
	err := again(func() error { return unix.Renameat2(p.folder, p.name, to.folder, to.name, flags) })
	if err != unix.EINVAL || replace {
		return err
	}
	// The file system can't do it in one step.
	if _, err := to.stat(unix.AT_SYMLINK_NOFOLLOW); err == nil {
		return unix.EEXIST
	}
	return again(func() error { return unix.Renameat(p.folder, p.name, to.folder, to.name) })
}
