//go:build linux

package ringio

import "golang.org/x/sys/unix"

// tcpState returns the state of a TCP connection as the kernel numbers them.
func tcpState(fd int) byte {
	info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
	if err != nil {
		return 0
	}
	return info.State
}
