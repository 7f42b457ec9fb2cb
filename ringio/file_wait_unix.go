//go:build unix

package ringio

import (
	"context"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// pipeAtomic is how much a pipe that can be written to takes at once: PIPE_BUF.
func pipeAtomic() int {
	if runtime.GOOS == "linux" {
		return 4096
	}
	return 512
}

// blocks reports whether a call on the descriptor may wait in the kernel, where no
// deadline reaches it, and whether it is a pipe.
func blocks(f *os.File) (waits, pipe bool) {
	conn, err := f.SyscallConn()
	if err != nil {
		return false, false
	}
	conn.Control(func(fd uintptr) {
		var stat unix.Stat_t
		flags, err := unix.FcntlInt(fd, unix.F_GETFL, 0)
		if err == nil && flags&unix.O_NONBLOCK == 0 && unix.Fstat(int(fd), &stat) == nil {
			kind := stat.Mode & unix.S_IFMT
			waits, pipe = kind != unix.S_IFREG, kind == unix.S_IFIFO
		}
	})
	return waits, pipe
}

// awaitReady waits until a call would not wait, or ctx ends. It takes a thread, as the
// call would.
func awaitReady(ctx context.Context, f *os.File, write bool) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return nil // the call says why
	}
	events := int16(unix.POLLIN)
	if write {
		events = unix.POLLOUT
	}
	conn.Control(func(fd uintptr) {
		if poll(0, unix.PollFd{Fd: int32(fd), Events: events}) == 0 {
			err = pollUntilEnd(ctx, int32(fd), events)
		}
	})
	return err
}

// pollUntilEnd waits for events or ctx, whose end closes a pipe's other end.
func pollUntilEnd(ctx context.Context, fd int32, events int16) error {
	ended, end, err := os.Pipe()
	if err != nil {
		return err
	}
	defer ended.Close()
	defer end.Close()
	defer context.AfterFunc(ctx, func() { end.Close() })()
	poll(-1, unix.PollFd{Fd: fd, Events: events}, unix.PollFd{Fd: int32(ended.Fd()), Events: unix.POLLIN})
	return ctx.Err()
}

// poll returns how many descriptors are ready, in the time given, in milliseconds.
func poll(timeout int, fds ...unix.PollFd) int {
	for {
		n, err := unix.Poll(fds, timeout)
		if err != unix.EINTR {
			return n
		}
	}
}
