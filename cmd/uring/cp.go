package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

const aboutCp = `Copies files, and with -r folders. TO is the name of the copy or, if it is a folder,
where the copies go under the names that they have. A copy takes the place of a
file of its name in one step, and only when it is whole; it has the permissions of
FROM, and its holes.`

func cp(args []string) error {
	flags := newFlags("cp", "[-r] [-p] [-n] [-sync] FROM... TO", aboutCp)
	var o cpOptions
	flags.BoolVar(&o.recursive, "r", false, "copy folders with all that is in them; symbolic links stay links, hard links become files")
	flags.BoolVar(&o.preserve, "p", false, "keep the times, the owner (as far as allowed) and the set-user-ID bits too")
	flags.BoolVar(&o.keep, "n", false, "leave files that are there as they are")
	flags.BoolFunc("f", "replace files that are there, as without -n", func(string) error { o.keep = false; return nil })
	flags.BoolVar(&o.sync, "sync", false, "return when the copies are on the disk (fsync)")
	if err := parse(flags, args, 2, -1); err != nil {
		return err
	}
	last := flags.NArg() - 1
	ctx, stop := interruptible()
	defer stop()
	c, err := newCopier(ctx, o)
	if err != nil {
		return err
	}
	err = c.all(flags.Args()[:last], flags.Arg(last))
	c.bar.end()
	return errors.Join(err, c.close())
}

type cpOptions struct{ recursive, preserve, keep, sync bool }

// all copies several files or folders and goes on after one that cannot be
// copied, unless the rest would fail as well.
func (c *copier) all(from []string, to string) error {
	info, err := os.Stat(to)
	into := err == nil && info.IsDir()
	if len(from) > 1 && !into {
		return fmt.Errorf("%s is not a folder: several files go into one that is there", to)
	}
	if c.bar.terminal {
		c.bar.start(totalSize(from))
	}
	var errs []error
	made := map[string]string{}
	for _, f := range from {
		target := to
		if into {
			target = filepath.Join(to, baseName(f))
		}
		if first := made[target]; first != "" {
			errs = append(errs, fmt.Errorf("%s would replace the copy of %s: copy it under another name", f, first))
			continue
		}
		made[target] = f
		err := c.copy(f, target)
		errs = append(errs, err)
		if hopeless(err) {
			break
		}
	}
	return errors.Join(errs...)
}

// baseName returns the name that a copy of a file or folder gets in a folder,
// also for "." and "..".
func baseName(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	return filepath.Base(path)
}

// copy copies a file or, if asked for, a folder.
func (c *copier) copy(from, to string) error {
	info, err := os.Stat(from)
	if err != nil {
		return err
	}
	if info.IsDir() {
		err = c.root(from, to, info)
	} else {
		err = c.file(from, to)
	}
	return errors.Join(err, c.settleFolder(filepath.Dir(to)))
}

// root copies a folder that the command line names.
func (c *copier) root(from, to string, info fs.FileInfo) error {
	if !c.recursive {
		return fmt.Errorf("%s is a folder: -r copies it with all that is in it", from)
	}
	if err := notInside(info, to); err != nil {
		return fmt.Errorf("%s would be copied into itself: %w", from, err)
	}
	return c.folder(from, to, info)
}

// notInside refuses a path that lies in the given folder: the copy would
// contain itself.
func notInside(folder fs.FileInfo, path string) error {
	path, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	if real, err := filepath.EvalSymlinks(filepath.Dir(path)); err == nil {
		path = filepath.Join(real, filepath.Base(path))
	}
	for p := path; ; p = filepath.Dir(p) {
		if there, err := os.Stat(p); err == nil && os.SameFile(folder, there) {
			return fmt.Errorf("%s is the folder or lies in it", path)
		}
		if p == filepath.Dir(p) {
			return nil
		}
	}
}
