package loopio

import "golang.org/x/sys/unix"

const (
	msgWaitall  = unix.MSG_WAITALL
	msgNosignal = unix.MSG_NOSIGNAL
	sockCloexec = unix.SOCK_CLOEXEC
)

// closeFD closes a descriptor without a loop.
func closeFD(fd int) error { return unix.Close(fd) }

func isSocket(fd int) bool {
	_, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
	return err == nil
}
