package liburing

import "unsafe"

// Operations on the ring itself, on other rings, and commands of drivers.

// PrepNop128 is a no-op that takes a big entry (io_uring_prep_nop128). See
// GetSQE128. Least kernel: 6.19.
func (s *SQE) PrepNop128() {
	s.PrepRW(OpNop128, -1, 0, 0, 0)
}

// PrepMsgRing posts a completion to another ring: data is its user data, length
// its result (io_uring_prep_msg_ring). fd is the other ring's. EOVERFLOW if that
// has no room. Least kernel: 5.18.
func (s *SQE) PrepMsgRing(fd int, length uint32, data uint64, flags MsgRingFlags) {
	s.PrepRW(OpMsgRing, fd, 0, length, data)
	s.OpFlags = uint32(flags)
}

// PrepMsgRingCQEFlags posts like PrepMsgRing, with the flags that the completion
// is to have (io_uring_prep_msg_ring_cqe_flags). Least kernel: 6.3.
func (s *SQE) PrepMsgRingCQEFlags(fd int, length uint32, data uint64, flags MsgRingFlags, cqeFlags CQEFlags) {
	s.PrepMsgRing(fd, length, data, MsgRingFlagsPass|flags)
	s.FileIndex = uint32(cqeFlags)
}

// PrepMsgRingFD puts a registered file of this ring, sourceFD, into the place
// targetFD of another ring's, or with FileIndexAlloc into one that the kernel
// picks, and posts a completion with that number there
// (io_uring_prep_msg_ring_fd). Least kernel: 6.0.
func (s *SQE) PrepMsgRingFD(fd, sourceFD int, targetFD uint32, data uint64, flags MsgRingFlags) {
	s.PrepRW(OpMsgRing, fd, uint64(MsgSendFD), 0, data)
	s.Addr3 = uint64(int64(descriptor(sourceFD)))
	s.setAllocatedFile(targetFD)
	s.OpFlags = uint32(flags)
}

// PrepMsgRingFDAlloc is PrepMsgRingFD with a place that the kernel picks
// (io_uring_prep_msg_ring_fd_alloc). Least kernel: 6.0.
func (s *SQE) PrepMsgRingFDAlloc(fd, sourceFD int, data uint64, flags MsgRingFlags) {
	s.PrepMsgRingFD(fd, sourceFD, FileIndexAlloc, data, flags)
}

// PrepFilesUpdate replaces registered files from the place offset on; -1 empties
// a place. With offset FileIndexAlloc (-1) the kernel picks free places and
// stores their numbers in fds (io_uring_prep_files_update). fds needs to live
// until the completion. Least kernel: 5.6.
func (s *SQE) PrepFilesUpdate(fds []int32, offset int) {
	s.PrepRW(OpFilesUpdate, -1, data(fds), rwLen(fds), uint64(int64(descriptor(offset))))
}

// PrepFixedFDInstall gives a registered file an ordinary descriptor, the result
// (io_uring_prep_fixed_fd_install). Flags may be FixedFDNoCloexec. Least kernel:
// 6.8.
func (s *SQE) PrepFixedFDInstall(fd int, flags FixedFDInstallFlags) {
	s.PrepRW(OpFixedFDInstall, fd, 0, 0, 0)
	s.Flags = SQEFixedFile
	s.OpFlags = uint32(flags)
}

// PrepProvideBuffers adds nr buffers of length bytes each, which lie one after
// the other in mem, to the group bgid, numbered from bid on; mem must stay
// reachable as long as they are in the group, longer than the request
// (io_uring_prep_provide_buffers). E2BIG if mem has no room for them. A BufRing
// does the same without requests. Least kernel: 5.7.
func (s *SQE) PrepProvideBuffers(mem []byte, length, nr int, bgid, bid uint16) {
	if length < 0 || length > 0 && nr > len(mem)/length {
		nr = 0 // refused: the kernel would write behind mem
	}
	s.PrepRW(OpProvideBuffers, nr, data(mem), uint32(length), uint64(bid))
	s.BufIndex = bgid
}

// PrepRemoveBuffers takes nr buffers out of the group bgid; the result is how
// many there were (io_uring_prep_remove_buffers). Least kernel: 5.7.
func (s *SQE) PrepRemoveBuffers(nr int, bgid uint16) {
	s.PrepRW(OpRemoveBuffers, nr, 0, 0, 0)
	s.BufIndex = bgid
}

// PrepURingCmd has the driver behind a descriptor carry out a command of its own
// (io_uring_prep_uring_cmd). CmdBytes has room for the command's data. Least
// kernel: 5.19.
func (s *SQE) PrepURingCmd(cmdOp uint32, fd int) {
	s.uringCmd(OpURingCmd, cmdOp, fd)
}

// PrepURingCmd128 is PrepURingCmd in a big entry (io_uring_prep_uring_cmd128).
// See GetSQE128. Least kernel: 6.19.
func (s *SQE) PrepURingCmd128(cmdOp uint32, fd int) {
	s.uringCmd(OpURingCmd128, cmdOp, fd)
}

func (s *SQE) uringCmd(op Op, cmdOp uint32, fd int) {
	s.PrepRW(op, fd, 0, 0, 0)
	halves(&s.Off)[0] = cmdOp
}

// CmdBytes returns the bytes of the entry that belong to a driver's command: 16,
// or 80 of a big one. Say big only of an entry that is (SetupSQE128, GetSQE128).
func (s *SQE) CmdBytes(big bool) []byte {
	n := unsafe.Sizeof(*s) - unsafe.Offsetof(s.Addr3)
	if big {
		n += unsafe.Sizeof(*s)
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(&s.Addr3)), n)
}
