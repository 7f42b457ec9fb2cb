package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/go-liburing/liburing"
	"golang.org/x/sys/unix"
)

const streamBlock = 128 << 10

func cat(args []string) error {
	flags := newFlags("cat", "[FILE...]", "Writes files, one after the other, to the standard output; - or none is the standard\ninput. Files that cannot be read are told, and the others written.")
	if err := parse(flags, args, 0, -1); err != nil {
		return err
	}
	loop, err := liburing.NewLoop(4)
	if err != nil {
		return err
	}
	defer loop.Close(context.Background())
	s := stream{
		ctx:  context.Background(),
		loop: loop,
		to:   newEndpoint(unix.Stdout, "the standard output"),
		buf:  make([]byte, streamBlock),
	}
	names := flags.Args()
	if len(names) == 0 {
		names = []string{"-"}
	}
	return s.files(names)
}

// files writes files, and goes on after one that cannot be read. After an error
// of the output there is nothing to go on for.
func (s *stream) files(names []string) (failed error) {
	for _, name := range names {
		s.err = nil
		err := s.file(name)
		switch {
		case err == nil:
		case errors.Is(err, unix.EPIPE):
			return errQuiet // whoever reads has read enough
		default:
			complain("cat", err)
			failed = errQuiet
		}
		if s.toFailed {
			break
		}
	}
	return failed
}

func (s *stream) file(name string) error {
	if name == "-" {
		s.from = newEndpoint(unix.Stdin, "the standard input")
		return s.run()
	}
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := notTheOutput(f); err != nil {
		return err
	}
	s.from = newEndpoint(liburing.FD(f), name)
	return s.run()
}

// notTheOutput refuses a file that is being written to: it would grow without
// end.
func notTheOutput(in *os.File) error {
	from, err := in.Stat()
	if err != nil {
		return err
	}
	to, err := os.Stdout.Stat()
	if err == nil && to.Mode().IsRegular() && os.SameFile(from, to) {
		return fmt.Errorf("%s is the output too: write to another file", in.Name())
	}
	return nil
}
