package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// totalSize adds up the sizes of files and of those in folders. What cannot be
// read is left out: it is for the progress bar only.
func totalSize(paths []string, follow bool) (size int64) {
	for _, path := range paths {
		if real, err := filepath.EvalSymlinks(path); err == nil && follow {
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

// entry copies whatever is at a place; kind is its type. After an error that all
// others would run into too, nothing more is done.
func (c *copier) entry(from, to place, kind fs.FileMode, folderIsNew bool) error {
	if c.over.Load() {
		return nil // it has been told why
	}
	err := errInterrupted
	if c.ctx.Err() == nil {
		err = c.kind(from, to, kind, folderIsNew)
	}
	if hopeless(err) && c.over.Swap(true) && err == errInterrupted {
		return nil
	}
	return err
}

func (c *copier) kind(from, to place, kind fs.FileMode, folderIsNew bool) error {
	switch {
	case kind.IsDir():
		return c.folder(from, to)
	case kind.IsRegular():
		return c.file(from, to, folderIsNew)
	case kind == kindLink:
		return c.link(from, to)
	}
	return c.node(from, to)
}

// hopeless reports whether after an error other files would fail as well: the
// user does not want them, or there is no room.
func hopeless(err error) bool {
	return errors.Is(err, errInterrupted) || errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT)
}

// folder copies a folder and goes on after what cannot be copied.
func (c *copier) folder(from, to place) error {
	info, err := from.stat(unix.AT_SYMLINK_NOFOLLOW)
	if err != nil {
		return err
	}
	made, err := c.makeFolder(to, info.Mode)
	if err != nil {
		return err
	}
	out, err := to.openFolder(unix.O_RDONLY)
	if err != nil {
		return err
	}
	defer unix.Close(out)
	in, failed := from.openFolder(unix.O_RDONLY)
	if failed != nil {
		in, err = from.openFolder(unix.O_PATH)
	}
	if err != nil {
		return failed
	}
	defer unix.Close(in)
	if failed == nil {
		failed = c.contents(from, to, in, out, made)
	}
	return errors.Join(failed, c.finishFolder(in, out, &info, made, to))
}

func (p place) openFolder(how int) (int, error) {
	return p.open(how|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
}

// makeFolder makes a folder that its owner can write to until it has its
// contents. It is less open than it will be.
func (c *copier) makeFolder(p place, mode uint32) (made bool, err error) {
	switch there, err := p.stat(unix.AT_SYMLINK_NOFOLLOW); {
	case err == nil && kindOf(&there).IsDir():
		return false, nil
	case err == nil:
		return false, fmt.Errorf("%s is there and is not a folder: remove it, or choose another name", p.path)
	case !errors.Is(err, unix.ENOENT):
		return false, err
	}
	mode = mode&0o7777&^c.omitted() | 0o700
	err = again(func() error { return unix.Mkdirat(p.folder, p.name, mode) })
	if err != nil || c.umask&0o700 == 0 {
		return err == nil, p.failed("mkdir", err)
	}
	there, err := p.stat(unix.AT_SYMLINK_NOFOLLOW)
	if err == nil {
		err = p.failed("chmod", unix.Fchmodat(p.folder, p.name, there.Mode&0o7777|0o700, 0))
	}
	return true, err
}

// omitted are the permissions that a folder does not have while it is filled.
func (c *copier) omitted() uint32 {
	if c.preserve {
		return 0o077
	}
	return 0o022
}

// finishFolder gives a folder that has its contents what is to be kept of the
// other. One that was there stays as it was without -p.
func (c *copier) finishFolder(in, out int, info *unix.Stat_t, made bool, to place) (err error) {
	switch {
	case c.preserve:
		err = c.like(in, out, info, to)
	case made:
		err = c.openUp(out, info.Mode, to)
	}
	return errors.Join(err, c.settle(out, to))
}

// openUp gives a new folder the permissions that it was made without.
func (c *copier) openUp(out int, mode uint32, to place) error {
	var now unix.Stat_t
	if err := unix.Fstat(out, &now); err != nil {
		return to.failed("stat", err)
	}
	wanted := now.Mode&0o7777&^(0o700&^(mode&^c.umask)) | mode&c.omitted()&^c.umask
	if wanted == now.Mode&0o7777 {
		return nil
	}
	return to.failed("chmod", chmod(out, wanted))
}

// contents copies what is in a folder: what is no folder with several goroutines,
// then the folders.
func (c *copier) contents(from, to place, in, out int, made bool) error {
	entries, err := readFolder(in, from)
	if err != nil {
		return err
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return cmp.Compare(a.Name(), b.Name()) })
	errs := make([]error, len(entries))
	entry := func(i int) {
		e := entries[i]
		errs[i] = c.entry(from.child(in, e.Name()), to.child(out, e.Name()), e.Type(), made)
	}
	inParallel(len(entries), func(i int) {
		if !entries[i].IsDir() {
			entry(i)
		}
	})
	for i, e := range entries {
		if e.IsDir() {
			entry(i)
		}
	}
	return errors.Join(errs...)
}

// readFolder lists a folder that is open.
func readFolder(fd int, p place) ([]fs.DirEntry, error) {
	own, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0) // for os.File to close
	if err != nil {
		return nil, p.failed("open", err)
	}
	f := os.NewFile(uintptr(own), p.path)
	defer f.Close()
	return f.ReadDir(-1)
}

// inParallel calls a function for each number below n, with as many goroutines
// as there are processors if there is enough to do.
func inParallel(n int, do func(i int)) {
	const enough = 16 // for a goroutine
	var next atomic.Int64
	work := func() {
		for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
			do(i)
		}
	}
	var others sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), n/enough) - 1 {
		others.Go(work)
	}
	work()
	others.Wait()
}
