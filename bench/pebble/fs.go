package main

import (
	"os"

	"github.com/cockroachdb/pebble/vfs"
	"golang.org/x/sys/unix"

	"github.com/go-liburing/liburing/ringio"
)

// ringFS is pebble's file system, with files of ringio in place of those of os.
type ringFS struct{ vfs.FS }

func newRingFS() vfs.FS { return ringFS{vfs.Default} }

// Create makes a file anew, whatever has had its name.
func (fs ringFS) Create(name string) (vfs.File, error) {
	if err := os.Remove(name); err != nil && !os.IsNotExist(err) {
		return nil, err
	}
	return open(name, os.O_RDWR|os.O_CREATE|os.O_EXCL)
}

func (fs ringFS) Open(name string, opts ...vfs.OpenOption) (vfs.File, error) {
	f, err := open(name, os.O_RDONLY)
	if err != nil {
		return nil, err
	}
	return f, advise(f, opts)
}

func (fs ringFS) OpenReadWrite(name string, opts ...vfs.OpenOption) (vfs.File, error) {
	f, err := open(name, os.O_RDWR|os.O_CREATE)
	if err != nil {
		return nil, err
	}
	return f, advise(f, opts)
}

func (fs ringFS) ReuseForWrite(oldname, newname string) (vfs.File, error) {
	if err := fs.Rename(oldname, newname); err != nil {
		return nil, err
	}
	return open(newname, os.O_RDWR|os.O_CREATE)
}

// advise tells the kernel how a file will be read, which the options do themselves where they
// get a descriptor.
func advise(f vfs.File, opts []vfs.OpenOption) error {
	for _, opt := range opts {
		advice := map[vfs.OpenOption]int{vfs.RandomReadsOption: unix.FADV_RANDOM, vfs.SequentialReadsOption: unix.FADV_SEQUENTIAL}
		if err := f.(ringFile).control(func(fd int) error { return unix.Fadvise(fd, 0, 0, advice[opt]) }); err != nil {
			return err
		}
	}
	return nil
}

// ringFile is a ringio.File with what else pebble asks of one.
type ringFile struct{ *ringio.File }

func open(name string, flags int) (vfs.File, error) {
	f, err := ringio.OpenFile(name, flags, 0o666)
	if err != nil {
		return nil, err
	}
	return ringFile{f}, nil
}

// control calls f with the file's descriptor.
func (f ringFile) control(call func(fd int) error) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	if err := conn.Control(func(fd uintptr) { failed = call(int(fd)) }); err != nil {
		return err
	}
	return failed
}

func (f ringFile) Preallocate(offset, length int64) error {
	return f.control(func(fd int) error { return unix.Fallocate(fd, unix.FALLOC_FL_KEEP_SIZE, offset, length) })
}

func (f ringFile) Prefetch(offset, length int64) error {
	return f.control(func(fd int) error { return unix.Fadvise(fd, offset, length, unix.FADV_WILLNEED) })
}

// SyncTo has the file's beginning written, as pebble's own file does on ext4.
func (f ringFile) SyncTo(length int64) (fullSync bool, err error) {
	const flags = unix.SYNC_FILE_RANGE_WAIT_BEFORE | unix.SYNC_FILE_RANGE_WRITE
	return false, f.control(func(fd int) error { return unix.SyncFileRange(fd, 0, length, flags) })
}
