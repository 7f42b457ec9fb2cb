package liburing

import "unsafe"

// NewMsghdr returns a message for Sendmsg: bufs, one after the other, to an address,
// nil where the socket is connected, with control messages, such as
// unix.UnixRights makes, or nil. For Recvmsg it has the room for what comes: a
// NewSockaddr, which gets the sender's address, memory for the control messages, and
// buffers for the bytes. The message keeps all of these alive.
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

// Control returns the control messages that a Recvmsg has stored, for
// unix.ParseSocketControlMessage.
func Control(msg *Msghdr) []byte {
	if msg == nil || msg.Control == nil {
		return nil
	}
	return unsafe.Slice(msg.Control, msg.Controllen)
}
