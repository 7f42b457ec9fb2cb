package liburing

import "unsafe"

// Operations on sockets.

// PrepSocket makes a socket, as socket(2) does; the result is its descriptor
// (io_uring_prep_socket). Ask for SOCK_CLOEXEC in typ if you want it; flags must be 0
// so far. Needs Linux 5.19.
func (s *SQE) PrepSocket(domain, typ, protocol int, flags uint32) {
	s.PrepRW(OpSocket, domain, 0, uint32(protocol), uint64(int64(typ)))
	s.OpFlags = flags
}

// PrepSocketDirect is PrepSocket into the place fileIndex of the registered
// files (io_uring_prep_socket_direct). The result is 0; with FileIndexAlloc the
// kernel picks the place and the result is its number, or ENFILE if none is
// free. EINVAL with SOCK_CLOEXEC. Needs Linux 5.19.
func (s *SQE) PrepSocketDirect(domain, typ, protocol int, fileIndex, flags uint32) {
	s.PrepSocket(domain, typ, protocol, flags)
	s.setAllocatedFile(fileIndex)
}

// PrepSocketDirectAlloc is PrepSocketDirect with a place that the kernel picks,
// the result (io_uring_prep_socket_direct_alloc). Needs Linux 5.19.
func (s *SQE) PrepSocketDirectAlloc(domain, typ, protocol int, flags uint32) {
	s.PrepSocketDirect(domain, typ, protocol, FileIndexAlloc, flags)
}

// PrepBind gives a socket its address (io_uring_prep_bind). Needs Linux 6.11.
//
// The address needs to live until the request is submitted.
func (s *SQE) PrepBind(fd int, to *Sockaddr) {
	s.PrepRW(OpBind, fd, to.addr(), 0, uint64(to.length()))
}

// PrepListen makes a socket listen for connections, of which at most backlog wait to be
// accepted (io_uring_prep_listen). Needs Linux 6.11.
func (s *SQE) PrepListen(fd, backlog int) {
	s.PrepRW(OpListen, fd, 0, uint32(backlog), 0)
}

// PrepAccept accepts a connection; the result is its descriptor (io_uring_prep_accept).
// The peer's address is stored in peer, which may be nil. flags are those of
// accept4(2): ask for SOCK_CLOEXEC if you want it. Needs Linux 5.5.
func (s *SQE) PrepAccept(fd int, peer *Sockaddr, flags int) {
	s.PrepRW(OpAccept, fd, peer.addr(), 0, peer.addrLenAddr())
	s.OpFlags = uint32(flags)
}

// PrepAcceptDirect is PrepAccept into the place fileIndex of the registered
// files (io_uring_prep_accept_direct). The result is 0; with FileIndexAlloc the
// kernel picks the place and the result is its number, or ENFILE if none is
// free: then the connection is lost. EINVAL with SOCK_CLOEXEC. Needs Linux
// 5.15.
func (s *SQE) PrepAcceptDirect(fd int, peer *Sockaddr, flags int, fileIndex uint32) {
	s.PrepAccept(fd, peer, flags)
	s.setAllocatedFile(fileIndex)
}

// PrepMultishotAccept accepts connections until it is cancelled or fails, as PrepAccept
// does, one completion with CQEFMore each (io_uring_prep_multishot_accept). peer, if
// not nil, is overwritten by each. The limit of descriptors is the one at the time the
// request was made. Needs Linux 5.19.
func (s *SQE) PrepMultishotAccept(fd int, peer *Sockaddr, flags int) {
	s.PrepAccept(fd, peer, flags)
	s.IOPrio |= uint16(AcceptMultishot)
}

// PrepMultishotAcceptDirect is PrepMultishotAccept into places of the
// registered files that the kernel picks; the results are their numbers
// (io_uring_prep_multishot_accept_direct). ENFILE if none is free: then the
// connection is lost, so have a place for each. Needs Linux 5.19.
func (s *SQE) PrepMultishotAcceptDirect(fd int, peer *Sockaddr, flags int) {
	s.PrepMultishotAccept(fd, peer, flags)
	s.setAllocatedFile(FileIndexAlloc)
}

// PrepConnect connects a socket (io_uring_prep_connect). It waits until the connection
// is made or refused, even if the socket is O_NONBLOCK. Needs Linux 5.5.
//
// The address needs to live until the request is submitted.
func (s *SQE) PrepConnect(fd int, to *Sockaddr) {
	s.PrepRW(OpConnect, fd, to.addr(), 0, uint64(to.length()))
}

// PrepShutdown ends one or both directions of a connection, as shutdown(2) does
// (io_uring_prep_shutdown). It always takes a worker thread. Needs Linux 5.11.
func (s *SQE) PrepShutdown(fd, how int) {
	s.PrepRW(OpShutdown, fd, 0, uint32(how), 0)
}

// PrepSend sends buf on a socket (io_uring_prep_send). The result is the number of
// bytes, on a stream without MSG_WAITALL possibly less than all. flags are those of
// send(2). Several sends in flight on one stream may overtake each other: use a
// loopio.Writer, which keeps their order, or wait for one before you make the next, or
// link them, with MSG_WAITALL so that a short one ends the chain. Needs Linux 5.6.
func (s *SQE) PrepSend(fd int, buf []byte, flags int) {
	s.PrepRW(OpSend, fd, data(buf), rwLen(buf), 0)
	s.OpFlags = uint32(flags)
}

// PrepSendto is PrepSend to an address, for sockets without a connection
// (io_uring_prep_sendto). Needs Linux 6.1.
//
// The address needs to live until the request is submitted.
func (s *SQE) PrepSendto(fd int, buf []byte, flags int, to *Sockaddr) {
	s.PrepSend(fd, buf, flags)
	s.PrepSendSetAddr(to)
}

// PrepSendSetAddr gives a send request that was prepared a destination, for
// sockets without a connection (io_uring_prep_send_set_addr). The address needs
// to live until the request is submitted. Needs Linux 6.0 for PrepSendZC, 6.1
// for PrepSend.
func (s *SQE) PrepSendSetAddr(to *Sockaddr) {
	s.Off = to.addr()
	addrLen := (*uint16)(unsafe.Pointer(&s.FileIndex))
	*addrLen = uint16(to.length())
}

// PrepSendBundle sends as many buffers of a group as there are in one go, on a stream
// (io_uring_prep_send_bundle). length, if not 0, limits what the first completion may
// have sent, not what comes after it. The first buffer's number comes with the
// completion, the others follow it; a bundle that fails or sends less than all has used
// up all its buffers. Encrypted sockets (kTLS) refuse it (EOPNOTSUPP). Needs Linux
// 6.10.
//
// The flag SQEBufferSelect and SetBufGroup say which group.
//
//loop:doc Request.Flags with SQEBufferSelect, and SetBufGroup of Request.SQE, say which
//loop:doc group.
func (s *SQE) PrepSendBundle(fd int, length uint32, flags int) {
	s.PrepRW(OpSend, fd, 0, length, 0)
	s.OpFlags = uint32(flags)
	s.IOPrio |= uint16(RecvSendBundle)
}

// PrepSendZC sends buf on a socket without copying it (io_uring_prep_send_zc). There
// are two completions: the result, the number of bytes, with CQEFMore, and another with
// CQEFNotif when the network is done with buf, which must not change until then. As a
// rule the second one comes even if the first is an error; CQEFMore tells. flags are
// those of send(2), zcFlags those of the kernel, such as SendZCReportUsage. Short sends
// and the order of several are as with PrepSend. Sockets that can't do this (Unix
// sockets among them) refuse it (EOPNOTSUPP). Needs Linux 6.0.
//
// zcFlags are for SQE.IOPrio.
func (s *SQE) PrepSendZC(fd int, buf []byte, flags int, zcFlags RecvSendFlags) {
	s.PrepRW(OpSendZC, fd, data(buf), rwLen(buf), 0)
	s.OpFlags = uint32(flags)
	s.IOPrio = uint16(zcFlags)
}

// PrepSendZCFixed is PrepSendZC from the registered buffer bufIndex, in which
// buf lies (io_uring_prep_send_zc_fixed). EFAULT if it does not. Needs Linux
// 6.0.
func (s *SQE) PrepSendZCFixed(fd int, buf []byte, flags int, zcFlags RecvSendFlags, bufIndex int) {
	s.PrepSendZC(fd, buf, flags, zcFlags)
	s.IOPrio |= uint16(RecvSendFixedBuf)
	s.BufIndex = bufPlace(bufIndex)
}

// PrepSendmsg sends a message of several buffers, to an address or with control
// messages if msg has them (io_uring_prep_sendmsg). The result is the number of
// bytes, on a stream without MSG_WAITALL possibly less than all. flags are
// those of sendmsg(2). Several sends in flight on one stream may overtake each
// other: wait for one before you make the next, or link them, with MSG_WAITALL
// so that a short one ends the chain. Needs Linux 5.3.
//
// msg and the iovecs need to live until the request is submitted
// (FeatSubmitStable), the data until the completion.
func (s *SQE) PrepSendmsg(fd int, msg *Msghdr, flags uint32) {
	s.PrepRW(OpSendmsg, fd, addr(msg), 1, 0)
	s.OpFlags = flags
}

// PrepSendmsgZC is PrepSendmsg without copying the data; its two completions
// are those of PrepSendZC (io_uring_prep_sendmsg_zc). Needs Linux 6.1.
func (s *SQE) PrepSendmsgZC(fd int, msg *Msghdr, flags uint32) {
	s.PrepSendmsg(fd, msg, flags)
	s.Opcode = OpSendmsgZC
}

// PrepSendmsgZCFixed is PrepSendmsgZC from the registered buffer bufIndex, in
// which the message's data lies (io_uring_prep_sendmsg_zc_fixed). EFAULT if it
// does not. Needs Linux 6.15.
func (s *SQE) PrepSendmsgZCFixed(fd int, msg *Msghdr, flags uint32, bufIndex int) {
	s.PrepSendmsgZC(fd, msg, flags)
	s.IOPrio |= uint16(RecvSendFixedBuf)
	s.BufIndex = bufPlace(bufIndex)
}

// PrepRecv receives into buf from a socket (io_uring_prep_recv). The result is the
// number of bytes: from a stream, as many as are there, or with MSG_WAITALL all of buf,
// and 0 when the peer has closed; from a datagram socket, those of one datagram, which
// may be empty, and what buf has no room for is lost. flags are those of recv(2); with
// MSG_TRUNC the result is the datagram's length, even if that is more than buf holds.
// Needs Linux 5.6.
//
//loop:doc With a nil buf, Request.Buffers names a group that the memory comes from.
func (s *SQE) PrepRecv(fd int, buf []byte, flags int) {
	s.PrepRW(OpRecv, fd, data(buf), rwLen(buf), 0)
	s.OpFlags = uint32(flags)
}

// PrepRecvMultishot receives repeatedly, as PrepRecv does, with one completion with
// CQEFMore each (io_uring_prep_recv_multishot): until it is cancelled, fails, the peer
// closes, an empty datagram comes, or the buffers have run out (ENOBUFS). buf must be
// nil: the memory comes from a group of buffers. MSG_WAITALL is refused (EINVAL). Needs
// Linux 6.0.
//
// SQE.Len, if not 0, limits each completion, SQE.FileIndex (optlen in C) all of them
// together: the request ends when that is reached, with up to a buffer more unless it
// is a bundle. Both need Linux 6.17.
//
// The flag SQEBufferSelect and SetBufGroup say which group.
//
//loop:doc Request.Buffers says which group, and Rearm makes the request again.
func (s *SQE) PrepRecvMultishot(fd int, buf []byte, flags int) {
	s.PrepRecv(fd, buf, flags)
	s.IOPrio |= uint16(RecvMultishot)
}

// PrepRecvmsg receives a message into the buffers that msg names, with the sender's
// address and control messages if it has room for them (io_uring_prep_recvmsg). The
// result is the number of bytes, 0 if the peer has closed the stream or the datagram is
// empty; msg.Flags tells what was cut. flags are those of recvmsg(2). Needs Linux 5.3.
//
// msg, and all that it names, need to live until the completion: the kernel
// writes to it.
func (s *SQE) PrepRecvmsg(fd int, msg *Msghdr, flags uint32) {
	s.PrepRW(OpRecvmsg, fd, addr(msg), 1, 0)
	s.OpFlags = flags
}

// PrepRecvmsgMultishot receives messages into buffers of a group, one completion with
// CQEFMore each, until it is cancelled, fails, or the group has run out (ENOBUFS)
// (io_uring_prep_recvmsg_multishot). Of msg only Namelen and Controllen count: the room
// for the sender's address and for control messages, which follow a header and precede
// the payload in each buffer; RecvmsgValidate takes it apart. A payload of 0 bytes ends
// it: the peer has closed, or the datagram was empty. Needs Linux 6.0.
//
// The flag SQEBufferSelect and SetBufGroup say which group.
//
//loop:doc Request.Buffers says which group.
func (s *SQE) PrepRecvmsgMultishot(fd int, msg *Msghdr, flags uint32) {
	s.PrepRecvmsg(fd, msg, flags)
	s.IOPrio |= uint16(RecvMultishot)
}

// PrepCmdSock makes a socket carry out a command (io_uring_prep_cmd_sock):
// SocketOpSIOCINQ and SocketOpSIOCOUTQ, whose result is a number of bytes,
// SocketOpGetsockopt (level SOL_SOCKET only), whose result is the option's length, or
// SocketOpSetsockopt. optval holds the option. EOPNOTSUPP if the socket does not know
// the command. SocketOpTXTimestamp, which reports the times of sent packets in big
// completions, takes no option: use PrepURingCmd for it. Needs Linux 6.7.
func (s *SQE) PrepCmdSock(op SocketOp, fd, level, optname int, optval []byte) {
	s.PrepURingCmd(uint32(op), fd)
	*halves(&s.Addr) = [2]uint32{uint32(level), uint32(optname)}
	s.FileIndex = rwLen(optval)
	s.Addr3 = data(optval)
}

// PrepCmdGetsockname stores a socket's address in name, or if peer is set that
// of its peer (io_uring_prep_cmd_getsockname). Needs Linux 6.19.
//
// peer is 0 or 1.
func (s *SQE) PrepCmdGetsockname(fd int, name *Sockaddr, peer int) {
	s.PrepURingCmd(uint32(SocketOpGetsockname), fd)
	s.Addr = name.addr()
	s.Addr3 = name.addrLenAddr()
	s.FileIndex = uint32(peer)
}
