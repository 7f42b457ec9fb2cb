//go:build linux

package ringio

import (
	"io/fs"

	"github.com/go-liburing/liburing"
	"golang.org/x/sys/unix"
)

// fetchInfos has the kernel bring the inodes of a folder's entries into its memory, all
// at once. What it tells of them is dropped: who wants it asks as os does, and gets what
// os gives.
func (e *Engine) fetchInfos(path string, entries []fs.DirEntry) {
	ring := e.pick()
	if ring == nil {
		return
	}
	dir, err := unix.Open(path, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return
	}
	defer unix.Close(dir)
	const most = 256 // at a time
	for len(entries) != 0 {
		n := min(len(entries), most)
		ring.fetch(dir, entries[:n])
		entries = entries[n:]
	}
}

func (e *engine) fetch(dir int, entries []fs.DirEntry) {
	ops := make([]*op, 0, len(entries))
	stats := make([]liburing.Statx, len(entries))
	for i, entry := range entries {
		o := e.acquire()
		name := append([]byte(entry.Name()), 0)
		o.hold(name)
		o.keep = stats
		o.entry().PrepStatx(dir, &name[0], unix.AT_SYMLINK_NOFOLLOW, unix.STATX_BASIC_STATS, &stats[i])
		if e.stage(o) != nil {
			e.release(o)
			break
		}
		ops = append(ops, o)
	}
	e.kick()
	for _, o := range ops {
		e.wait(o, nil)
		e.release(o)
	}
}
