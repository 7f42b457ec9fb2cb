package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

const aboutCp = `Copies files, and with -r folders, as GNU cp does: TO is the name of the copy or, if it
is a folder, where the copies go under the names that they have. What is new has the
permissions of FROM without those of the umask. What is there is written to in place:
it keeps its permissions, owner and hard links. Holes stay holes.

Unlike cp:
- a new copy has its name only when it is whole (a small one in a folder that is new gets
  its content by one write, or with -sync its name last too);
- when it is clear beforehand that there is no room for a copy, what is there is left alone,
  and when there is no room nothing more is begun;
- a file that becomes shorter while it is read is an error;
- a folder is not copied into itself, not even in part;
- -p leaves no set-user-ID, set-group-ID or sticky bit that FROM does not have, and does
  nothing to devices, pipes and terminals that are written to.`

func cp(args []string) error {
	flags := newFlags("cp", "[-r] [-p] [-n] [-f] [-sync] FROM... TO", aboutCp)
	var o cpOptions
	flags.BoolVar(&o.recursive, "r", false, "copy folders with all that is in them; symbolic links stay links, also FROM, hard links become\nfiles, and pipes, sockets and devices are made anew and not read")
	flags.BoolVar(&o.preserve, "p", false, "keep the times, the owner (as far as allowed) and all of the permissions with their access\ncontrol lists, but no other extended attributes")
	flags.BoolVar(&o.keep, "n", false, "leave files that are there as they are; ends -f")
	flags.BoolVar(&o.force, "f", false, "replace a file that is there if it cannot be opened for writing")
	flags.BoolVar(&o.sync, "sync", false, "return when the copies are on the disk (fsync)")
	if err := parse(flags, args, 2, -1); err != nil {
		return err
	}
	o.force = o.force && !o.keep
	last := flags.NArg() - 1
	ctx, stop := interruptible()
	defer stop()
	c := newCopier(ctx, o)
	err := c.all(flags.Args()[:last], flags.Arg(last))
	c.bar.end()
	return errors.Join(err, c.close())
}

type cpOptions struct{ recursive, preserve, keep, force, sync bool }

// all copies several files or folders and goes on after one that cannot be
// copied, unless the rest would fail as well.
func (c *copier) all(from []string, to string) error {
	into, err := isFolder(to)
	if err != nil {
		return err
	}
	if len(from) > 1 && !into {
		return fmt.Errorf("%s is not a folder: several files go into one that is there", to)
	}
	if c.bar.terminal {
		c.bar.start(totalSize(from, !c.recursive))
	}
	var errs []error
	made := map[string]string{}
	for _, f := range from {
		target := to
		if into {
			target = inFolder(to, f)
		}
		errs = append(errs, c.argument(f, target, made))
		if c.over.Load() {
			break
		}
	}
	return errors.Join(errs...)
}

// isFolder reports whether a path leads to a folder. That nothing is there is no
// error.
func isFolder(path string) (bool, error) {
	info, err := os.Stat(path)
	if err == nil {
		return info.IsDir(), nil
	}
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ELOOP) {
		err = nil
	}
	return false, err
}

// inFolder returns the path of a copy in a folder. What the command line calls
// dir/. or dir/.. stands for its contents: they go into the folder itself.
func inFolder(folder, from string) string {
	name := filepath.Base(from)
	if name == ".." || name == "/" {
		name = "."
	}
	return strings.TrimRight(folder, "/") + "/" + name
}

// argument copies what the command line names. Made has what the copies before
// were made of.
func (c *copier) argument(from, to string, made map[string]string) error {
	source, target := at(from), at(to)
	info, err := source.stat(c.follow())
	if err != nil {
		return err
	}
	kind := kindOf(&info)
	switch first := made[to]; {
	case kind.IsDir() && !c.recursive:
		return fmt.Errorf("%s is a folder: -r copies it with all that is in it", from)
	case first == from:
		complain("cp", fmt.Errorf("%s is named more than once", from))
		return nil
	case kind.IsDir():
		if err := notInside(from, to); err != nil {
			return fmt.Errorf("%s would be copied into itself: %w", from, err)
		}
	case first != "" && !c.keep:
		return fmt.Errorf("%s would replace the copy of %s: copy it under another name", from, first)
	case strings.HasSuffix(to, "/"):
		return target.failed("create", unix.ENOTDIR)
	}
	made[to] = from
	if !c.recursive {
		kind = 0 // whatever it is, what counts is what can be read from it
	}
	err = c.entry(source, target, kind, false)
	return errors.Join(err, c.settleFolder(folderOf(to)))
}

// follow returns the flag for fstatat(2) that makes it look at what is copied
// when a symbolic link is named.
func (c *copier) follow() int {
	if c.recursive {
		return unix.AT_SYMLINK_NOFOLLOW
	}
	return 0
}

const kindLink = fs.ModeSymlink

// kindOf returns the type bits of what has been looked at.
func kindOf(info *unix.Stat_t) fs.FileMode {
	switch info.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		return 0
	case unix.S_IFDIR:
		return fs.ModeDir
	case unix.S_IFLNK:
		return kindLink
	}
	return fs.ModeIrregular
}

// notInside refuses a path that lies in the given folder: the copy would
// contain itself.
func notInside(from, path string) error {
	folder, err := os.Stat(from)
	if err != nil {
		return err
	}
	p := path
	if into, _ := isFolder(path); !into {
		p = folderOf(path)
	}
	for there, err := os.Stat(p); err == nil; {
		if os.SameFile(folder, there) {
			return fmt.Errorf("%s is the folder or lies in it", path)
		}
		below := there
		p += "/.."
		if there, err = os.Stat(p); err == nil && os.SameFile(below, there) {
			break // the root
		}
	}
	return nil // what can't be looked at is for the copying to tell
}
