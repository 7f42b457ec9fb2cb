package liburing

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
	"unsafe"
)

// NewMsghdr returns a message for Sendmsg: bufs, one after the other; an address, nil
// if the socket is connected; and control messages, such as unix.UnixRights makes, or
// nil. For Recvmsg these are the room for what comes: a NewSockaddr for the sender's
// address, memory for the control messages, and buffers for the bytes. The message
// keeps all of them alive.
func NewMsghdr(addr *Sockaddr, control []byte, bufs ...[]byte) *Msghdr {
	msg := new(Msghdr)
	if addr != nil {
		msg.Name, msg.Namelen = &addr.raw[0], addr.len
	}
	if len(control) > 0 {
		msg.Control = &control[0]
		msg.SetControllen(len(control))
	}
	if len(bufs) > 0 {
		msg.Iov = &appendIovecs(make([]Iovec, 0, len(bufs)), bufs)[0]
		msg.SetIovlen(len(bufs))
	}
	return msg
}

// destination returns a copy of a message's address, nil if it has none.
func destination(msg *Msghdr) *Sockaddr {
	if msg == nil || msg.Name == nil || msg.Namelen < 2 {
		return nil
	}
	s := NewSockaddr()
	s.len = uint32(copy(s.raw[:], unsafe.Slice(msg.Name, msg.Namelen)))
	return s
}

// Control returns the control messages that a Recvmsg has stored, for
// unix.ParseSocketControlMessage.
func Control(msg *Msghdr) []byte {
	if msg == nil || msg.Control == nil {
		return nil
	}
	return unsafe.Slice(msg.Control, msg.Controllen)
}

// RecvmsgOut is a buffer that a multishot recvmsg filled, struct
// io_uring_recvmsg_out and what follows it: the sender's address, the control
// messages, the payload.
type RecvmsgOut struct {
	Namelen    uint32 // of the whole address, of which Name may have a part
	Controllen uint32 // of the control messages
	Payloadlen uint32 // of the whole payload, of which Payload may have a part
	Flags      uint32 // MSG_TRUNC, MSG_CTRUNC, …

	buf  []byte // behind the header
	name int    // room for the address
	ctrl int    // room for the control messages
}

// RecvmsgOutSize is how many bytes a multishot recvmsg puts in front of the address,
// the control messages and the payload: what a buffer needs in addition to these.
const RecvmsgOutSize = 16

// RecvmsgValidate takes a filled buffer apart: buf must have as many bytes as the
// completion's result says, msg be the one that the request was made with. It returns
// nil if the buffer is too short for what msg has room for (io_uring_recvmsg_validate).
func RecvmsgValidate(buf []byte, msg *Msghdr) *RecvmsgOut {
	if msg == nil {
		return nil
	}
	name, ctrl := uint64(msg.Namelen), uint64(msg.Controllen)
	if len(buf) < RecvmsgOutSize {
		return nil
	}
	rest := uint64(len(buf) - RecvmsgOutSize)
	if name > rest || ctrl > rest-name {
		return nil
	}
	head := (*[4]uint32)(unsafe.Pointer(unsafe.SliceData(buf)))
	return &RecvmsgOut{
		Namelen: head[0], Controllen: head[1], Payloadlen: head[2], Flags: head[3],
		buf: buf[RecvmsgOutSize:], name: int(name), ctrl: int(ctrl),
	}
}

// Name returns the sender's address as the kernel wrote it
// (io_uring_recvmsg_name).
func (o *RecvmsgOut) Name() []byte {
	return o.buf[:int(min(uint32(o.name), o.Namelen))]
}

// Sockaddr returns the sender's address.
func (o *RecvmsgOut) Sockaddr() *Sockaddr {
	s := new(Sockaddr)
	s.len = uint32(copy(s.raw[:], o.Name()))
	return s
}

// Control returns the control messages, for unix.ParseSocketControlMessage.
func (o *RecvmsgOut) Control() []byte {
	return o.buf[o.name : o.name+int(min(uint32(o.ctrl), o.Controllen))]
}

// CmsgFirsthdr returns the first control message, nil if there is none
// (io_uring_recvmsg_cmsg_firsthdr).
func (o *RecvmsgOut) CmsgFirsthdr() *Cmsghdr {
	if len(o.Control()) < sizeofCmsghdr {
		return nil
	}
	return (*Cmsghdr)(unsafe.Pointer(unsafe.SliceData(o.Control())))
}

// CmsgNexthdr returns the control message after cmsg, nil if that was the last
// (io_uring_recvmsg_cmsg_nexthdr).
func (o *RecvmsgOut) CmsgNexthdr(cmsg *Cmsghdr) *Cmsghdr {
	if cmsg == nil {
		return nil
	}
	ctrl := o.Control()
	start := uintptr(unsafe.Pointer(unsafe.SliceData(ctrl)))
	at := int(uintptr(unsafe.Pointer(cmsg)) - start)
	if cmsg.Len < sizeofCmsghdr || at < 0 || uint64(cmsg.Len) > uint64(len(ctrl)) {
		return nil
	}
	next := at + cmsgAlign(int(cmsg.Len))
	if next+sizeofCmsghdr > len(ctrl) {
		return nil
	}
	c := (*Cmsghdr)(unsafe.Pointer(&ctrl[next]))
	if next+cmsgAlign(int(min(uint64(c.Len), uint64(len(ctrl)+1)))) > len(ctrl) {
		return nil
	}
	return c
}

func cmsgAlign(n int) int {
	const word = int(unsafe.Sizeof(uintptr(0)))
	return (n + word - 1) &^ (word - 1)
}

// Payload returns the bytes that were received (io_uring_recvmsg_payload).
func (o *RecvmsgOut) Payload() []byte { return o.buf[o.name+o.ctrl:] }

// PayloadLength returns how many bytes were received
// (io_uring_recvmsg_payload_length).
func (o *RecvmsgOut) PayloadLength() int { return len(o.Payload()) }

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

// SockaddrFrom returns the address of an IP endpoint. An IPv6 zone must be the
// interface's number.
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

// Reset makes the address ready to be filled again: the kernel has shortened its length
// to what it stored.
func (s *Sockaddr) Reset() { *s = Sockaddr{len: uint32(len(s.raw))} }

// AddrPort returns the IP endpoint, or the zero value if the address is not one.
func (s *Sockaddr) AddrPort() netip.AddrPort {
	port := binary.BigEndian.Uint16(s.raw[2:])
	switch s.Family() {
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

// Family returns the address family (AF_INET, …).
func (s *Sockaddr) Family() uint16 { return binary.NativeEndian.Uint16(s.raw[:]) }

// String returns the address as net.Addr writes it.
func (s *Sockaddr) String() string {
	switch s.Family() {
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
