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

// statter walks with Statx requests on a loop.
type statter struct {
	loop   *liburing.Loop
	found  sums
	flying int
	spare  []*liburing.Statx
	err    error
}

func walkLoop(dir string) (found sums, err error) {
	loop, err := liburing.NewLoop(mostInFlight)
	if err != nil {
		return sums{}, err
	}
	defer func() { err = errors.Join(err, loop.Close(context.Background())) }()
	s := &statter{loop: loop}
	err = s.walk(dir)
	return s.found, errors.Join(err, loop.RunUntilIdle(context.Background()), s.err)
}

// walk asks for all files of a folder, and goes on to the folders in it.
func (s *statter) walk(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		path := filepath.Join(dir, entry.Name())
		if entry.IsDir() {
			if err := s.walk(path); err != nil {
				return err
			}
			continue
		}
		s.ask(path)
		if s.flying == mostInFlight {
			if err := s.loop.RunUntilIdle(context.Background()); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *statter) ask(path string) {
	statx := s.take()
	s.flying++
	s.loop.Statx(unix.AT_FDCWD, path, unix.AT_SYMLINK_NOFOLLOW, unix.STATX_BASIC_STATS, statx, func(c liburing.Completion) {
		s.flying--
		if err := c.Err(); err != nil && s.err == nil {
			s.err = err
		}
		s.found.files, s.found.bytes = s.found.files+1, s.found.bytes+int64(statx.Size)
		s.spare = append(s.spare, statx)
	})
}

func (s *statter) take() *liburing.Statx {
	if n := len(s.spare); n > 0 {
		statx := s.spare[n-1]
		s.spare = s.spare[:n-1]
		return statx
	}
	return new(liburing.Statx)
}
