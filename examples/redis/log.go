package main

import (
	"os"

	"github.com/go-liburing/liburing/loopio"
	"golang.org/x/sys/unix"
)

// openLog carries out what a log has, one command behind the other, and returns a
// Writer that goes on with it. A command that was cut short, by a crash, was never
// confirmed: it is cut off.
func (s *server) openLog(name string) error {
	text, err := os.ReadFile(name)
	if err != nil && !os.IsNotExist(err) {
		return err
	}
	size := 0
	for {
		args, used, err := parse(text[size:])
		if err != nil || used == 0 {
			break
		}
		if len(args) > 0 {
			s.do(args)
		}
		size += used
	}
	s.answers.Reset()
	fd, err := unix.Open(name, unix.O_WRONLY|unix.O_CREAT|unix.O_APPEND|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return &os.PathError{Op: "open", Path: name, Err: err}
	}
	// The Writer owns the descriptor. What it can't write nobody may be told of.
	s.log = loopio.NewWriter(s.loop, fd, loopio.WriterOptions{Limit: 64 << 20, Failed: s.loop.Fail})
	return unix.Ftruncate(fd, int64(size))
}
