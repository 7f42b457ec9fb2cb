package liburing

import (
	"unsafe"

	"github.com/go-liburing/liburing/internal/race"
)

// ringMem is struct io_uring, in C memory: liburing's half reads and writes it,
// and so do the functions below, which are what liburing.h has the C compiler
// inline. cgo.go checks the layout against C's at compile time.
type ringMem struct {
	sq          sqMem
	cq          cqMem
	flags       SetupFlags
	ringFD      int32
	features    Features
	enterRingFD int32
	intFlags    uint8 // bits of EnterFlags that every enter gets; see enterFlags
	_           [3]uint8
	_           uint32

	// Here struct io_uring ends. The rest is Go's own.

	sqeSize uintptr // twice that of an SQE where every entry is a big one
	cqeSize uintptr // the same of the completion queue
	uneven  bool    // places of the completion queue are not completions; see enough
	isRaw   bool    // rawEnter does for the ring
}

// init fills Go's own part.
func (m *ringMem) init() {
	m.sqeSize, m.cqeSize = unsafe.Sizeof(SQE{}), unsafe.Sizeof(CQE{})
	if m.flags&SetupSQE128 != 0 {
		m.sqeSize *= 2
	}
	if m.flags&SetupCQE32 != 0 {
		m.cqeSize *= 2
	}
	m.isRaw = m.flags&(SetupSQEMixed|SetupSQE128) == 0 && m.canRawEnter()
	m.uneven = m.flags&(SetupCQEMixed|SetupSQEMixed|SetupIOPoll) != 0 || m.features&FeatExtArg == 0
}

type sqMem struct {
	khead    *uint32
	ktail    *uint32
	_        *uint32
	_        *uint32
	kflags   *uint32
	kdropped *uint32
	array    *uint32
	sqes     *SQE

	sqeHead uint32
	sqeTail uint32

	ringSz  uintptr
	ringPtr unsafe.Pointer

	ringMask    uint32
	ringEntries uint32

	sqesSz uint32
	_      uint32
}

type cqMem struct {
	khead     *uint32
	ktail     *uint32
	_         *uint32
	_         *uint32
	kflags    *uint32
	koverflow *uint32
	cqes      *CQE

	ringSz  uintptr
	ringPtr unsafe.Pointer

	ringMask    uint32
	ringEntries uint32

	_ [2]uint32
}

// intFlagsEnter are the bits of intFlags that are flags of io_uring_enter.
const intFlagsEnter = EnterRegisteredRing | EnterNoIowait

// intSimulated is the bit of intFlags that says that the kernel is a simulated one.
const intSimulated = 1 << 6

func (m *ringMem) enterFlags() EnterFlags {
	return EnterFlags(m.intFlags) & intFlagsEnter
}

// sqe returns the entry at a position of the submission queue.
func (m *ringMem) sqe(pos uint32) *SQE {
	return (*SQE)(unsafe.Add(unsafe.Pointer(m.sq.sqes), uintptr(pos&m.sq.ringMask)*m.sqeSize))
}

// behind returns the entry that follows one of the submission queue.
func (m *ringMem) behind(sqe *SQE) *SQE {
	offset := uintptr(unsafe.Pointer(sqe)) - uintptr(unsafe.Pointer(m.sq.sqes))
	next := uint32(offset/m.sqeSize) + 1
	if m.mixed() && sqe.Opcode.facts().big {
		next++
	}
	return m.sqe(next)
}

// handedOver reports whether the kernel has been handed an entry of the
// submission queue. An entry that is not the queue's has not been.
func (m *ringMem) handedOver(sqe *SQE) bool {
	offset := uintptr(unsafe.Pointer(sqe)) - uintptr(unsafe.Pointer(m.sq.sqes))
	pos := offset / m.sqeSize
	return pos <= uintptr(m.sq.ringMask) && (uint32(pos)-m.sq.sqeHead)&m.sq.ringMask >= m.sq.sqeTail-m.sq.sqeHead
}

// cqe returns the entry at a position of the completion queue.
func (m *ringMem) cqe(pos uint32) *CQE {
	return (*CQE)(unsafe.Add(unsafe.Pointer(m.cq.cqes), uintptr(pos&m.cq.ringMask)*m.cqeSize))
}

// flushSQ hands the kernel all that is queued. The store needs no barrier: the
// system call that has to follow is one. With SQPOLL a thread would look at it
// without; liburing does that itself (__io_uring_flush_sq).
func (m *ringMem) flushSQ() {
	m.sq.sqeHead = m.sq.sqeTail
	*m.sq.ktail = m.sq.sqeTail
}

// canRawEnter reports whether rawEnter does for the ring. With SQPOLL, IOPOLL or
// SQ_REWIND submitting works differently in the kernel, and a liburing with
// sanitizers looks at the requests when it submits them.
func (m *ringMem) canRawEnter() bool {
	return m.flags&(SetupSQPoll|SetupIOPoll|SetupSQRewind) == 0 && m.intFlags&intSimulated == 0 && !cSanitized()
}

// quickBatch is how many requests are looked at before they are submitted: the more
// there are, the less the crossing into C costs each.
const quickBatch = 16

// isQuick reports whether what is queued may be submitted by rawEnter: a few requests
// of operations that never hold the submitter up (opFacts.quick).
func (m *ringMem) isQuick() bool {
	head := m.loadSQHead()
	if !m.isRaw || m.sq.sqeTail-head-1 >= quickBatch {
		return false
	}
	for ; head != m.sq.sqeTail; head++ {
		if !quickOps[m.sqe(head).Opcode] {
			return false
		}
	}
	return true
}

// quickOps is opFacts.quick, for any byte.
var quickOps = func() (ops [256]bool) {
	for op, facts := range opTable {
		ops[op] = facts.quick
	}
	return ops
}()

// flushQuick is what liburing does before a submission; rawEnter is to follow, in the
// caller itself (see submitAndReap about calls).
func (m *ringMem) flushQuick() (n uint32, flags EnterFlags) {
	n, flags = m.unsubmitted(), m.enterFlags()
	if m.needsFlush() {
		flags |= EnterGetEvents
	}
	m.flushSQ()
	race.Release()
	return n, flags
}

// taken is what io_uring_enter would have returned where rawEnter has returned ret: how
// many of n entries the kernel has taken, or an errno.
func (m *ringMem) taken(n uint32, ret int32) int32 {
	race.Acquire()
	if ret < 0 {
		return ret
	}
	return int32(n - m.unsubmitted())
}

// A submission queue of both sizes (SetupSQEMixed): most entries take one place, those of
// a few operations two, which must lie together.

// udataFiller is the user data of the no-ops that fill a place. No Token is as large.
const udataFiller = UdataTimeout - 1

// mixed reports whether the submission queue is one.
func (m *ringMem) mixed() bool { return m.flags&SetupSQEMixed != 0 }

// atLastPlace reports whether the next entry's place is the queue's last.
func (m *ringMem) atLastPlace() bool { return (m.sq.sqeTail+1)&m.sq.ringMask == 0 }

// fillPlace fills the next place with a no-op, which carries on the chain that the
// entry before is linked by. It can't be a silent one: after that the kernel would
// drain no more.
func (m *ringMem) fillPlace(link SQEFlags) {
	filler := m.nextSQE(1)
	filler.PrepNop()
	filler.UserData = udataFiller
	filler.Flags = link
}

// nextSQE takes the next entry of the submission queue, as many places long.
func (m *ringMem) nextSQE(places uint32) *SQE {
	sqe := m.sqe(m.sq.sqeTail)
	m.sq.sqeTail += places
	sqe.initialize()
	return sqe
}

// sqePlaces returns how many entries of 64 bytes a request has to itself.
func (m *ringMem) sqePlaces(sqe *SQE) int {
	if m.mixed() && sqe.Opcode.facts().big {
		return 2
	}
	return int(m.sqeSize / unsafe.Sizeof(*sqe))
}

// Go's structs are as long as the kernel's. tests/header compares the members one by one
// with C's; the layout of liburing's own struct io_uring is checked in cgo.go, and the
// structs that only the C side sees are in internal/abi.
var (
	_ [64]byte  = [unsafe.Sizeof(SQE{})]byte{}
	_ [16]byte  = [unsafe.Sizeof(CQE{})]byte{}
	_ [120]byte = [unsafe.Sizeof(Params{})]byte{}
	_ [40]byte  = [unsafe.Sizeof(SQRingOffsets{})]byte{}
	_ [40]byte  = [unsafe.Sizeof(CQRingOffsets{})]byte{}
	_ [48]byte  = [unsafe.Sizeof(QueryOpcodeInfo{})]byte{}
	_ [40]byte  = [unsafe.Sizeof(QueryZCRXInfo{})]byte{}
	_ [16]byte  = [unsafe.Sizeof(QuerySCQInfo{})]byte{}
	_ [40]byte  = [unsafe.Sizeof(BufReg{})]byte{}
	_ [16]byte  = [unsafe.Sizeof(Timespec{})]byte{}
	_ [64]byte  = [unsafe.Sizeof(RegWait{})]byte{}
	_ [16]byte  = [unsafe.Sizeof(NAPI{})]byte{}
	_ [96]byte  = [unsafe.Sizeof(ZCRXIFQReg{})]byte{}
	_ [72]byte  = [unsafe.Sizeof(ZCRXCtrl{})]byte{}
	_ [16]byte  = [unsafe.Sizeof(Restriction{})]byte{}
	_ [64]byte  = [unsafe.Sizeof(SyncCancelReg{})]byte{}
	_ [8]byte   = [unsafe.Sizeof(BPFInstruction{})]byte{}
)
