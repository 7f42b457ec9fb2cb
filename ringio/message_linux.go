//go:build linux

package ringio

import (
	"bytes"
	"errors"
	"net"
	"net/netip"
	"strconv"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

var errMissingAddress = errors.New("missing address")

// message is what recvmsg and sendmsg take, in memory of its own, which the kernel may
// use until the request is back.
type message struct {
	hdr   unix.Msghdr
	iov   unix.Iovec
	name  unix.RawSockaddrAny
	dummy byte
}

// setUp makes a message of a payload and control messages, and room for an address or,
// once one is put, an address. Streams carry control messages with a byte at least.
func (m *message) setUp(p, oob []byte, kind int32) {
	m.hdr, m.iov = unix.Msghdr{}, unix.Iovec{}
	if len(p) > 0 {
		m.iov.Base = &p[0]
		m.iov.SetLen(len(p))
	}
	if len(oob) > 0 {
		m.hdr.Control = &oob[0]
		m.hdr.SetControllen(len(oob))
		if len(p) == 0 && kind != unix.SOCK_DGRAM {
			m.iov.Base = &m.dummy
			m.iov.SetLen(1)
		}
	}
	m.hdr.Iov = &m.iov
	m.hdr.SetIovlen(1)
}

// forAddress leaves room for the sender's address.
func (m *message) forAddress() {
	m.name = unix.RawSockaddrAny{}
	m.hdr.Name = (*byte)(unsafe.Pointer(&m.name))
	m.hdr.Namelen = unix.SizeofSockaddrAny
}

func (m *message) free() { m.hdr, m.iov = unix.Msghdr{}, unix.Iovec{} }

// putIP makes the message one to an address of a socket's family.
func (m *message) putIP(family int32, to netip.AddrPort) error {
	addr := to.Addr()
	if family == unix.AF_INET {
		if !addr.Is4() && !addr.Is4In6() {
			return &net.AddrError{Err: "non-IPv4 address", Addr: addr.String()}
		}
		sa := (*unix.RawSockaddrInet4)(unsafe.Pointer(&m.name))
		*sa = unix.RawSockaddrInet4{Family: unix.AF_INET, Addr: addr.As4()}
		putPort(&sa.Port, to.Port())
		m.hdr.Namelen = unix.SizeofSockaddrInet4
	} else {
		sa := (*unix.RawSockaddrInet6)(unsafe.Pointer(&m.name))
		*sa = unix.RawSockaddrInet6{Family: unix.AF_INET6, Addr: addr.As16(), Scope_id: zoneIndex(addr.Zone())}
		putPort(&sa.Port, to.Port())
		m.hdr.Namelen = unix.SizeofSockaddrInet6
	}
	m.hdr.Name = (*byte)(unsafe.Pointer(&m.name))
	return nil
}

// udpTarget returns where a datagram to addr goes, as net has it: no address is the
// unspecified one, and so is 0.0.0.0 on a socket of IPv6.
func udpTarget(family int32, addr *net.UDPAddr) (netip.AddrPort, error) {
	ip := addr.IP
	if family == unix.AF_INET {
		if len(ip) == 0 {
			ip = net.IPv4zero
		}
		four := ip.To4()
		if four == nil {
			return netip.AddrPort{}, &net.AddrError{Err: "non-IPv4 address", Addr: ip.String()}
		}
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(four)), uint16(addr.Port)), nil
	}
	if len(ip) == 0 || ip.Equal(net.IPv4zero) {
		ip = net.IPv6zero
	}
	sixteen := ip.To16()
	if sixteen == nil {
		return netip.AddrPort{}, &net.AddrError{Err: "non-IPv6 address", Addr: ip.String()}
	}
	return netip.AddrPortFrom(netip.AddrFrom16([16]byte(sixteen)).WithZone(addr.Zone), uint16(addr.Port)), nil
}

// putUnix makes the message one to a path, or to an abstract name that begins with @.
func (m *message) putUnix(name string) error {
	sa := (*unix.RawSockaddrUnix)(unsafe.Pointer(&m.name))
	*sa = unix.RawSockaddrUnix{Family: unix.AF_UNIX}
	n := len(name)
	if n > len(sa.Path) || n == len(sa.Path) && name[0] != '@' {
		return syscall.EINVAL
	}
	for i := range n {
		sa.Path[i] = int8(name[i])
	}
	length := 2 // the family's
	if n > 0 {
		length += n + 1 // with a NUL
	}
	if n > 0 && name[0] == '@' {
		sa.Path[0] = 0
		length-- // the name ends where it ends
	}
	m.hdr.Namelen = uint32(length)
	m.hdr.Name = (*byte)(unsafe.Pointer(&m.name))
	return nil
}

// ipOf returns an IP address, the zero value if it is none.
func ipOf(sa *unix.RawSockaddrAny) netip.AddrPort {
	switch sa.Addr.Family {
	case unix.AF_INET:
		four := (*unix.RawSockaddrInet4)(unsafe.Pointer(sa))
		return netip.AddrPortFrom(netip.AddrFrom4(four.Addr), getPort(&four.Port))
	case unix.AF_INET6:
		six := (*unix.RawSockaddrInet6)(unsafe.Pointer(sa))
		addr := netip.AddrFrom16(six.Addr)
		if six.Scope_id != 0 {
			addr = addr.WithZone(zoneName(six.Scope_id))
		}
		return netip.AddrPortFrom(addr, getPort(&six.Port))
	}
	return netip.AddrPort{}
}

// unixName returns the sender's name, "" if it told none. As net has it, an abstract
// name begins with @ and ends at a NUL, and one that is empty is @ too.
func unixName(sa *unix.RawSockaddrAny) string {
	if sa.Addr.Family != unix.AF_UNIX {
		return ""
	}
	raw := (*unix.RawSockaddrUnix)(unsafe.Pointer(sa))
	path := (*[len(raw.Path)]byte)(unsafe.Pointer(&raw.Path))[:]
	if path[0] == 0 {
		path[0] = '@'
	}
	if end := bytes.IndexByte(path, 0); end >= 0 {
		path = path[:end]
	}
	return string(path)
}

// A port's two bytes are in the network's order, whatever the machine's is: in memory the
// number that x/sys makes of them is looked at as bytes.

func putPort(field *uint16, port uint16) {
	*(*[2]byte)(unsafe.Pointer(field)) = [2]byte{byte(port >> 8), byte(port)}
}

func getPort(field *uint16) uint16 {
	b := (*[2]byte)(unsafe.Pointer(field))
	return uint16(b[0])<<8 | uint16(b[1])
}

func zoneName(index uint32) string {
	if i, err := net.InterfaceByIndex(int(index)); err == nil {
		return i.Name
	}
	return strconv.Itoa(int(index))
}

func zoneIndex(name string) uint32 {
	if name == "" {
		return 0
	}
	if i, err := net.InterfaceByName(name); err == nil {
		return uint32(i.Index)
	}
	n, _ := strconv.Atoi(name)
	return uint32(n)
}
