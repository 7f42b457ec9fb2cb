package liburing

import (
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// boundedTime is how long a bounded wait lasts at most. After 20 µs Go's
// monitor takes the processor away from a thread in a system call, and winning
// it back costs more than the wait.
const boundedTime = 20 * time.Microsecond

// boundedWait is io_uring_enter as a raw system call, which the scheduler does
// not know of: while it lasts this processor runs no other goroutine and a
// stop-the-world waits for it, so it must be short for sure.
type boundedWait struct {
	usable bool
	ts     Timespec
	arg    geteventsArg
}

// geteventsArg is struct io_uring_getevents_arg.
type geteventsArg struct {
	sigmask     uint64
	sigmaskSz   uint32
	minWaitUsec uint32
	ts          uint64
}

// init finds out whether the ring is one to wait on like this: with SQPOLL or
// IOPOLL the kernel's side of submitting and waiting is another, and a liburing
// with sanitizers looks at the requests when it submits them.
func (b *boundedWait) init(m *ringMem) {
	const others = SetupSQPoll | SetupIOPoll | SetupSQRewind
	b.usable = m.flags&others == 0 && m.features&FeatExtArg != 0 && !cSanitized()
	b.ts = NewTimespec(boundedTime)
	b.arg = geteventsArg{ts: addr(&b.ts)}
}

// enter submits everything that is queued, has the kernel bring what completed
// and, if asked to, waits until a completion is there or boundedTime is over.
func (b *boundedWait) enter(m *ringMem, wait bool) int32 {
	tail := m.sq.sqeTail
	m.sq.sqeHead = tail
	*m.sq.ktail = tail // the system call is the barrier
	flags := m.enterFlags() | EnterGetEvents
	var least, size uintptr
	var arg unsafe.Pointer
	if wait {
		flags |= EnterExtArg
		least, size, arg = 1, unsafe.Sizeof(b.arg), unsafe.Pointer(&b.arg)
	}
	n, _, errno := syscall.RawSyscall6(unix.SYS_IO_URING_ENTER, uintptr(m.enterRingFD),
		uintptr(tail-*m.sq.khead), least, uintptr(flags), uintptr(arg), size)
	if errno != 0 {
		return -int32(errno)
	}
	return int32(n)
}
