package loopio

import "golang.org/x/sys/unix"

const (
	msgWaitall  = unix.MSG_WAITALL
	msgNosignal = unix.MSG_NOSIGNAL
	sockCloexec = unix.SOCK_CLOEXEC
)

// closeFD closes a descriptor without a loop.
func closeFD(fd int) error { return unix.Close(fd) }

// shutdownFD shuts a connection down without a loop.
func shutdownFD(fd, how int) error { return unix.Shutdown(fd, how) }

func isSocket(fd int) bool {
	_, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
	return err == nil
}

// brokeOff reports whether a TCP connection is gone that nobody has shut down here: where
// a send has taken the error of a reset a receive sees an end like others.
func brokeOff(fd int) bool {
	const closed = 7 // TCP_CLOSE
	info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
	return err == nil && info.State == closed
}
