package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/go-liburing/liburing"
	"golang.org/x/sys/unix"
)

const mostInFlight = 256

// statter walks with Statx requests on a loop. Each that completes asks for the next
// file, so that as many are in flight until the last folder has been read.
type statter struct {
	loop    *liburing.Loop
	found   sums
	folders []string // still to be read
	folder  string   // that entries are left of
	entries []os.DirEntry
	err     error
}

func walkLoop(dir string) (found sums, err error) {
	loop, err := liburing.NewLoop(mostInFlight)
	if err != nil {
		return sums{}, err
	}
	defer func() { err = errors.Join(err, loop.Close(context.Background())) }()
	s := &statter{loop: loop, folders: []string{dir}}
	for range mostInFlight {
		s.ask(new(liburing.Statx))
	}
	err = loop.RunUntilIdle(context.Background())
	return s.found, errors.Join(err, s.err)
}

// ask asks for the next file, if there is one.
func (s *statter) ask(statx *liburing.Statx) {
	path, ok := s.next()
	if !ok {
		return
	}
	s.loop.Statx(unix.AT_FDCWD, path, unix.AT_SYMLINK_NOFOLLOW, unix.STATX_BASIC_STATS, statx, func(c liburing.Completion) {
		if err := c.Err(); err != nil {
			s.fail(err)
			return
		}
		s.found.files, s.found.bytes = s.found.files+1, s.found.bytes+int64(statx.Size)
		s.ask(statx)
	})
}

// next returns the path of the next file, and reads folders until there is one.
func (s *statter) next() (path string, ok bool) {
	for s.err == nil {
		if len(s.entries) == 0 && !s.read() {
			return "", false
		}
		for len(s.entries) > 0 {
			entry := s.entries[0]
			s.entries = s.entries[1:]
			path := filepath.Join(s.folder, entry.Name())
			if !entry.IsDir() {
				return path, true
			}
			s.folders = append(s.folders, path)
		}
	}
	return "", false
}

// read reads the next folder. It reports false if there is none, or on an error.
func (s *statter) read() bool {
	if len(s.folders) == 0 {
		return false
	}
	s.folder, s.folders = s.folders[0], s.folders[1:]
	var err error
	if s.entries, err = os.ReadDir(s.folder); err != nil {
		s.fail(err)
	}
	return s.err == nil
}

func (s *statter) fail(err error) {
	if s.err == nil {
		s.err = err
	}
}
