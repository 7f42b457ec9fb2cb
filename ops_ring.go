package liburing

import "unsafe"

// Operations on the ring itself, on other rings, and commands of drivers.

// PrepNop does nothing but complete, with result 0 (io_uring_prep_nop). Needs
// Linux 5.1.
func (s *SQE) PrepNop() {
	s.PrepRW(OpNop, -1, 0, 0, 0)
}

// PrepNop128 is PrepNop in a big entry (io_uring_prep_nop128). EINVAL if the ring has
// no big entries. Needs Linux 6.19.
//
// See GetSQE128.
//
//loop:doc A loop has them with SetupSQEMixed or SetupSQE128.
func (s *SQE) PrepNop128() {
	s.PrepRW(OpNop128, -1, 0, 0, 0)
}

// PrepMsgRing posts a completion to the ring whose descriptor is fd; data is its user
// data, res its result (io_uring_prep_msg_ring). EOVERFLOW if that ring has no room,
// EBADFD if fd is no ring. Needs Linux 5.18.
//
// res is called length in C.
//
//loop:doc To another Loop send no data that could be the token of one of its requests; use
//loop:doc Post to reach it.
func (s *SQE) PrepMsgRing(fd int, res uint32, data uint64, flags MsgRingFlags) {
	s.PrepRW(OpMsgRing, fd, 0, res, data)
	s.OpFlags = uint32(flags)
}

// PrepMsgRingCQEFlags is PrepMsgRing with the flags that the completion is to
// have (io_uring_prep_msg_ring_cqe_flags). Needs Linux 6.3.
func (s *SQE) PrepMsgRingCQEFlags(fd int, res uint32, data uint64, flags MsgRingFlags, cqeFlags CQEFlags) {
	s.PrepMsgRing(fd, res, data, MsgRingFlagsPass|flags)
	s.FileIndex = uint32(cqeFlags)
}

// PrepMsgRingFD puts a registered file of this ring, sourceFD, into the place targetFD
// of the ring whose descriptor is fd, or with FileIndexAlloc into one that the kernel
// picks (io_uring_prep_msg_ring_fd). The result is 0, or the number of the place that
// was picked; a completion with that result and the user data data is posted there,
// unless the flags have MsgRingCQESkip. EBADF if there is no such file, ENFILE if no
// place is free. Needs Linux 6.0.
//
//loop:doc HandOver moves a file to another Loop.
func (s *SQE) PrepMsgRingFD(fd, sourceFD int, targetFD uint32, data uint64, flags MsgRingFlags) {
	s.PrepRW(OpMsgRing, fd, uint64(MsgSendFD), 0, data)
	s.Addr3 = uint64(int64(descriptor(sourceFD)))
	s.setAllocatedFile(targetFD)
	s.OpFlags = uint32(flags)
}

// PrepMsgRingFDAlloc is PrepMsgRingFD with a place that the kernel picks
// (io_uring_prep_msg_ring_fd_alloc). Needs Linux 6.0.
func (s *SQE) PrepMsgRingFDAlloc(fd, sourceFD int, data uint64, flags MsgRingFlags) {
	s.PrepMsgRingFD(fd, sourceFD, FileIndexAlloc, data, flags)
}

// PrepFilesUpdate sets the registered files from the place offset on to the descriptors
// fds; -1 empties a place (io_uring_prep_files_update). The result is how many were
// set. With offset FileIndexAlloc the kernel picks free places and stores their numbers
// in fds. ENXIO if the ring has no registered files, EINVAL if there are too few
// places. Needs Linux 5.6.
//
// The offset -1 means FileIndexAlloc too.
func (s *SQE) PrepFilesUpdate(fds []int32, offset int) {
	if uint64(offset) == FileIndexAlloc {
		offset = -1
	}
	s.PrepRW(OpFilesUpdate, -1, data(fds), rwLen(fds), uint64(int64(descriptor(offset))))
}

// PrepFixedFDInstall gives the registered file at the place fd a descriptor of the
// process, the result (io_uring_prep_fixed_fd_install). It is closed on exec unless
// flags has FixedFDNoCloexec. EBADF if the place is empty. Needs Linux 6.8.
func (s *SQE) PrepFixedFDInstall(fd int, flags FixedFDInstallFlags) {
	s.PrepRW(OpFixedFDInstall, fd, 0, 0, 0)
	s.Flags = SQEFixedFile
	s.OpFlags = uint32(flags)
}

// PrepProvideBuffers adds nr buffers of length bytes each, which lie one after the
// other in mem, to the group bgid, numbered from bid on; mem must stay reachable as
// long as they are in the group, which is longer than the request
// (io_uring_prep_provide_buffers). E2BIG if mem has no room for them. A BufRing does
// the same without requests. Needs Linux 5.7.
func (s *SQE) PrepProvideBuffers(mem []byte, length, nr int, bgid, bid uint16) {
	if length < 0 || length > 0 && nr > len(mem)/length {
		nr = 0 // refused: the kernel would write behind mem
	}
	s.PrepRW(OpProvideBuffers, nr, data(mem), uint32(length), uint64(bid))
	s.BufIndex = bgid
}

// PrepRemoveBuffers removes nr buffers from the group bgid; the result is how many were
// removed (io_uring_prep_remove_buffers). ENOENT if there is no such group. Needs Linux
// 5.7.
func (s *SQE) PrepRemoveBuffers(nr int, bgid uint16) {
	s.PrepRW(OpRemoveBuffers, nr, 0, 0, 0)
	s.BufIndex = bgid
}

// PrepURingCmd makes the driver behind a descriptor carry out a command of its own
// (io_uring_prep_uring_cmd). What the result means is up to the driver: an NVMe drive's
// may be a status above zero, which is a failure but ends no chain; what else such a
// command returns is the first half of the completion's BigCQE. As a rule it can't be
// cancelled. EOPNOTSUPP if the driver has no such commands. Needs Linux 5.19.
//
// CmdBytes has room for the command's data.
//
//loop:doc Request.CmdBytes sets the command's data, which is otherwise zero, and
//loop:doc Request.FixedBuffer names a registered buffer; the loop does not keep alive
//loop:doc what addresses in the data point to.
func (s *SQE) PrepURingCmd(cmdOp uint32, fd int) {
	s.uringCmd(OpURingCmd, cmdOp, fd)
}

// PrepURingCmd128 is PrepURingCmd in a big entry (io_uring_prep_uring_cmd128). EINVAL
// if the ring has no big entries. Needs Linux 6.19.
//
// See GetSQE128.
//
//loop:doc A loop has them with SetupSQEMixed or SetupSQE128.
func (s *SQE) PrepURingCmd128(cmdOp uint32, fd int) {
	s.uringCmd(OpURingCmd128, cmdOp, fd)
}

func (s *SQE) uringCmd(op Op, cmdOp uint32, fd int) {
	s.PrepRW(op, fd, 0, 0, 0)
	halves(&s.Off)[0] = cmdOp
}

// CmdBytes returns the bytes of the entry that belong to a driver's command: 16, or 80
// of a big one. Only entries of SetupSQE128 and GetSQE128 are big: the 64 bytes after
// any other entry belong to the next request, or are not memory of the ring at all.
// They still hold what was there before: write all of them. On a Loop use
// Request.CmdBytes, which knows the entry's size.
func (s *SQE) CmdBytes(big bool) []byte {
	n := unsafe.Sizeof(*s) - unsafe.Offsetof(s.Addr3)
	if big {
		n += unsafe.Sizeof(*s)
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(&s.Addr3)), n)
}
