package liburing

import "math"

// This file has liburing's io_uring_prep_* functions, one method of SQE each,
// in C on liburing.h's side and in Go here, on the same memory. A test compares
// the bytes.
//
// A new operation goes here. The Loop's method of the same name, which binds a
// callback and keeps the memory, is generated from the signature
// (zz_loop_ops.go, by internal/gen).
//
// What holds for all of them: memory that is passed must stay reachable and
// untouched until the request's terminal completion, the one without CQEFMore;
// an operation that this kernel does not know completes with EINVAL. Errors are
// those of the system call that the operation is named after, as a negative
// number in CQE.Res.

//go:generate go run ./internal/gen

// maxRW is what Linux transfers at most in one call; longer slices are cut to
// it, as read(2) and write(2) do, rather than have their length wrap around.
const maxRW = 0x7ffff000

func rwLen[T any](s []T) uint32 { return uint32(min(len(s), maxRW)) }

// bufPlace is the index of a registered buffer as an entry holds it. One that
// does not fit would name another buffer; it becomes the greatest instead, where
// the kernel never has one: EFAULT.
func bufPlace(index int) uint16 { return uint16(min(uint(index), math.MaxUint16)) }

// descriptor returns fd as C has it. One that is too large for C does not become
// another one, but one that the kernel refuses (EBADF).
func descriptor(fd int) int32 {
	if int(int32(fd)) != fd {
		return math.MinInt32
	}
	return int32(fd)
}

// PrepRW fills what all operations have in common (io_uring_prep_rw): for an
// operation that this package has no method for.
func (s *SQE) PrepRW(op Op, fd int, addr uint64, length uint32, offset uint64) {
	s.Opcode = op
	s.FD = descriptor(fd)
	s.Off = offset
	s.Addr = addr
	s.Len = length
}

// PrepNop does nothing but complete, with result 0 (io_uring_prep_nop). Least
// kernel: 5.1.
func (s *SQE) PrepNop() {
	s.PrepRW(OpNop, -1, 0, 0, 0)
}

// PrepRead reads into buf from a file offset, or from the file position if
// offset is ^uint64(0); the result is the number of bytes, 0 at the end of the
// file (io_uring_prep_read). Sockets and pipes want offset 0. Least kernel: 5.6.
func (s *SQE) PrepRead(fd int, buf []byte, offset uint64) {
	s.PrepRW(OpRead, fd, data(buf), rwLen(buf), offset)
}

// PrepWrite writes buf at a file offset, or at the file position if offset is
// ^uint64(0); the result is the number of bytes (io_uring_prep_write). A write at
// the file position that is cut short (a full disk, a limit) leaves the position
// where it was, on 6.18 at least: give offsets where that may happen. Least
// kernel: 5.6.
func (s *SQE) PrepWrite(fd int, buf []byte, offset uint64) {
	s.PrepRW(OpWrite, fd, data(buf), rwLen(buf), offset)
}

// PrepReadv reads into several buffers, one after the other
// (io_uring_prep_readv). The iovecs need to live until the request is submitted
// (FeatSubmitStable), what they point to until the completion. At most 1024
// iovecs. Least kernel: 5.1.
func (s *SQE) PrepReadv(fd int, iovecs []Iovec, offset uint64) {
	s.PrepRW(OpReadv, fd, data(iovecs), rwLen(iovecs), offset)
}

// PrepWritev writes several buffers, one after the other
// (io_uring_prep_writev). Lifetimes and limits are those of PrepReadv. Least
// kernel: 5.1.
func (s *SQE) PrepWritev(fd int, iovecs []Iovec, offset uint64) {
	s.PrepRW(OpWritev, fd, data(iovecs), rwLen(iovecs), offset)
}

// PrepReadFixed reads like PrepRead into buf, which lies within the registered
// buffer bufIndex, and so saves the kernel looking its pages up
// (io_uring_prep_read_fixed). EFAULT if it does not lie there. Least kernel: 5.1.
func (s *SQE) PrepReadFixed(fd int, buf []byte, offset uint64, bufIndex int) {
	s.PrepRW(OpReadFixed, fd, data(buf), rwLen(buf), offset)
	s.BufIndex = bufPlace(bufIndex)
}

// PrepWriteFixed writes like PrepWrite from buf, which lies within the
// registered buffer bufIndex (io_uring_prep_write_fixed). Least kernel: 5.1.
func (s *SQE) PrepWriteFixed(fd int, buf []byte, offset uint64, bufIndex int) {
	s.PrepRW(OpWriteFixed, fd, data(buf), rwLen(buf), offset)
	s.BufIndex = bufPlace(bufIndex)
}

// PrepFsync flushes a file to its device, with FsyncDatasync without the
// metadata that is not needed to read it back (io_uring_prep_fsync). It is not
// ordered with writes in flight: link it behind them. Least kernel: 5.1.
func (s *SQE) PrepFsync(fd int, flags FsyncFlags) {
	s.PrepRW(OpFsync, fd, 0, 0, 0)
	s.OpFlags = uint32(flags)
}

// PrepOpenat opens a file; the result is the descriptor (io_uring_prep_openat).
// The path needs to live until the request is submitted (FeatSubmitStable).
// Least kernel: 5.6.
func (s *SQE) PrepOpenat(dfd int, path *byte, flags int, mode uint32) {
	s.PrepRW(OpOpenat, dfd, addr(path), mode, 0)
	s.OpFlags = uint32(flags)
}

// PrepClose closes a descriptor (io_uring_prep_close). Requests that are in
// flight on it go on: cancel them first. Least kernel: 5.6.
func (s *SQE) PrepClose(fd int) {
	s.PrepRW(OpClose, fd, 0, 0, 0)
}

// PrepStatx stores what statx(2) tells of a file (io_uring_prep_statx). The
// path needs to live until the request is submitted, statx until the
// completion. Least kernel: 5.6.
func (s *SQE) PrepStatx(dfd int, path *byte, flags int, mask uint32, statx *Statx) {
	s.PrepRW(OpStatx, dfd, addr(path), mask, addr(statx))
	s.OpFlags = uint32(flags)
}

// PrepTimeout completes after a time, with ETIME, or with 0 once count other
// requests have completed, whichever comes first; count 0 means never mind
// (io_uring_prep_timeout). ts needs to live until the request is submitted.
// Least kernel: 5.4.
func (s *SQE) PrepTimeout(ts *Timespec, count uint32, flags TimeoutFlags) {
	s.PrepRW(OpTimeout, -1, addr(ts), 1, uint64(count))
	s.OpFlags = uint32(flags)
}

// PrepCancel64 cancels the request with the given user data, or with
// AsyncCancelAny and AsyncCancelAll all that are in flight, whatever theirs
// (io_uring_prep_cancel64). The result is 0 if it was found and cancelled,
// ENOENT if not found, EALREADY if it is too late to stop it; with
// AsyncCancelAll the number of those cancelled. The cancelled request completes
// itself, as a rule with ECANCELED. Least kernel: 5.5.
func (s *SQE) PrepCancel64(userData uint64, flags CancelFlags) {
	s.PrepRW(OpAsyncCancel, -1, userData, 0, 0)
	s.OpFlags = uint32(flags)
}

// PrepCancelFD cancels a request on a descriptor, with AsyncCancelAll every one
// (io_uring_prep_cancel_fd). Least kernel: 5.19.
func (s *SQE) PrepCancelFD(fd int, flags CancelFlags) {
	s.PrepRW(OpAsyncCancel, fd, 0, 0, 0)
	s.OpFlags = uint32(flags | AsyncCancelFD)
}

// PrepPollAdd waits until a descriptor is ready; mask has the events of
// poll(2), and so has the result (io_uring_prep_poll_add). Least kernel: 5.1.
func (s *SQE) PrepPollAdd(fd int, mask uint32) {
	s.PrepRW(OpPollAdd, fd, 0, 0, 0)
	s.OpFlags = pollMask(mask)
}

// PrepAccept accepts a connection; the result is its descriptor
// (io_uring_prep_accept). The peer's address is stored in peer, which may be
// nil. flags are those of accept4(2). Least kernel: 5.5.
func (s *SQE) PrepAccept(fd int, peer *Sockaddr, flags int) {
	s.PrepRW(OpAccept, fd, peer.addr(), 0, peer.addrLenAddr())
	s.OpFlags = uint32(flags)
}

// PrepConnect connects a socket (io_uring_prep_connect). The address needs to
// live until the request is submitted. Least kernel: 5.5.
func (s *SQE) PrepConnect(fd int, to *Sockaddr) {
	s.PrepRW(OpConnect, fd, to.addr(), 0, uint64(to.length()))
}

// PrepSend sends buf on a socket; the result is the number of bytes
// (io_uring_prep_send). flags are those of send(2), without MSG_WAITALL it may
// be less than all. Least kernel: 5.6.
func (s *SQE) PrepSend(fd int, buf []byte, flags int) {
	s.PrepRW(OpSend, fd, data(buf), rwLen(buf), 0)
	s.OpFlags = uint32(flags)
}

// PrepRecv receives into buf from a socket; the result is the number of bytes,
// 0 when the peer has closed (io_uring_prep_recv). flags are those of recv(2).
// Least kernel: 5.6.
func (s *SQE) PrepRecv(fd int, buf []byte, flags int) {
	s.PrepRW(OpRecv, fd, data(buf), rwLen(buf), 0)
	s.OpFlags = uint32(flags)
}
