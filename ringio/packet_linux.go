//go:build linux

package ringio

import (
	"context"
	"io"
	"net"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"
)

// received is what came with a message.
type received struct {
	n, oobn, flags int
	from           unix.RawSockaddrAny // of no family if it was not told
}

// readMsg receives a message. call is the system call that net names in the error.
func (s *socket) readMsg(call string, p, oob []byte, flags int) (r received, err error) {
	if w := s.engine.watch; w.watches() {
		_, err = w.call(context.Background(), kindRecv, func() (n int, err error) {
			r, err = s.recvMessage(call, p, oob, flags)
			return 0, err
		})
		return r, err
	}
	return s.recvMessage(call, p, oob, flags)
}

func (s *socket) recvMessage(call string, p, oob []byte, flags int) (r received, err error) {
	if err := s.begin(&s.in); err != nil {
		return r, err
	}
	defer s.end(&s.in)
	if err := s.ready(&s.in); err != nil {
		return r, err
	}
	m := s.in.message()
	m.setUp(p, oob, int32(s.kind))
	m.forAddress()
	r.n, err = s.recvMsg(m, flags)
	if err == nil {
		r.oobn, r.flags, r.from = int(m.hdr.Controllen), int(m.hdr.Flags), m.name
		if r.n == 0 && s.kind != unix.SOCK_DGRAM {
			err = io.EOF
		}
	} else {
		if call == "recvmsg" {
			r.n = -1 // what it returned, as in net
		}
		err = s.failed(&s.in, call, err)
	}
	m.free()
	return r, err
}

// writeMsg sends a message, to a name if put stores one.
func (s *socket) writeMsg(call string, p, oob []byte, put func(m *message) error) (n int, err error) {
	if w := s.engine.watch; w.watches() {
		return w.call(context.Background(), kindSend, func() (int, error) { return s.sendMessage(call, p, oob, put) })
	}
	return s.sendMessage(call, p, oob, put)
}

func (s *socket) sendMessage(call string, p, oob []byte, put func(m *message) error) (n int, err error) {
	if err := s.begin(&s.out); err != nil {
		return 0, err
	}
	defer s.end(&s.out)
	if err := s.ready(&s.out); err != nil {
		return 0, err
	}
	m := s.out.message()
	m.setUp(p, oob, int32(s.kind))
	defer m.free()
	if put != nil {
		if err := put(m); err != nil {
			return 0, s.failed(&s.out, call, err)
		}
	}
	n, err = s.sendMsg(m)
	if err != nil {
		return 0, s.failed(&s.out, call, err)
	}
	if len(p) == 0 {
		n = 0 // not the byte that control messages need
	}
	return n, nil
}

// message returns the half's message, whose memory it keeps.
func (h *half) message() *message {
	if h.msg == nil {
		h.msg = new(message)
	}
	return h.msg
}

// sendError is the error of a message to an address.
func (c *conn) sendError(to net.Addr, err error) error {
	if err == nil {
		return nil
	}
	return &net.OpError{Op: "write", Net: c.s.network, Source: c.s.local, Addr: to, Err: err}
}

// udpConn is a UDPConn on the ring.
type udpConn struct{ conn }

func (c *udpConn) ReadFrom(b []byte) (int, net.Addr, error) {
	n, addr, err := c.ReadFromUDP(b)
	if addr == nil {
		return n, nil, err
	}
	return n, addr, err
}

func (c *udpConn) ReadFromUDP(b []byte) (int, *net.UDPAddr, error) {
	n, from, err := c.ReadFromUDPAddrPort(b)
	if err != nil {
		return n, nil, err
	}
	return n, net.UDPAddrFromAddrPort(from), nil
}

func (c *udpConn) ReadFromUDPAddrPort(b []byte) (int, netip.AddrPort, error) {
	r, err := c.s.readMsg("recvfrom", b, nil, 0)
	if err != nil {
		return 0, netip.AddrPort{}, c.s.opError("read", err)
	}
	return r.n, ipOf(&r.from), nil
}

func (c *udpConn) ReadMsgUDP(b, oob []byte) (n, oobn, flags int, addr *net.UDPAddr, err error) {
	n, oobn, flags, from, err := c.ReadMsgUDPAddrPort(b, oob)
	if from.IsValid() {
		addr = net.UDPAddrFromAddrPort(from)
	}
	return n, oobn, flags, addr, err
}

func (c *udpConn) ReadMsgUDPAddrPort(b, oob []byte) (n, oobn, flags int, addr netip.AddrPort, err error) {
	r, err := c.s.readMsg("recvmsg", b, oob, 0)
	addr = ipOf(&r.from)
	if !addr.IsValid() { // net has it so, with an error
		addr = netip.AddrPortFrom(c.unspecified(), 0)
	}
	return r.n, r.oobn, r.flags, addr, c.s.opError("read", err)
}

// unspecified returns the address that is none, of the socket's family.
func (c *udpConn) unspecified() netip.Addr {
	if c.s.family == unix.AF_INET {
		return netip.IPv4Unspecified()
	}
	return netip.IPv6Unspecified()
}

func (c *udpConn) WriteTo(b []byte, addr net.Addr) (int, error) {
	to, ok := addr.(*net.UDPAddr)
	if !ok {
		return 0, c.sendError(addr, syscall.EINVAL)
	}
	return c.WriteToUDP(b, to)
}

func (c *udpConn) WriteToUDP(b []byte, addr *net.UDPAddr) (int, error) {
	n, err := c.writeUDP("sendto", b, nil, addr, true)
	return n, c.sendError(udpOrNil(addr), err)
}

func (c *udpConn) WriteToUDPAddrPort(b []byte, addr netip.AddrPort) (int, error) {
	n, err := c.writeAddrPort("sendto", b, nil, addr, true)
	if err != nil {
		return n, c.sendError(addrPortUDP{addr}, err)
	}
	return n, nil // without an address made for nothing
}

func (c *udpConn) WriteMsgUDP(b, oob []byte, addr *net.UDPAddr) (n, oobn int, err error) {
	n, err = c.writeUDP("sendmsg", b, oob, addr, false)
	if err != nil {
		return n, 0, c.sendError(udpOrNil(addr), err)
	}
	return n, len(oob), nil
}

func (c *udpConn) WriteMsgUDPAddrPort(b, oob []byte, addr netip.AddrPort) (n, oobn int, err error) {
	n, err = c.writeAddrPort("sendmsg", b, oob, addr, false)
	if err != nil {
		return n, 0, c.sendError(addrPortUDP{addr}, err)
	}
	return n, len(oob), nil
}

// writeUDP sends to addr, or to the peer if there is one and needAddr allows that.
func (c *udpConn) writeUDP(call string, b, oob []byte, addr *net.UDPAddr, needAddr bool) (int, error) {
	if err := c.checkTarget(addr != nil, needAddr); err != nil {
		return 0, err
	}
	if addr == nil {
		return c.s.writeMsg(call, b, oob, nil)
	}
	to, err := udpTarget(c.s.family, addr)
	if err != nil {
		return 0, err
	}
	return c.s.writeMsg(call, b, oob, func(m *message) error { return m.putIP(c.s.family, to) })
}

func (c *udpConn) writeAddrPort(call string, b, oob []byte, to netip.AddrPort, needAddr bool) (int, error) {
	if err := c.checkTarget(to.IsValid(), needAddr); err != nil {
		return 0, err
	}
	if !to.IsValid() {
		return c.s.writeMsg(call, b, oob, nil)
	}
	return c.s.writeMsg(call, b, oob, func(m *message) error { return m.putIP(c.s.family, to) })
}

// checkTarget says whether an address may be given, and may be left out. As net has it, that
// depends on how the connection was made, not on whether the kernel knows a peer.
func (c *udpConn) checkTarget(given, needAddr bool) error {
	switch {
	case c.s.dialled && (given || needAddr):
		return net.ErrWriteToConnected
	case !c.s.dialled && !given:
		return errMissingAddress
	}
	return nil
}

func udpOrNil(a *net.UDPAddr) net.Addr {
	if a == nil {
		return nil
	}
	return a
}

// addrPortUDP is an address as a net.Addr.
type addrPortUDP struct{ netip.AddrPort }

func (addrPortUDP) Network() string { return "udp" }

// unixConn is a UnixConn on the ring.
type unixConn struct{ conn }

func (c *unixConn) CloseRead() error  { return c.closeRead() }
func (c *unixConn) CloseWrite() error { return c.closeWrite() }

func (c *unixConn) ReadFrom(b []byte) (int, net.Addr, error) {
	n, addr, err := c.ReadFromUnix(b)
	if addr == nil {
		return n, nil, err
	}
	return n, addr, err
}

func (c *unixConn) ReadFromUnix(b []byte) (int, *net.UnixAddr, error) {
	r, err := c.s.readMsg("recvfrom", b, nil, 0)
	return r.n, c.sender(&r), c.s.opError("read", err)
}

func (c *unixConn) ReadMsgUnix(b, oob []byte) (n, oobn, flags int, addr *net.UnixAddr, err error) {
	r, err := c.s.readMsg("recvmsg", b, oob, unix.MSG_CMSG_CLOEXEC)
	return r.n, r.oobn, r.flags, c.sender(&r), c.s.opError("read", err)
}

func (c *unixConn) sender(r *received) *net.UnixAddr {
	if name := unixName(&r.from); name != "" {
		return &net.UnixAddr{Name: name, Net: c.networkOfKind()}
	}
	return nil
}

func (c *unixConn) WriteTo(b []byte, addr net.Addr) (int, error) {
	to, ok := addr.(*net.UnixAddr)
	if !ok {
		return 0, c.sendError(addr, syscall.EINVAL)
	}
	return c.WriteToUnix(b, to)
}

func (c *unixConn) WriteToUnix(b []byte, addr *net.UnixAddr) (int, error) {
	var n int
	err := error(errMissingAddress)
	switch {
	case c.s.dialled:
		err = net.ErrWriteToConnected
	case addr != nil:
		n, err = c.writeUnix("sendto", b, nil, addr)
	}
	return n, c.sendError(unixOrNil(addr), err)
}

func (c *unixConn) WriteMsgUnix(b, oob []byte, addr *net.UnixAddr) (n, oobn int, err error) {
	if c.s.kind == unix.SOCK_DGRAM && c.s.dialled {
		err = net.ErrWriteToConnected
	} else {
		n, err = c.writeUnix("sendmsg", b, oob, addr)
	}
	if err != nil {
		return n, 0, c.sendError(unixOrNil(addr), err)
	}
	return n, len(oob), nil
}

func (c *unixConn) writeUnix(call string, b, oob []byte, addr *net.UnixAddr) (int, error) {
	if addr == nil {
		return c.s.writeMsg(call, b, oob, nil)
	}
	if addr.Net != c.networkOfKind() {
		return 0, syscall.EAFNOSUPPORT
	}
	return c.s.writeMsg(call, b, oob, func(m *message) error { return m.putUnix(addr.Name) })
}

// networkOfKind names the network by the socket's kind.
func (c *unixConn) networkOfKind() string {
	switch c.s.kind {
	case unix.SOCK_DGRAM:
		return "unixgram"
	case unix.SOCK_SEQPACKET:
		return "unixpacket"
	}
	return "unix"
}

func unixOrNil(a *net.UnixAddr) net.Addr {
	if a == nil {
		return nil
	}
	return a
}
