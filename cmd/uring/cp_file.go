package main

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// original is a file that is copied.
type original struct {
	place
	fd   int
	info unix.Stat_t
}

// file copies a file. If the target's folder is new, so is the target.
func (c *copier) file(from, to place, folderIsNew bool) error {
	there, isThere, err := c.target(to, folderIsNew)
	if err != nil || isThere && c.keep {
		return err
	}
	in, err := c.open(from)
	if err != nil {
		return err
	}
	defer unix.Close(in.fd)
	switch {
	case !isThere:
		return c.createIn(in, to, folderIsNew)
	case sameFile(&in.info, &there):
		return fmt.Errorf("%s and %s are the same file", from.path, to.path)
	case kindOf(&there).IsDir():
		return fmt.Errorf("%s is a folder: name the copy, such as %s", to.path, inFolder(to.path, from.path))
	}
	return c.overwrite(in, to)
}

// target looks at what a copy would go over, symbolic links followed.
func (c *copier) target(to place, folderIsNew bool) (there unix.Stat_t, isThere bool, err error) {
	if folderIsNew {
		return there, false, nil
	}
	there, err = to.stat(0)
	switch {
	case err == nil:
		return there, true, nil
	case errors.Is(err, unix.ELOOP) && c.force:
		return there, true, nil // it can't be opened, and is replaced
	case !errors.Is(err, unix.ENOENT):
		return there, false, err
	}
	if _, err := to.stat(unix.AT_SYMLINK_NOFOLLOW); err == nil {
		return there, false, fmt.Errorf("%s is a symbolic link to what is not there: remove it first", to.path)
	}
	return there, false, nil
}

// open opens what is copied. With -r nothing but a file is read: others might
// have no end.
func (c *copier) open(from place) (in original, err error) {
	in.place = from
	flags := unix.O_RDONLY
	if c.recursive {
		flags |= unix.O_NOFOLLOW
	}
	if in.fd, err = from.open(flags, 0); err != nil {
		return in, err
	}
	err = from.failed("stat", unix.Fstat(in.fd, &in.info))
	if err == nil && c.recursive && kindOf(&in.info) != 0 {
		err = fmt.Errorf("%s is no file any more", from.path)
	}
	if err != nil {
		unix.Close(in.fd)
	}
	return in, err
}

func sameFile(a, b *unix.Stat_t) bool { return a.Dev == b.Dev && a.Ino == b.Ino }

// createIn makes a copy that is new. In a folder that is new too a short one
// gets its name at once and its content by one write: another name first would cost a
// half more on a disk, and save a file from a kill that comes between the two calls.
func (c *copier) createIn(in original, to place, folderIsNew bool) error {
	if !folderIsNew || c.sync || in.info.Size > cpShort || isSparse(&in.info) {
		return c.create(in, to, false)
	}
	buf := shortBuffers.Get().(*[]byte)
	defer shortBuffers.Put(buf)
	n, err := unix.Pread(in.fd, *buf, 0)
	if err != nil || int64(n) != in.info.Size { // as in /proc
		return c.create(in, to, false)
	}
	out, err := to.open(unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL, c.newMode(in))
	if err != nil {
		return err
	}
	defer unix.Close(out)
	if err := writeAll(out, (*buf)[:n]); err != nil {
		unix.Unlinkat(to.folder, to.name, 0)
		return c.explain(in, to, os.NewSyscallError("write", err))
	}
	c.bar.add(int64(n))
	return c.finish(out, in, to)
}

// newMode is what a copy is made with. The kernel takes the umask, or the folder's
// default access control list, from it. Nobody else can open what is not its owner's yet.
func (c *copier) newMode(in original) uint32 {
	if c.preserve {
		return in.info.Mode & 0o700
	}
	return in.info.Mode & 0o777
}

// create makes a copy that is new, and gives it its name when it is whole.
func (c *copier) create(in original, to place, replace bool) error {
	return to.make(replace, func(temporary place) (whole bool, err error) {
		out, err := temporary.open(unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL, c.newMode(in))
		if err != nil {
			return false, fmt.Errorf("cannot make a file in %s: %w", folderOf(to.path), cause(err))
		}
		defer unix.Close(out)
		if err := c.fits(in, to, out, nil); err != nil {
			return false, err
		}
		if _, err := c.content(out, in, to, true); err != nil {
			return false, c.explain(in, to, err)
		}
		return true, c.finish(out, in, to)
	})
}

// overwrite writes over what is there.
func (c *copier) overwrite(in original, to place) error {
	out, err := to.open(unix.O_WRONLY, 0)
	if err != nil {
		if c.force {
			return c.create(in, to, true)
		}
		return err
	}
	defer unix.Close(out)
	var there unix.Stat_t
	if err := unix.Fstat(out, &there); err != nil {
		return to.failed("stat", err)
	}
	if kindOf(&there) != 0 { // a pipe, a terminal
		_, err := c.content(out, in, to, false)
		return c.explain(in, to, err)
	}
	return c.refill(out, in, to, &there)
}

// refill gives an old file new content.
func (c *copier) refill(out int, in original, to place, there *unix.Stat_t) error {
	if sameFile(&in.info, there) {
		return fmt.Errorf("%s and %s are the same file", in.path, to.path)
	}
	if err := c.fits(in, to, out, there); err != nil {
		return err
	}
	if err := again(func() error { return unix.Ftruncate(out, 0) }); err != nil {
		return to.failed("truncate", err)
	}
	copied, err := c.content(out, in, to, true)
	if err == nil {
		err = c.restrict(out, &in.info, there)
	}
	if err != nil {
		unix.Ftruncate(out, copied) // blocks behind one that is missing
		return fmt.Errorf("%w; what was in %s is gone, the first %d bytes of the copy are there", c.explain(in, to, err), to.path, copied)
	}
	return c.finish(out, in, to)
}

// finish gives a copy what else is to be kept.
func (c *copier) finish(out int, in original, to place) error {
	var err error
	if c.preserve {
		err = c.like(in.fd, out, &in.info, to)
	}
	return errors.Join(err, c.settle(out, to))
}

// fits tells beforehand that a file is too large. Over is what it is written
// over, or nil.
func (c *copier) fits(in original, to place, out int, over *unix.Stat_t) error {
	if uint64(in.info.Size) > c.limit && kindOf(&in.info) == 0 {
		return c.explain(in, to, unix.EFBIG)
	}
	if over == nil { // a copy that is new can be tried
		return nil
	}
	var disk unix.Statfs_t
	if err := unix.Fstatfs(out, &disk); err != nil || disk.Blocks == 0 {
		return nil // nobody knows
	}
	need := min(in.info.Size, in.info.Blocks*512)
	if room := int64(disk.Bfree)*int64(disk.Bsize) + over.Blocks*512; need > room {
		return fmt.Errorf("%w; what is in %s is as it was", c.explain(in, to, unix.ENOSPC), to.path)
	}
	return nil
}

// explain says what a copy has failed at.
func (c *copier) explain(in original, to place, err error) error {
	switch {
	case err == nil:
		return nil
	case c.ctx.Err() != nil:
		return errInterrupted
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT):
		return fmt.Errorf("%s: %w: make room there", to.path, cause(err))
	case errors.Is(err, unix.EFBIG):
		return fmt.Errorf("%s: %w: raise `ulimit -f`, or choose a file system that takes files of %d bytes", to.path, cause(err), in.info.Size)
	}
	return fmt.Errorf("%s to %s: %w", in.path, to.path, err)
}

// settle has a file or folder on the disk if that is wanted.
func (c *copier) settle(fd int, p place) error {
	if !c.sync {
		return nil
	}
	return p.failed("fsync", again(func() error { return unix.Fsync(fd) }))
}

func (c *copier) settleFolder(path string) error {
	if !c.sync {
		return nil
	}
	p := at(path)
	fd, err := p.open(unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return c.settle(fd, p)
}

// cause returns the errno of an error if it has one.
func cause(err error) error {
	if errno := unix.Errno(0); errors.As(err, &errno) {
		return errno
	}
	return err
}
