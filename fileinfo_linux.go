package liburing

import (
	"io/fs"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// FileInfo returns what a Statx request has stored, of a file with a name, as os.Stat
// does; Sys is the *Statx. Ask for StatxBasicStats. nil stands for an empty Statx.
func FileInfo(name string, statx *Statx) fs.FileInfo {
	if statx == nil {
		statx = new(Statx)
	}
	return fileInfo{filepath.Base(name), statx}
}

// StatxBasicStats is the mask of a Statx request for what a FileInfo tells.
const StatxBasicStats = unix.STATX_BASIC_STATS

type fileInfo struct {
	name  string
	statx *Statx
}

func (i fileInfo) Name() string { return i.name }
func (i fileInfo) Size() int64  { return int64(i.statx.Size) }
func (i fileInfo) IsDir() bool  { return i.Mode().IsDir() }
func (i fileInfo) Sys() any     { return i.statx }

func (i fileInfo) ModTime() time.Time {
	return time.Unix(i.statx.Mtime.Sec, int64(i.statx.Mtime.Nsec))
}

// modes are the bits of st_mode that are others in Go.
var modes = []struct {
	mask, bits uint16
	mode       fs.FileMode
}{
	{unix.S_IFMT, unix.S_IFDIR, fs.ModeDir},
	{unix.S_IFMT, unix.S_IFLNK, fs.ModeSymlink},
	{unix.S_IFMT, unix.S_IFIFO, fs.ModeNamedPipe},
	{unix.S_IFMT, unix.S_IFSOCK, fs.ModeSocket},
	{unix.S_IFMT, unix.S_IFBLK, fs.ModeDevice},
	{unix.S_IFMT, unix.S_IFCHR, fs.ModeDevice | fs.ModeCharDevice},
	{unix.S_ISUID, unix.S_ISUID, fs.ModeSetuid},
	{unix.S_ISGID, unix.S_ISGID, fs.ModeSetgid},
	{unix.S_ISVTX, unix.S_ISVTX, fs.ModeSticky},
}

func (i fileInfo) Mode() fs.FileMode {
	mode := fs.FileMode(i.statx.Mode) & fs.ModePerm
	for _, m := range modes {
		if i.statx.Mode&m.mask == m.bits {
			mode |= m.mode
		}
	}
	return mode
}
