//go:build !linux

package loopio

import (
	"net"

	"github.com/go-liburing/liburing"
)

// Stand-ins, so that the package has the same names where it cannot work.

const (
	msgWaitall  = 0x100
	msgNosignal = 0x4000
	sockCloexec = 0o2000000
)

func closeFD(int) error         { return liburing.ErrNotSupported }
func shutdownFD(int, int) error { return liburing.ErrNotSupported }
func isSocket(int) bool         { return false }

// Listen needs Linux.
func Listen(network, address string) (fd int, local net.Addr, err error) {
	return -1, nil, liburing.ErrNotSupported
}

// ListenPacket needs Linux.
func ListenPacket(network, address string) (fd int, local net.Addr, err error) {
	return -1, nil, liburing.ErrNotSupported
}

// Dial needs Linux.
func Dial(l *liburing.Loop, to *liburing.Sockaddr, done func(fd int, err error)) liburing.Request {
	if done != nil {
		done(-1, liburing.ErrNotSupported)
	}
	return liburing.Request{}
}

func brokeOff(int) bool { return false }
