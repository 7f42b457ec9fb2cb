package liburing

import (
	"syscall"
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

// quickBatch is how many requests are looked at before they are submitted. It is what a
// stop of the world may have to wait for: 64 sends take 0.2 ms. A call from C that takes
// so long, which the scheduler knows of, as a rule comes back to find its processor taken.
const quickBatch = 64

// quickBytes is how much they may send and receive together: to copy that takes up to
// 0.2 ms, too.
const quickBytes = 256 << 10

// isQuick reports whether what is queued may be submitted by rawEnter, and how much it
// is: a few requests of operations that never hold the submitter up (opFacts.quick), with
// little to copy.
func (m *ringMem) isQuick() (queued uint32, quick bool) {
	queued, short := m.isShort()
	if !short {
		return queued, false
	}
	bytes := uint64(0)
	for head := m.sq.sqeTail - queued; head != m.sq.sqeTail; head++ {
		sqe := m.sqe(head)
		switch quickOps[sqe.Opcode] {
		case quickNot:
			return queued, false
		case quickCopies:
			bytes += uint64(sqe.Len)
		}
	}
	return queued, bytes <= quickBytes
}

// isShort reports whether what is queued is so little that rawEnter does for it if nothing of
// it holds the submitter up, and how much it is.
func (m *ringMem) isShort() (queued uint32, short bool) {
	queued = m.sq.sqeTail - m.loadSQHead()
	return queued, m.isRaw && queued-1 < quickBatch
}

// quickOps is opFacts.quick and opFacts.copies, for any byte.
var quickOps = func() (ops [256]uint8) {
	for op, facts := range opTable {
		switch {
		case facts.quick && facts.copies:
			ops[op] = quickCopies
		case facts.quick:
			ops[op] = quickIs
		}
	}
	return ops
}()

const (
	quickNot = iota
	quickIs
	quickCopies
)

// flushQuick is what liburing does before a submission; rawEnter is to follow, in the
// caller itself (see submitAndReap about calls).
func (m *ringMem) flushQuick() EnterFlags {
	flags := m.enterFlags()
	if m.needsFlush() {
		flags |= EnterGetEvents
	}
	m.flushSQ()
	race.Release()
	return flags
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

// The entries of the two queues.

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

// CQE is a completion queue entry, struct io_uring_cqe, with the kernel's layout. One
// that a Ring returns lies in ring memory: it is valid until it is marked as seen.
type CQE struct {
	UserData uint64   // the request's SQE.UserData
	Res      int32    // the result, or an errno below zero
	Flags    CQEFlags // what else there is to know
}

// GetData64 returns the request's user data (io_uring_cqe_get_data64).
func (c *CQE) GetData64() uint64 { return c.UserData }

// Err returns the request's error as a syscall.Errno, nil if it succeeded. A
// notification (CQEFNotif) has no error: its Res has flags. The kernel's internal
// numbers for a system call that a signal has ended (512 and up, such as ERESTARTSYS)
// become EINTR, which that call would return.
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

// BigCQE returns the entry's second 16 bytes. Call it only on an entry of a ring with
// SetupCQE32, or on one with CQEF32 of a ring with SetupCQEMixed: other entries have
// none.
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
