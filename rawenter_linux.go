package liburing

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// canRawEnter reports whether rawEnter does for the ring. With SQPOLL, IOPOLL or
// SQ_REWIND the kernel's side of submitting is another, and a liburing with
// sanitizers looks at the requests when it submits them.
func (m *ringMem) canRawEnter() bool {
	return m.flags&(SetupSQPoll|SetupIOPoll|SetupSQRewind) == 0 && !cSanitized()
}

// rawEnter is io_uring_enter as a raw system call, of which the scheduler does not
// know: that saves the crossing into C, but while it lasts this processor runs no
// other goroutine and a stop-the-world waits for it. So it never waits, and it is not
// for requests that are slow to submit. It is small, so that the compiler puts it into
// its caller.
func (m *ringMem) rawEnter(submit uint32, flags EnterFlags) int32 {
	_, _, errno := syscall.RawSyscall6(unix.SYS_IO_URING_ENTER, uintptr(m.enterRingFD), uintptr(submit), 0, uintptr(flags), 0, 0)
	return -int32(errno)
}

// publish hands over what is queued, with the system call as the barrier.
func (m *ringMem) publish() {
	m.sq.sqeHead = m.sq.sqeTail
	*m.sq.ktail = m.sq.sqeTail
}
