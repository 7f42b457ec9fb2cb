// Package socket makes the sockets of the network examples, step by step as in C.
// loopio.Listen does the same by way of Go's net package.
package socket

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// New returns a socket for talking to an address, or for listening on it. typ is
// unix.SOCK_STREAM or unix.SOCK_DGRAM.
func New(typ int, addr netip.Addr) (fd int, err error) {
	family := unix.AF_INET6
	if addr.Is4() {
		family = unix.AF_INET
	}
	fd, err = unix.Socket(family, typ|unix.SOCK_CLOEXEC, 0)
	return fd, os.NewSyscallError("socket", err)
}

// Listen returns a socket that is bound to an address, and if it is a stream
// listens, with the address that it has: of port 0 the kernel makes a free one.
func Listen(typ int, at netip.AddrPort) (fd int, local netip.AddrPort, err error) {
	fd, err = New(typ, at.Addr())
	if err == nil {
		if local, err = bind(fd, typ, at); err != nil {
			unix.Close(fd)
		}
	}
	if err != nil {
		return -1, local, fmt.Errorf("listen on %v: %w", at, err)
	}
	return fd, local, nil
}

func bind(fd, typ int, at netip.AddrPort) (local netip.AddrPort, err error) {
	sa, err := sockaddr(at)
	if err != nil {
		return local, err
	}
	if typ == unix.SOCK_STREAM { // a server that was just ended leaves connections behind
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
			return local, err
		}
	}
	if err := unix.Bind(fd, sa); err != nil {
		return local, err
	}
	if typ == unix.SOCK_STREAM {
		if err := unix.Listen(fd, unix.SOMAXCONN); err != nil {
			return local, err
		}
	}
	return Local(fd)
}

func sockaddr(at netip.AddrPort) (unix.Sockaddr, error) {
	if at.Addr().Is4() {
		return &unix.SockaddrInet4{Port: int(at.Port()), Addr: at.Addr().As4()}, nil
	}
	zone, err := zoneID(at.Addr().Zone())
	return &unix.SockaddrInet6{Port: int(at.Port()), Addr: at.Addr().As16(), ZoneId: zone}, err
}

// zoneID returns the number of an IPv6 zone, which is an interface's name or
// number.
func zoneID(zone string) (uint32, error) {
	if zone == "" {
		return 0, nil
	}
	if n, err := strconv.ParseUint(zone, 10, 32); err == nil {
		return uint32(n), nil
	}
	i, err := net.InterfaceByName(zone)
	if err != nil {
		return 0, fmt.Errorf("zone %s: %w", zone, err)
	}
	return uint32(i.Index), nil
}

// Local returns the address of a socket.
func Local(fd int) (netip.AddrPort, error) {
	sa, err := unix.Getsockname(fd)
	if err != nil {
		return netip.AddrPort{}, err
	}
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port)), nil
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(sa.Addr), uint16(sa.Port)), nil
	}
	return netip.AddrPort{}, fmt.Errorf("the socket has an address that is not of the internet: %T", sa)
}
