// Package filecopy has what is the same for every example that copies a file:
// opening the two, and leaving nothing behind when the copy fails.
package filecopy

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/go-liburing/liburing"
)

// Copy opens the file from, makes to, and has blocks copy size bytes. On an
// error the copy is removed: half a file must not pass for a whole one.
func Copy(from, to string, blocks func(in, out int, size int64) error) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	size, err := Size(in)
	if err != nil {
		return err
	}
	info, err := in.Stat()
	if err != nil {
		return err
	}
	if there, err := os.Stat(to); err == nil && os.SameFile(info, there) {
		return fmt.Errorf("%s and %s are the same file", from, to)
	}
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, info.Mode().Perm())
	if err != nil {
		return err
	}
	defer func() {
		if err = errors.Join(err, out.Close()); err != nil {
			removeRegular(to)
		}
	}()
	if err := blocks(liburing.FD(in), liburing.FD(out), size); err != nil {
		return fmt.Errorf("copy %s to %s: %w", from, to, err)
	}
	if now, err := Size(in); err != nil || now < size { // where memory is mapped nothing else may tell
		return errors.Join(err, fmt.Errorf("%s became shorter while it was copied: %w", from, io.ErrUnexpectedEOF))
	}
	return nil
}

// Size returns how many bytes a regular file or a block device has.
func Size(f *os.File) (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	switch info.Mode().Type() {
	case 0:
		return info.Size(), nil
	case fs.ModeDevice:
		return f.Seek(0, io.SeekEnd) // its stat says nothing
	}
	return 0, fmt.Errorf("%s is neither a regular file nor a block device", f.Name())
}

// removeRegular removes a file, or the one that a link points to, but not a
// device that was written to.
func removeRegular(name string) {
	name, err := filepath.EvalSymlinks(name)
	if err != nil {
		return
	}
	if info, err := os.Lstat(name); err == nil && info.Mode().IsRegular() {
		os.Remove(name)
	}
}
