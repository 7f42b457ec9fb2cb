package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// link makes a symbolic link that points where another does.
func (c *copier) link(from, to place) error {
	info, replace, skip, err := c.replaceable(from, to)
	if err != nil || skip {
		return err
	}
	buf := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(from.folder, from.name, buf)
	if err != nil {
		return from.failed("readlink", err)
	}
	target := string(buf[:n])
	return to.make(replace, func(temporary place) (whole bool, err error) {
		err = unix.Symlinkat(target, temporary.folder, temporary.name)
		if err != nil {
			return false, to.failed("symlink", err)
		}
		return true, c.likeNode(from, temporary, &info)
	})
}

// node makes a pipe, a socket or a device of the kind of another.
func (c *copier) node(from, to place) error {
	info, replace, skip, err := c.replaceable(from, to)
	if err != nil || skip {
		return err
	}
	mode := info.Mode
	if c.preserve {
		mode &^= 0o077
	}
	return to.make(replace, func(temporary place) (whole bool, err error) {
		err = unix.Mknodat(temporary.folder, temporary.name, mode, int(info.Rdev))
		if err != nil {
			return false, to.failed("mknod", err)
		}
		return true, c.likeNode(from, temporary, &info)
	})
}

// likeNode gives what must not be opened to be read what -p keeps.
func (c *copier) likeNode(from, to place, info *unix.Stat_t) error {
	if !c.preserve {
		return nil
	}
	in, err := from.open(unix.O_PATH|unix.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	defer unix.Close(in)
	out, err := to.open(unix.O_PATH|unix.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	defer unix.Close(out)
	return c.like(in, out, info, to)
}

// replaceable looks at what is copied and at what its copy takes the place of.
func (c *copier) replaceable(from, to place) (info unix.Stat_t, isThere, skip bool, err error) {
	info, err = from.stat(unix.AT_SYMLINK_NOFOLLOW)
	if err != nil {
		return info, false, false, err
	}
	there, err := to.stat(unix.AT_SYMLINK_NOFOLLOW)
	switch {
	case errors.Is(err, unix.ENOENT):
		return info, false, false, nil
	case err != nil:
		return info, false, false, err
	case c.keep:
		return info, true, true, nil
	case kindOf(&there).IsDir():
		err = fmt.Errorf("%s is a folder and would be lost: choose another name", to.path)
	case sameFile(&info, &there):
		if kindOf(&info) == kindLink && !sameName(from, to) {
			return info, true, true, nil // they are one link already
		}
		fallthrough
	case isWhatItPointsTo(from, &info, &there):
		err = fmt.Errorf("%s and %s are the same file", from.path, to.path)
	}
	return info, true, false, err
}

// sameName reports whether two places are the same name in the same folder.
func sameName(a, b place) bool {
	if filepath.Base(a.path) != filepath.Base(b.path) {
		return false
	}
	in, err := os.Stat(folderOf(a.path))
	if err != nil {
		return false
	}
	too, err := os.Stat(folderOf(b.path))
	return err == nil && os.SameFile(in, too)
}

// isWhatItPointsTo reports whether a link would replace what it points to.
func isWhatItPointsTo(from place, info, there *unix.Stat_t) bool {
	if kindOf(info) != kindLink || kindOf(there) == kindLink {
		return false
	}
	target, err := from.stat(0)
	return err == nil && sameFile(&target, there)
}
