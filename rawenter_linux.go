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

// rawEnter submits everything that is queued and has the kernel bring what has
// completed. It is io_uring_enter as a raw system call, of which the scheduler
// does not know: that saves the crossing into C, but while it lasts this
// processor runs no other goroutine and a stop-the-world waits for it. So it
// never waits, and it is not for requests that are slow to submit.
func (m *ringMem) rawEnter() int32 {
	tail := m.sq.sqeTail
	m.sq.sqeHead = tail
	*m.sq.ktail = tail // the system call is the barrier
	n, _, errno := syscall.RawSyscall6(unix.SYS_IO_URING_ENTER, uintptr(m.enterRingFD),
		uintptr(tail-*m.sq.khead), 0, uintptr(m.enterFlags()|EnterGetEvents), 0, 0)
	if errno != 0 {
		return -int32(errno)
	}
	return int32(n)
}
