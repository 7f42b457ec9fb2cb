//go:build unix

package ringio

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// waitRaw waits until one of net's connections has something to read.
func waitRaw(c syscall.Conn) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	return raw.Read(func(fd uintptr) bool { return readableNow(int(fd)) })
}

// readableNow reports whether a read would not wait.
func readableNow(fd int) bool {
	ready := [1]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	n, err := unix.Poll(ready[:], 0)
	return n != 0 || err != nil
}
