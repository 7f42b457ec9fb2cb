//go:build !linux

package liburing

import "net"

// Listen needs Linux.
func Listen(network, address string) (fd int, local net.Addr, err error) {
	return -1, nil, ErrNotSupported
}

// ListenPacket needs Linux.
func ListenPacket(network, address string) (fd int, local net.Addr, err error) {
	return -1, nil, ErrNotSupported
}

// Dial needs Linux.
func (l *Loop) Dial(to *Sockaddr, done func(fd int, err error)) Request {
	return l.queueBad(OpConnect, func(c Completion) { done(-1, c.Err()) }, ErrNotSupported)
}
