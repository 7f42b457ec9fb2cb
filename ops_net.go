package liburing

import "unsafe"

// Operations on sockets.

// PrepSocket makes a socket, as socket(2) does; the result is its descriptor
// (io_uring_prep_socket). flags must be 0 so far. Least kernel: 5.19.
func (s *SQE) PrepSocket(domain, typ, protocol int, flags uint32) {
	s.PrepRW(OpSocket, domain, 0, uint32(protocol), uint64(int64(typ)))
	s.OpFlags = flags
}

// PrepSocketDirect makes a socket in a place of the registered files; with
// FileIndexAlloc the kernel picks the place and the result is its number
// (io_uring_prep_socket_direct). Least kernel: 5.19.
func (s *SQE) PrepSocketDirect(domain, typ, protocol int, fileIndex, flags uint32) {
	s.PrepSocket(domain, typ, protocol, flags)
	s.setAllocatedFile(fileIndex)
}

// PrepSocketDirectAlloc is PrepSocketDirect with a place that the kernel picks
// (io_uring_prep_socket_direct_alloc). Least kernel: 5.19.
func (s *SQE) PrepSocketDirectAlloc(domain, typ, protocol int, flags uint32) {
	s.PrepSocketDirect(domain, typ, protocol, FileIndexAlloc, flags)
}

// PrepBind gives a socket its address (io_uring_prep_bind). The address needs
// to live until the request is submitted. Least kernel: 6.11.
func (s *SQE) PrepBind(fd int, to *Sockaddr) {
	s.PrepRW(OpBind, fd, to.addr(), 0, uint64(to.length()))
}

// PrepListen makes a socket accept connections (io_uring_prep_listen). Least
// kernel: 6.11.
func (s *SQE) PrepListen(fd, backlog int) {
	s.PrepRW(OpListen, fd, 0, uint32(backlog), 0)
}

// PrepAcceptDirect accepts a connection into a place of the registered files;
// with FileIndexAlloc the kernel picks the place and the result is its number
// (io_uring_prep_accept_direct). Least kernel: 5.15.
func (s *SQE) PrepAcceptDirect(fd int, peer *Sockaddr, flags int, fileIndex uint32) {
	s.PrepAccept(fd, peer, flags)
	s.setAllocatedFile(fileIndex)
}

// PrepMultishotAccept accepts connections until it is cancelled or fails, one
// completion with CQEFMore each (io_uring_prep_multishot_accept). peer, if not
// nil, is overwritten by each. Least kernel: 5.19.
func (s *SQE) PrepMultishotAccept(fd int, peer *Sockaddr, flags int) {
	s.PrepAccept(fd, peer, flags)
	s.IOPrio |= uint16(AcceptMultishot)
}

// PrepMultishotAcceptDirect accepts like PrepMultishotAccept, into places of the
// registered files that the kernel picks
// (io_uring_prep_multishot_accept_direct). Least kernel: 5.19.
func (s *SQE) PrepMultishotAcceptDirect(fd int, peer *Sockaddr, flags int) {
	s.PrepMultishotAccept(fd, peer, flags)
	s.setAllocatedFile(FileIndexAlloc)
}

// PrepShutdown ends one or both directions of a connection, as shutdown(2) does
// (io_uring_prep_shutdown). Least kernel: 5.11.
func (s *SQE) PrepShutdown(fd, how int) {
	s.PrepRW(OpShutdown, fd, 0, uint32(how), 0)
}

// PrepSendBundle sends as many buffers of a group as there are, at most length
// bytes if that is not 0, in one go; the flag SQEBufferSelect and SetBufGroup
// say which group (io_uring_prep_send_bundle). The first buffer's number comes
// with the completion, the others follow it. Least kernel: 6.10.
func (s *SQE) PrepSendBundle(fd int, length uint32, flags int) {
	s.PrepRW(OpSend, fd, 0, length, 0)
	s.OpFlags = uint32(flags)
	s.IOPrio |= uint16(RecvSendBundle)
}

// PrepSendSetAddr gives a send request that was prepared a destination, for
// sockets without a connection (io_uring_prep_send_set_addr). The address needs
// to live until the request is submitted. Least kernel: 6.0 for PrepSendZC, 6.1
// for PrepSend.
func (s *SQE) PrepSendSetAddr(to *Sockaddr) {
	s.Off = to.addr()
	addrLen := (*uint16)(unsafe.Pointer(&s.FileIndex))
	*addrLen = uint16(to.length())
}

// PrepSendto sends buf to an address (io_uring_prep_sendto). The address needs
// to live until the request is submitted. Least kernel: 6.1.
func (s *SQE) PrepSendto(fd int, buf []byte, flags int, to *Sockaddr) {
	s.PrepSend(fd, buf, flags)
	s.PrepSendSetAddr(to)
}

// PrepSendZC sends buf without copying it (io_uring_prep_send_zc). Two
// completions come: the result, with CQEFMore, and when the network is done
// with buf another with CQEFNotif, as a rule also if the first is an error; More
// tells. zcFlags
// are those of SQE.IOPrio, such as SendZCReportUsage. Least kernel: 6.0.
func (s *SQE) PrepSendZC(fd int, buf []byte, flags int, zcFlags RecvSendFlags) {
	s.PrepRW(OpSendZC, fd, data(buf), rwLen(buf), 0)
	s.OpFlags = uint32(flags)
	s.IOPrio = uint16(zcFlags)
}

// PrepSendZCFixed sends like PrepSendZC from the registered buffer bufIndex, in
// which buf lies (io_uring_prep_send_zc_fixed). Least kernel: 6.0.
func (s *SQE) PrepSendZCFixed(fd int, buf []byte, flags int, zcFlags RecvSendFlags, bufIndex int) {
	s.PrepSendZC(fd, buf, flags, zcFlags)
	s.IOPrio |= uint16(RecvSendFixedBuf)
	s.BufIndex = bufPlace(bufIndex)
}

// PrepSendmsg sends a message (io_uring_prep_sendmsg). msg and the iovecs need
// to live until the request is submitted (FeatSubmitStable), the data until the
// completion. Least kernel: 5.3.
func (s *SQE) PrepSendmsg(fd int, msg *Msghdr, flags uint32) {
	s.PrepRW(OpSendmsg, fd, addr(msg), 1, 0)
	s.OpFlags = flags
}

// PrepSendmsgZC sends a message without copying it; see PrepSendZC for its
// completions (io_uring_prep_sendmsg_zc). Least kernel: 6.1.
func (s *SQE) PrepSendmsgZC(fd int, msg *Msghdr, flags uint32) {
	s.PrepSendmsg(fd, msg, flags)
	s.Opcode = OpSendmsgZC
}

// PrepSendmsgZCFixed sends like PrepSendmsgZC from the registered buffer
// bufIndex, in which the message's data lies (io_uring_prep_sendmsg_zc_fixed).
// Least kernel: 6.15.
func (s *SQE) PrepSendmsgZCFixed(fd int, msg *Msghdr, flags uint32, bufIndex int) {
	s.PrepSendmsgZC(fd, msg, flags)
	s.IOPrio |= uint16(RecvSendFixedBuf)
	s.BufIndex = bufPlace(bufIndex)
}

// PrepRecvmsg receives a message into the buffers that msg names
// (io_uring_prep_recvmsg). msg, and all that it names, need to live until the
// completion: the kernel writes to it. Least kernel: 5.3.
func (s *SQE) PrepRecvmsg(fd int, msg *Msghdr, flags uint32) {
	s.PrepRW(OpRecvmsg, fd, addr(msg), 1, 0)
	s.OpFlags = flags
}

// PrepRecvmsgMultishot receives messages into buffers of a group until it is
// cancelled, fails, or the group has run dry (ENOBUFS), one completion with
// CQEFMore each (io_uring_prep_recvmsg_multishot). The flag SQEBufferSelect and
// SetBufGroup say which group; of msg only Namelen and Controllen count.
// RecvmsgOut takes a buffer apart. Least kernel: 6.0.
func (s *SQE) PrepRecvmsgMultishot(fd int, msg *Msghdr, flags uint32) {
	s.PrepRecvmsg(fd, msg, flags)
	s.IOPrio |= uint16(RecvMultishot)
}

// PrepRecvMultishot receives again and again until it is cancelled, fails, the
// peer closes, or the buffers have run dry (ENOBUFS), one completion with
// CQEFMore each (io_uring_prep_recv_multishot). buf must be nil; the flag
// SQEBufferSelect and SetBufGroup say which group of buffers to use. Least
// kernel: 6.0.
func (s *SQE) PrepRecvMultishot(fd int, buf []byte, flags int) {
	s.PrepRecv(fd, buf, flags)
	s.IOPrio |= uint16(RecvMultishot)
}

// PrepCmdSock has a socket carry out a command: SocketOpSIOCINQ, SocketOpSIOCOUTQ,
// SocketOpGetsockopt, SocketOpSetsockopt (io_uring_prep_cmd_sock). The result is
// the number asked for, or the option's length. Least kernel: 6.7.
func (s *SQE) PrepCmdSock(op SocketOp, fd, level, optname int, optval []byte) {
	s.PrepURingCmd(uint32(op), fd)
	*halves(&s.Addr) = [2]uint32{uint32(level), uint32(optname)}
	s.FileIndex = rwLen(optval)
	s.Addr3 = data(optval)
}

// PrepCmdGetsockname stores a socket's address, or with peer 1 its peer's, in
// name (io_uring_prep_cmd_getsockname). Least kernel: 6.19.
func (s *SQE) PrepCmdGetsockname(fd int, name *Sockaddr, peer int) {
	s.PrepURingCmd(uint32(SocketOpGetsockname), fd)
	s.Addr = name.addr()
	s.Addr3 = name.addrLenAddr()
	s.FileIndex = uint32(peer)
}
