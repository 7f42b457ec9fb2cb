package liburing

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
)

// Sockaddr is a socket address with its length, in the kernel's form: struct
// sockaddr_storage and socklen_t. The kernel reads it (connect) or writes it
// (accept); as with a buffer, it must stay reachable until then.
type Sockaddr struct {
	raw [128]byte // first the family, in the machine's byte order
	len uint32
}

// The families' numbers are Linux's.
const (
	afUnix  = 1
	afInet  = 2
	afInet6 = 10
)

// SockaddrFrom returns the address of an IP endpoint. An IPv6 zone is given by
// the interface's number.
func SockaddrFrom(ap netip.AddrPort) *Sockaddr {
	s := new(Sockaddr)
	binary.BigEndian.PutUint16(s.raw[2:], ap.Port())
	ip := ap.Addr()
	if ip.Is4() {
		b := ip.As4()
		binary.NativeEndian.PutUint16(s.raw[:], afInet)
		copy(s.raw[4:], b[:])
		s.len = 16
		return s
	}
	b := ip.As16()
	binary.NativeEndian.PutUint16(s.raw[:], afInet6)
	copy(s.raw[8:], b[:])
	var scope uint32
	fmt.Sscan(ip.Zone(), &scope)
	binary.NativeEndian.PutUint32(s.raw[24:], scope)
	s.len = 28
	return s
}

// SockaddrUnix returns the address of a Unix socket: a path, or with a leading
// "@" a name in the abstract namespace. It is at most 107 bytes long.
func SockaddrUnix(path string) (*Sockaddr, error) {
	if len(path) > 107 || strings.IndexByte(path, 0) >= 0 {
		return nil, badInput("sockaddr", "a Unix socket's path is at most 107 bytes and has no NUL: %q", path)
	}
	s := new(Sockaddr)
	binary.NativeEndian.PutUint16(s.raw[:], afUnix)
	n := copy(s.raw[2:], path)
	s.len = uint32(2 + n + 1)
	if strings.HasPrefix(path, "@") {
		s.raw[2] = 0
		s.len--
	}
	return s, nil
}

// NewSockaddr returns an empty address for the kernel to fill.
func NewSockaddr() *Sockaddr {
	s := new(Sockaddr)
	s.len = uint32(len(s.raw))
	return s
}

// Reset makes the address ready to be filled again: the kernel shortens the
// length to what it stored.
func (s *Sockaddr) Reset() { *s = Sockaddr{len: uint32(len(s.raw))} }

// AddrPort returns the IP endpoint, the zero value if it is none.
func (s *Sockaddr) AddrPort() netip.AddrPort {
	port := binary.BigEndian.Uint16(s.raw[2:])
	switch s.family() {
	case afInet:
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(s.raw[4:8])), port)
	case afInet6:
		ip := netip.AddrFrom16([16]byte(s.raw[8:24]))
		if scope := binary.NativeEndian.Uint32(s.raw[24:]); scope != 0 {
			ip = ip.WithZone(fmt.Sprint(scope))
		}
		return netip.AddrPortFrom(ip, port)
	}
	return netip.AddrPort{}
}

func (s *Sockaddr) family() uint16 { return binary.NativeEndian.Uint16(s.raw[:]) }

// String returns the address as net.Addr writes it.
func (s *Sockaddr) String() string {
	switch s.family() {
	case afInet, afInet6:
		return s.AddrPort().String()
	case afUnix:
		name := s.raw[2:max(2, min(s.len, uint32(len(s.raw))))]
		if len(name) > 0 && name[0] == 0 {
			return "@" + string(name[1:])
		}
		path, _, _ := strings.Cut(string(name), "\x00")
		return path
	}
	return ""
}

// addr, addrLenAddr and length are what goes into an SQE; a nil address is a
// NULL.
func (s *Sockaddr) addr() uint64 {
	if s == nil {
		return 0
	}
	return addr(&s.raw)
}

func (s *Sockaddr) addrLenAddr() uint64 {
	if s == nil {
		return 0
	}
	return addr(&s.len)
}

func (s *Sockaddr) length() uint32 {
	if s == nil {
		return 0
	}
	return s.len
}
