//go:build linux && (!cgo || liburing_go)

package liburing

import (
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/go-liburing/liburing/internal/race"
	"golang.org/x/sys/unix"
)

// Submitting and waiting, as liburing does it: when it enters the kernel, with which
// flags, and what it returns. Go's scheduler knows of these system calls; what is
// sure to be short goes another way (rawEnter).

// waitArg is struct io_uring_getevents_arg.
type waitArg struct {
	_           uint64 // sigmask
	sigmaskSize uint32
	minWaitUsec uint32
	timeout     uint64
}

// sigmaskSize is what liburing says of the mask of signals that is not there.
const sigmaskSize = 8

// enter is io_uring_enter. An argument is an address in the ring, or a number.
func (m *ringMem) enter(submit, wait uint32, flags EnterFlags, arg, size uintptr) int32 {
	if k := m.simulated(); k != nil {
		return k.Enter(submit, wait, uint32(flags), *(*unsafe.Pointer)(unsafe.Pointer(&arg)))
	}
	race.Release()
	n, _, errno := unix.Syscall6(unix.SYS_IO_URING_ENTER, uintptr(uint32(m.enterRingFD)), uintptr(submit), uintptr(wait),
		uintptr(flags), arg, size)
	race.Acquire()
	return errnoOf(n, errno)
}

func cEnter2(fd int32, toSubmit, minComplete uint32, flags EnterFlags, arg []byte) int32 {
	race.Release()
	n, _, errno := unix.Syscall6(unix.SYS_IO_URING_ENTER, uintptr(uint32(fd)), uintptr(toSubmit), uintptr(minComplete),
		uintptr(flags), uintptr(unsafe.Pointer(unsafe.SliceData(arg))), uintptr(len(arg)))
	race.Acquire()
	return errnoOf(n, errno)
}

// Submitting.

// flush shows the kernel all that is queued, and returns how many entries it has not
// taken yet. With SQ_REWIND those are all, and the queue begins anew.
func (m *ringMem) flush() uint32 {
	sq := &m.sq
	tail := sq.sqeTail
	if m.flags&SetupSQRewind != 0 {
		sq.sqeTail = 0
		return tail
	}
	if sq.sqeHead != tail {
		sq.sqeHead = tail
		if m.flags&SetupSQPoll != 0 { // whose thread may be looking
			atomic.StoreUint32(sq.ktail, tail)
		} else {
			*sq.ktail = tail
		}
	}
	return tail - m.loadSQHead()
}

// sqNeedsEnter reports whether it takes a system call for the kernel to take entries,
// and adds the flag that wakes its thread if it is asleep.
func (m *ringMem) sqNeedsEnter(submit uint32, flags *EnterFlags) bool {
	switch {
	case submit == 0:
		return false
	case m.flags&SetupSQPoll == 0:
		return true
	}
	// The store of the tail came before, and is a full barrier.
	if atomic.LoadUint32(m.sq.kflags)&uint32(SQNeedWakeup) == 0 {
		return false
	}
	*flags |= EnterSQWakeup
	return true
}

// cqNeedsEnter reports whether only a system call brings completions.
func (m *ringMem) cqNeedsEnter() bool {
	const held = uint32(SQCQOverflow | SQTaskrun)
	return m.has(intCQEnters) || atomic.LoadUint32(m.sq.kflags)&held != 0
}

// submit submits all and waits, if wait is not 0, or has the kernel bring what it
// holds back.
func (m *ringMem) submit(wait uint32, getEvents bool) int32 {
	queued := m.sq.sqeTail
	n := m.flush()
	flags := m.enterFlags()
	looks := getEvents || wait != 0 || m.cqNeedsEnter()
	if looks {
		flags |= EnterGetEvents
	}
	ret := int32(n)
	if m.sqNeedsEnter(n, &flags) || looks {
		ret = m.enter(n, wait, flags, 0, sigmaskSize)
	}
	if m.flags&SetupSQRewind != 0 {
		m.putBack(queued, ret)
	}
	return ret
}

// putBack moves what the kernel has not taken of the queued to the queue's beginning:
// with SQ_REWIND that is where the next submission begins.
func (m *ringMem) putBack(queued uint32, taken int32) {
	left := uintptr(queued) - uintptr(max(taken, 0))
	if left == 0 {
		return
	}
	size := m.sqeSize
	all := unsafe.Slice((*byte)(unsafe.Pointer(m.sq.sqes)), uintptr(queued)*size)
	copy(all, all[(uintptr(queued)-left)*size:])
	m.sq.sqeTail = uint32(left)
}

func cSubmit(m *ringMem) int32                  { return m.submit(0, false) }
func cSubmitAndWait(m *ringMem, n uint32) int32 { return m.submit(n, false) }
func cSubmitAndGetEvents(m *ringMem) int32      { return m.submit(0, true) }

func cSubmitGetSQE(m *ringMem) (*SQE, int32) {
	ret := cSubmit(m)
	return m.takeSQE(), ret
}

// takeSQE returns the next free entry, nil if there is none.
func (m *ringMem) takeSQE() *SQE {
	if m.sqSpace(m.loadSQHead()) == 0 {
		return nil
	}
	return m.nextSQE(1)
}

func cGetEvents(m *ringMem) int32 {
	return m.enter(0, 0, EnterGetEvents|m.enterFlags(), 0, sigmaskSize)
}

func cSQRingWait(m *ringMem) int32 {
	return m.enter(0, 0, EnterSQWait|m.enterFlags(), 0, sigmaskSize)
}

// Waiting.

// waitCall is what a wait asks for.
type waitCall struct {
	submit, n uint32
	flags     EnterFlags // what the argument is
	arg, size uintptr
	limited   bool // the argument has a limit: entering once more would begin it anew
}

// wait submits and waits until n places of the completion queue are taken. It returns
// what the first enter did, or the error of what came before it was over.
func (m *ringMem) wait(w waitCall) (ret int32) {
	for entered := false; ; entered = true {
		cqe, available, errno := m.peek()
		if errno != 0 {
			return orNext(ret, errno)
		}
		flags := m.enterFlags()
		needsEnter := cqe == nil && w.n == 0 && w.submit == 0
		if needsEnter && (entered || !m.cqNeedsEnter()) {
			return orNext(ret, -int32(unix.EAGAIN))
		}
		if needsEnter || w.n > available {
			needsEnter = true
			flags |= EnterGetEvents | w.flags
		}
		if !m.sqNeedsEnter(w.submit, &flags) && !needsEnter {
			return ret
		}
		if entered && w.limited {
			if cqe == nil {
				ret = orNext(ret, -int32(unix.ETIME))
			}
			return ret
		}
		n := m.enter(w.submit, w.n, flags, w.arg, w.size)
		if n < 0 {
			return orNext(ret, n)
		}
		w.submit -= uint32(n)
		if cqe != nil {
			return ret
		}
		if !entered {
			ret = n
		}
	}
}

// orNext returns the first of two results that is one.
func orNext(ret, next int32) int32 {
	if ret != 0 {
		return ret
	}
	return next
}

// peek returns the entry at the head of the completion queue, nil if there is none,
// and how many places are taken. It drops what is not the program's; a timeout of a
// kernel before FeatExtArg that is over is the end of the wait, and its result errno.
func (m *ringMem) peek() (cqe *CQE, available uint32, errno int32) {
	for {
		available = m.cqReady()
		if available == 0 {
			return nil, 0, 0
		}
		cqe = m.cqe(*m.cq.khead)
		if !m.ignored(cqe) {
			return cqe, available, 0
		}
		if cqe.UserData == UdataTimeout {
			errno = min(cqe.Res, 0)
		}
		m.storeCQHead(*m.cq.khead + m.placesOf(cqe))
		if errno != 0 {
			return nil, available, errno
		}
	}
}

// until returns the wait with a limit.
func (m *ringMem) until(submit, n uint32, d time.Duration, minWait uint32) waitCall {
	g := (*goRing)(unsafe.Pointer(m))
	g.timeout = Timespec{Sec: int64(d / time.Second), Nsec: int64(d % time.Second)}
	g.arg = waitArg{sigmaskSize: sigmaskSize, minWaitUsec: minWait, timeout: uint64(uintptr(unsafe.Pointer(&g.timeout)))}
	return waitCall{submit: submit, n: n, flags: EnterExtArg, arg: uintptr(unsafe.Pointer(&g.arg)), size: unsafe.Sizeof(g.arg), limited: true}
}

// plain returns the wait without one.
func plain(submit, n uint32) waitCall { return waitCall{submit: submit, n: n, size: sigmaskSize} }

// queueTimeout queues a timeout, which a wait without FeatExtArg ends by, and returns
// how many entries are to be submitted.
func (m *ringMem) queueTimeout(n uint32, d time.Duration) (submit uint32, ret int32) {
	sqe := m.takeSQE()
	if sqe == nil {
		if sqe, ret = cSubmitGetSQE(m); ret < 0 {
			return 0, ret
		}
	}
	if sqe == nil {
		return 0, -int32(unix.EAGAIN)
	}
	g := (*goRing)(unsafe.Pointer(m))
	g.timeout = Timespec{Sec: int64(d / time.Second), Nsec: int64(d % time.Second)}
	sqe.PrepTimeout(&g.timeout, n, 0)
	sqe.UserData = UdataTimeout
	return m.flush(), 0
}

func cWaitCQENr(m *ringMem, n uint32) int32 { return m.wait(plain(0, n)) }

func cWaitCQEs(m *ringMem, n uint32, d time.Duration) int32 {
	if m.features&FeatExtArg != 0 {
		return m.wait(m.until(0, n, d, 0))
	}
	submit, ret := m.queueTimeout(n, d)
	if ret < 0 {
		return ret
	}
	return m.wait(plain(submit, n))
}

func cWaitCQEsMinTimeout(m *ringMem, n uint32, d time.Duration, minWait uint32) int32 {
	if m.features&FeatMinTimeout == 0 {
		return -int32(unix.EINVAL)
	}
	return m.wait(m.until(0, n, d, minWait))
}

// submitFirst submits with SQ_REWIND, of which the wait would not tell how many were
// taken, and reports whether the wait is to follow.
func (m *ringMem) submitFirst(n uint32) (taken int32, waits bool) {
	if m.flags&SetupSQRewind == 0 || m.sq.sqeTail == 0 {
		return 0, true
	}
	taken = cSubmit(m)
	return taken, taken >= 0 && m.sq.sqeTail == 0 && n != 0
}

func cSubmitAndWaitTimeout(m *ringMem, n uint32, d time.Duration) int32 {
	taken, waits := m.submitFirst(n)
	switch {
	case !waits:
		return taken
	case m.features&FeatExtArg != 0:
		return orNext(taken, m.wait(m.until(m.flush(), n, d, 0)))
	}
	submit, ret := m.queueTimeout(n, d)
	if ret < 0 {
		return ret
	}
	return m.wait(plain(submit, n))
}

func cSubmitAndWaitMinTimeout(m *ringMem, n uint32, d time.Duration, minWait uint32) int32 {
	taken, waits := m.submitFirst(n)
	if !waits {
		return taken
	}
	if m.features&FeatMinTimeout == 0 {
		return orNext(taken, -int32(unix.EINVAL))
	}
	return orNext(taken, m.wait(m.until(m.flush(), n, d, minWait)))
}

func cSubmitAndWaitReg(m *ringMem, n uint32, index int) int32 {
	taken, waits := m.submitFirst(n)
	if !waits {
		return taken
	}
	submit := m.flush()
	if m.features&FeatExtArg == 0 {
		return orNext(taken, -int32(unix.EINVAL))
	}
	const size = unsafe.Sizeof(RegWait{})
	return orNext(taken, m.wait(waitCall{
		submit: submit, n: n, flags: EnterExtArg | EnterExtArgReg, arg: uintptr(index) * size, size: size, limited: true,
	}))
}
