package main

import (
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"
)

// backlog is how many connections may wait to be accepted; the kernel has a
// limit of its own, net.core.somaxconn.
const backlog = 16384

// listenTCP returns a listening socket and prints its address.
func listenTCP(at netip.AddrPort) (fd int, err error) {
	fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	if err := listenOn(fd, at); err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

func listenOn(fd int, at netip.AddrPort) error {
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
		return err
	}
	if err := unix.Bind(fd, &unix.SockaddrInet4{Port: int(at.Port()), Addr: at.Addr().As4()}); err != nil {
		return err
	}
	if err := unix.Listen(fd, backlog); err != nil {
		return err
	}
	bound, err := unix.Getsockname(fd)
	if err != nil {
		return err
	}
	fmt.Println(netip.AddrPortFrom(at.Addr(), uint16(bound.(*unix.SockaddrInet4).Port)))
	return nil
}

// accept takes a connection; flags are those of accept4(2).
func accept(listener, flags int) (int, error) {
	for {
		fd, _, err := unix.Accept4(listener, unix.SOCK_CLOEXEC|flags)
		if err != unix.EINTR && err != unix.ECONNABORTED {
			return fd, err
		}
	}
}
