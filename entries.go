package liburing

import (
	"syscall"
	"unsafe"
)

// SQE is a submission queue entry, struct io_uring_sqe, with the kernel's
// layout. Ring.GetSQE returns one in ring memory; one in Go memory can be
// filled by the same Prep methods, for instance for RegisterSyncMsg.
//
// Where C has a union, the field has the name of the member that most
// operations use, and the comment names the others.
type SQE struct {
	Opcode      Op
	Flags       SQEFlags
	IOPrio      uint16 // also the flags of accept, send and recv
	FD          int32  // a descriptor, or an index of the registered files
	Off         uint64 // addr2; cmd_op and __pad1
	Addr        uint64 // splice_off_in; level and optname
	Len         uint32
	OpFlags     uint32 // rw_flags, fsync_flags, msg_flags, timeout_flags, …
	UserData    uint64
	BufIndex    uint16 // buf_group
	Personality uint16
	FileIndex   uint32 // splice_fd_in; zcrx_ifq_idx; optlen; addr_len and __pad3
	Addr3       uint64 // attr_ptr; optval; the first bytes of cmd
	Pad2        uint64 // attr_type_mask
}

// SetData64 sets the value that comes back as CQE.UserData
// (io_uring_sqe_set_data64).
func (s *SQE) SetData64(data uint64) { s.UserData = data }

// SetFlags replaces the entry's flags (io_uring_sqe_set_flags). Call it after the
// Prep method, and with the flags that the method has set, if it has: SQEBufferSelect
// (PrepReadMultishot), SQEFixedFile (PrepFixedFDInstall).
func (s *SQE) SetFlags(flags SQEFlags) { s.Flags = flags }

// SetBufGroup names the group of provided buffers that a request with
// SQEBufferSelect takes its memory from (io_uring_sqe_set_buf_group).
func (s *SQE) SetBufGroup(bgid uint16) { s.BufIndex = bgid }

// initialize clears the fields that not every Prep method writes, as
// io_uring_initialize_sqe does: an entry of the ring still holds the request
// that used it before. Neighbours are cleared together so that the compiler puts
// this, and GetSQE around it, in line.
func (s *SQE) initialize() {
	*(*[3]byte)(unsafe.Pointer(&s.Flags)) = [3]byte{} // and IOPrio
	s.OpFlags = 0
	*(*[24]byte)(unsafe.Pointer(&s.BufIndex)) = [24]byte{} // and all behind it
}

// halves returns the two fields of 32 bits that C has in the place of one.
func halves(field *uint64) *[2]uint32 { return (*[2]uint32)(unsafe.Pointer(field)) }

// setTargetFixedFile stores a file index as the kernel wants it: plus one, zero
// meaning an ordinary descriptor.
func (s *SQE) setTargetFixedFile(index uint32) { s.FileIndex = index + 1 }

// setAllocatedFile is setTargetFixedFile for operations that can let the kernel
// pick: FileIndexAlloc goes in as it is.
func (s *SQE) setAllocatedFile(index uint32) {
	if index == FileIndexAlloc {
		index--
	}
	s.setTargetFixedFile(index)
}

// CQE is a completion queue entry, struct io_uring_cqe, with the kernel's
// layout. One that a Ring hands out lies in ring memory: it is valid until it
// is marked as seen.
type CQE struct {
	UserData uint64   // the request's SQE.UserData
	Res      int32    // the result, or an errno below zero
	Flags    CQEFlags // what else there is to know
}

// GetData64 returns the request's user data (io_uring_cqe_get_data64).
func (c *CQE) GetData64() uint64 { return c.UserData }

// Err returns the request's error as a syscall.Errno, nil if it succeeded. A
// notification (CQEFNotif) is none: its Res has flags. Numbers with which the
// kernel means a system call that a signal has ended (512 and up, such as
// ERESTARTSYS) are EINTR, which that call would return.
func (c *CQE) Err() error {
	if c.Res >= 0 || c.Flags&CQEFNotif != 0 {
		return nil
	}
	errno := syscall.Errno(-c.Res)
	if errno >= firstRestart && errno <= lastRestart {
		return syscall.EINTR
	}
	return errno
}

// The kernel's own numbers for what is to be restarted after a signal:
// ERESTARTSYS, ERESTARTNOINTR, ERESTARTNOHAND and ERESTART_RESTARTBLOCK, with two
// that never leave it between them.
const (
	firstRestart = syscall.Errno(512)
	lastRestart  = syscall.Errno(516)
)

// Nr returns how many slots of the completion queue the entry takes: two for a
// big entry of a ring with SetupCQEMixed, one otherwise (io_uring_cqe_nr).
func (c *CQE) Nr() int {
	if c.Flags&CQEF32 != 0 {
		return 2
	}
	return 1
}

// BigCQE returns the entry's second 16 bytes. Only call it on an entry of a
// ring with SetupCQE32, or on one with CQEF32 of a ring with SetupCQEMixed:
// other entries have none.
func (c *CQE) BigCQE() [2]uint64 {
	return *(*[2]uint64)(unsafe.Add(unsafe.Pointer(c), unsafe.Sizeof(*c)))
}

// BufferID returns the number of the provided buffer that the kernel chose,
// and whether it chose one.
func (c *CQE) BufferID() (uint16, bool) {
	return c.Flags.bufferID()
}

func (v CQEFlags) bufferID() (uint16, bool) {
	return uint16(v >> CQEBufferShift), v&CQEFBuffer != 0
}
