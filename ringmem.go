package liburing

import "unsafe"

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

func (m *ringMem) enterFlags() EnterFlags {
	return EnterFlags(m.intFlags) & intFlagsEnter
}

// sqe returns the entry at a position of the submission queue.
func (m *ringMem) sqe(pos uint32) *SQE {
	return (*SQE)(unsafe.Add(unsafe.Pointer(m.sq.sqes), uintptr(pos&m.sq.ringMask)*m.sqeSize))
}

// told reports whether an entry is one of the submission queue's of which the
// kernel has been told.
func (m *ringMem) told(sqe *SQE) bool {
	offset := uintptr(unsafe.Pointer(sqe)) - uintptr(unsafe.Pointer(m.sq.sqes))
	pos := offset / m.sqeSize
	return pos <= uintptr(m.sq.ringMask) && (uint32(pos)-m.sq.sqeHead)&m.sq.ringMask >= m.sq.sqeTail-m.sq.sqeHead
}

// cqe returns the entry at a position of the completion queue.
func (m *ringMem) cqe(pos uint32) *CQE {
	return (*CQE)(unsafe.Add(unsafe.Pointer(m.cq.cqes), uintptr(pos&m.cq.ringMask)*m.cqeSize))
}

// addr returns the address of memory that a request names, for the kernel.
//
// The pointer leaves through a variable that the compiler can't see through, so
// what it points to is on the heap: a goroutine's stack moves when it grows,
// and the kernel would write to where it was. Whoever prepares the request
// keeps the memory reachable until the terminal completion.
func addr[T any](p *T) uint64 {
	if escape.always {
		escape.to = unsafe.Pointer(p)
	}
	return uint64(uintptr(unsafe.Pointer(p)))
}

// data is addr for the bytes of a slice.
func data[T any](s []T) uint64 { return addr(unsafe.SliceData(s)) }

var escape struct {
	always bool // never set
	to     unsafe.Pointer
}
