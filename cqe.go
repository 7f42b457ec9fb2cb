package liburing

import (
	"syscall"
	"unsafe"
)

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
func (c *CQE) Nr() uint32 {
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
