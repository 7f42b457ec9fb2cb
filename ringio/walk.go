package ringio

import (
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// WalkDir calls fn for root and everything below it, in the order and with the errors
// of filepath.WalkDir. If an Info has to wait for the disk, the ring requests those of
// the whole folder at once.
func WalkDir(root string, fn fs.WalkDirFunc) error { return shared().WalkDir(root, fn) }

// WalkDir is the package's WalkDir on this engine.
func (e *Engine) WalkDir(root string, fn fs.WalkDirFunc) error {
	info, err := os.Lstat(root)
	if err != nil {
		err = fn(root, nil, err)
	} else {
		err = e.walk(root, fs.FileInfoToDirEntry(info), fn)
	}
	if err == fs.SkipDir || err == fs.SkipAll {
		return nil
	}
	return err
}

// walk calls fn for a path and all below it.
func (e *Engine) walk(path string, entry fs.DirEntry, fn fs.WalkDirFunc) error {
	if err := fn(path, entry, nil); err != nil || !entry.IsDir() {
		if err == fs.SkipDir && entry.IsDir() {
			return nil
		}
		return err
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		if err = fn(path, entry, err); err != nil {
			if err == fs.SkipDir && entry.IsDir() {
				return nil
			}
			return err
		}
	}
	folder := &folder{engine: e, path: path, entries: entries}
	for i, below := range entries {
		err := e.walk(filepath.Join(path, below.Name()), &walked{below, folder, i}, fn)
		if err == fs.SkipDir {
			break
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// folder is one that is walked.
type folder struct {
	engine  *Engine
	path    string
	entries []fs.DirEntry
	once    sync.Once
}

// slowInfo is how long an Info takes that was not in memory.
const slowInfo = 50 * time.Microsecond

// asked has the kernel fetch the Infos behind entry i, the first time that one was slow.
func (f *folder) asked(i int, took time.Duration) {
	if took >= slowInfo && i+1 < len(f.entries) {
		f.once.Do(func() { f.engine.fetchInfos(f.path, f.entries[i+1:]) })
	}
}

// walked is an entry of a folder.
type walked struct {
	fs.DirEntry
	folder *folder
	place  int
}

// Info returns what os.Lstat does.
func (w *walked) Info() (fs.FileInfo, error) {
	began := time.Now()
	info, err := w.DirEntry.Info()
	w.folder.asked(w.place, time.Since(began))
	return info, err
}

// String formats the entry.
func (w *walked) String() string { return fs.FormatDirEntry(w) }
