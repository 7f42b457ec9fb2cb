//go:build linux && (!cgo || liburing_go)

package liburing

import (
	"os"
	"syscall"
	"unsafe"

	"github.com/go-liburing/liburing/internal/seam"
	"golang.org/x/sys/unix"
)

// What cgo.go gets from liburing's library, in Go: builds without cgo, and those with
// -tags liburing_go, have this file (setting a ring up, its memory, its end),
// nocgo_enter.go and nocgo_register.go in its place. They do what liburing does, to the
// last bit of the ring's memory and to the errno, and the tests hold them to it.

const backend = BackendGo

// goRing is a ring and, behind what C has too, what is in Go's memory here. It lies
// on the heap, where nothing moves: the kernel gets addresses of it.
type goRing struct {
	ringMem
	arg     waitArg
	timeout Timespec
	kernel  seam.Ring // nil: the real one
}

// Bits of ringMem.intFlags that are none of io_uring_enter's.
const (
	intRegReg   = 1 << 0 // register calls name the ring by its registered descriptor
	intOwnMem   = 1 << 1 // the queues lie in the caller's memory
	intCQEnters = 1 << 2 // completions come in a system call only: IOPOLL
)

func (m *ringMem) has(intFlag uint8) bool { return m.intFlags&intFlag != 0 }

// The version whose behaviour this is; the constants are of it too.
const goMajor, goMinor = 2, 15

func cVersion() (major, minor int32)       { return goMajor, goMinor }
func cHeaderVersion() (major, minor int32) { return goMajor, goMinor }

func cSanitized() bool { return false }

// errnoOf makes liburing's result of what a system call returns.
func errnoOf(r uintptr, errno syscall.Errno) int32 {
	if errno != 0 {
		return -int32(errno)
	}
	return int32(r)
}

// errnoIn is errnoOf for functions of golang.org/x/sys.
func errnoIn(err error) int32 {
	if errno, ok := err.(syscall.Errno); ok {
		return -int32(errno)
	}
	return 0
}

func cSetup(entries uint32, p *Params) int32 {
	fd, _, errno := unix.Syscall(unix.SYS_IO_URING_SETUP, uintptr(entries), uintptr(unsafe.Pointer(p)), 0)
	return errnoOf(fd, errno)
}

// Setting up.

func cQueueInitParams(entries uint32, p *Params) (*ringMem, int32) {
	m, ret := setUpRing(entries, p, nil)
	return m, min(ret, 0)
}

func cQueueInitMem(entries uint32, p *Params, mem []byte) (*ringMem, int32) {
	p.Flags |= SetupNoMmap
	return setUpRing(entries, p, mem)
}

// setUpRing does without the submission queue's array where the kernel can. The
// result is how many bytes of the caller's memory the ring takes.
func setUpRing(entries uint32, p *Params, mem []byte) (*ringMem, int32) {
	asked := p.Flags
	p.Flags |= SetupNoSQArray
	m, ret := trySetUp(entries, p, mem)
	if ret == -int32(unix.EINVAL) && asked&SetupNoSQArray == 0 {
		p.Flags = asked
		m, ret = trySetUp(entries, p, mem)
	}
	return m, ret
}

func trySetUp(entries uint32, p *Params, mem []byte) (*ringMem, int32) {
	if p.Flags&(SetupRegisteredFDOnly|SetupNoMmap) == SetupRegisteredFDOnly {
		return nil, -int32(unix.EINVAL)
	}
	m := &new(goRing).ringMem
	used := int32(0)
	if p.Flags&SetupNoMmap != 0 {
		if used = m.takeMemory(entries, p, mem); used < 0 {
			return nil, used
		}
	}
	fd := cSetup(entries, p)
	if fd < 0 {
		m.unmap()
		return nil, fd
	}
	if p.Flags&SetupNoMmap != 0 {
		m.setPointers(p)
	} else if ret := m.mapQueues(fd, p); ret < 0 {
		unix.Close(int(fd))
		return nil, ret
	}
	m.fillArray(p)
	m.begin(fd, p)
	return m, used
}

// begin stores what the kernel has answered.
func (m *ringMem) begin(fd int32, p *Params) {
	m.features, m.flags = p.Features, p.Flags
	m.ringFD, m.enterRingFD = fd, fd
	if m.flags&SetupRegisteredFDOnly != 0 {
		m.ringFD = -1
		m.intFlags |= uint8(EnterRegisteredRing) | intRegReg
	}
	if m.flags&(SetupIOPoll|SetupSQPoll) == SetupIOPoll {
		m.intFlags |= intCQEnters
	}
	m.init()
}

// fillArray has each place of the submission queue's array name its own entry.
func (m *ringMem) fillArray(p *Params) {
	if p.Flags&SetupNoSQArray != 0 {
		return
	}
	for i, array := uint32(0), unsafe.Slice(m.sq.array, m.sq.ringEntries); i < m.sq.ringEntries; i++ {
		array[i] = i
	}
}

// setPointers finds the parts of the queues.
func (m *ringMem) setPointers(p *Params) {
	sq, cq := &m.sq, &m.cq
	word := func(ring unsafe.Pointer, offset uint32) *uint32 { return (*uint32)(unsafe.Add(ring, offset)) }

	sq.khead = word(sq.ringPtr, p.SQOff.Head)
	sq.ktail = word(sq.ringPtr, p.SQOff.Tail)
	sq.kflags = word(sq.ringPtr, p.SQOff.Flags)
	sq.kdropped = word(sq.ringPtr, p.SQOff.Dropped)
	if p.Flags&SetupNoSQArray == 0 {
		sq.array = word(sq.ringPtr, p.SQOff.Array)
	}
	sq.ringMask = *word(sq.ringPtr, p.SQOff.RingMask)
	sq.ringEntries = *word(sq.ringPtr, p.SQOff.RingEntries)

	cq.khead = word(cq.ringPtr, p.CQOff.Head)
	cq.ktail = word(cq.ringPtr, p.CQOff.Tail)
	cq.koverflow = word(cq.ringPtr, p.CQOff.Overflow)
	cq.cqes = (*CQE)(unsafe.Add(cq.ringPtr, p.CQOff.CQEs))
	if p.CQOff.Flags != 0 {
		cq.kflags = word(cq.ringPtr, p.CQOff.Flags)
	}
	cq.ringMask = *word(cq.ringPtr, p.CQOff.RingMask)
	cq.ringEntries = *word(cq.ringPtr, p.CQOff.RingEntries)
}

// The queues' memory: the kernel's, mapped.

// mapQueues maps the queues of a ring. What it can't map leaves nothing mapped.
func (m *ringMem) mapQueues(fd int32, p *Params) (ret int32) {
	sq, cq := &m.sq, &m.cq
	sq.ringSz = uintptr(p.SQOff.Array) + uintptr(p.SQEntries)*unsafe.Sizeof(uint32(0))
	cq.ringSz = uintptr(p.CQOff.CQEs) + cqesSize(p.Flags, p.CQEntries)
	single := p.Features&FeatSingleMmap != 0
	if single {
		sq.ringSz = max(sq.ringSz, cq.ringSz)
		cq.ringSz = sq.ringSz
	}
	if sq.ringPtr, ret = mapRing(fd, OffSQRing, sq.ringSz); ret < 0 {
		return ret
	}
	if cq.ringPtr = sq.ringPtr; !single {
		cq.ringPtr, ret = mapRing(fd, OffCQRing, cq.ringSz)
	}
	if ret == 0 {
		var sqes unsafe.Pointer
		sq.sqesSz = uint32(sqesSize(p.Flags, p.SQEntries))
		sqes, ret = mapRing(fd, OffSQEs, uintptr(sq.sqesSz))
		sq.sqes = (*SQE)(sqes)
	}
	if ret < 0 {
		m.unmap()
		return ret
	}
	m.setPointers(p)
	return 0
}

func mapRing(fd int32, offset int64, size uintptr) (unsafe.Pointer, int32) {
	const prot, flags = unix.PROT_READ | unix.PROT_WRITE, unix.MAP_SHARED | unix.MAP_POPULATE
	p, err := unix.MmapPtr(int(fd), offset, nil, size, prot, flags)
	if err != nil {
		return nil, errnoIn(err)
	}
	return p, 0
}

// unmap unmaps what is mapped of the queues, unless they lie in the caller's memory.
func (m *ringMem) unmap() {
	sq, cq := &m.sq, &m.cq
	if m.has(intOwnMem) {
		return
	}
	if sq.sqes != nil {
		unix.MunmapPtr(unsafe.Pointer(sq.sqes), uintptr(sq.sqesSz))
	}
	if sq.ringPtr != nil && sq.ringSz != 0 {
		unix.MunmapPtr(sq.ringPtr, sq.ringSz)
	}
	if cq.ringPtr != nil && cq.ringSz != 0 && cq.ringPtr != sq.ringPtr {
		unix.MunmapPtr(cq.ringPtr, cq.ringSz)
	}
}

// The queues' memory: the program's, given to the kernel.

// hugePage is how large the memory is that liburing takes for one of the queues when
// a page is too small; the kernel wants it in one piece.
const hugePage = 2 << 20

// takeMemory puts the queues into mem, or into memory of their own without, and
// returns how many bytes they take of it.
func (m *ringMem) takeMemory(entries uint32, p *Params, mem []byte) int32 {
	sqEntries, cqEntries, ret := queueSizes(entries, p)
	if ret < 0 {
		return ret
	}
	sqes := pages(sqesSize(p.Flags, sqEntries))
	rings := ringsSize(p.Flags, sqEntries, cqEntries)
	if mem == nil {
		ret = m.mapAnonymous(sqes, rings)
	} else if ret = -int32(unix.ENOMEM); sqes+pages(rings) <= uintptr(len(mem)) {
		m.intFlags |= intOwnMem
		m.sq.sqes, ret = (*SQE)(unsafe.Pointer(unsafe.SliceData(mem))), 0
		m.sq.ringPtr = unsafe.Add(unsafe.Pointer(m.sq.sqes), sqes)
	}
	if ret < 0 {
		return ret
	}
	m.cq.ringPtr = m.sq.ringPtr
	p.SQOff.userAddr = uint64(uintptr(unsafe.Pointer(m.sq.sqes)))
	p.CQOff.userAddr = uint64(uintptr(m.sq.ringPtr))
	return int32(sqes + pages(rings))
}

// mapAnonymous maps memory for the entries and behind them, or in a second piece, for
// the rings.
func (m *ringMem) mapAnonymous(sqes, rings uintptr) (ret int32) {
	if sqes > hugePage || rings > hugePage {
		return -int32(unix.ENOMEM)
	}
	first, size, ret := mapPiece(sqes)
	if ret < 0 {
		return ret
	}
	m.sq.sqes, m.sq.sqesSz = (*SQE)(first), uint32(size)
	if sqes+pages(rings) <= size {
		m.sq.ringPtr = unsafe.Add(first, sqes)
		return 0
	}
	if m.sq.ringPtr, m.sq.ringSz, ret = mapPiece(rings); ret < 0 {
		m.unmap()
	}
	return ret
}

// mapPiece maps a page, or a huge one if that is too small.
func mapPiece(need uintptr) (p unsafe.Pointer, size uintptr, ret int32) {
	const prot, flags = unix.PROT_READ | unix.PROT_WRITE, unix.MAP_SHARED | unix.MAP_ANONYMOUS
	size, huge := uintptr(os.Getpagesize()), 0
	if need > size {
		size, huge = hugePage, unix.MAP_HUGETLB|unix.MAP_HUGE_2MB
	}
	p, err := unix.MmapPtr(-1, 0, nil, size, prot, flags|huge)
	if err != nil {
		return nil, 0, errnoIn(err)
	}
	return p, size, 0
}

// Sizes.

// queueSizes returns how many entries the kernel is going to make of what is asked
// for.
func queueSizes(entries uint32, p *Params) (sq, cq uint32, ret int32) {
	clamp := p.Flags&SetupClamp != 0
	sq, ok := roundEntries(entries, MaxEntries, clamp)
	cq = 2 * sq
	if ok && p.Flags&SetupCQSize != 0 {
		cq, ok = roundEntries(p.CQEntries, 2*MaxEntries, clamp)
	}
	if !ok || cq < sq {
		return 0, 0, -int32(unix.EINVAL)
	}
	return sq, cq, 0
}

// roundEntries rounds up to a power of two, and down to the most there may be where
// that is allowed.
func roundEntries(n, most uint32, clamp bool) (uint32, bool) {
	if n > most && clamp {
		n = most
	}
	if n == 0 || n > most {
		return 0, false
	}
	return nextPow2(n), true
}

func sqesSize(flags SetupFlags, entries uint32) uintptr {
	if flags&SetupSQE128 != 0 {
		entries *= 2
	}
	return uintptr(entries) * unsafe.Sizeof(SQE{})
}

func cqesSize(flags SetupFlags, entries uint32) uintptr {
	if flags&SetupCQE32 != 0 {
		entries *= 2
	}
	return uintptr(entries) * unsafe.Sizeof(CQE{})
}

// ringsSize returns the size of all but the submission queue's entries; the heads
// and tails are in the first 64 bytes.
func ringsSize(flags SetupFlags, sqEntries, cqEntries uint32) uintptr {
	size := 64 + cqesSize(flags, cqEntries)
	if flags&SetupNoSQArray == 0 {
		size += uintptr(sqEntries) * unsafe.Sizeof(uint32(0))
	}
	return size
}

// pages rounds up to whole pages.
func pages(size uintptr) uintptr {
	page := uintptr(os.Getpagesize())
	return (size + page - 1) &^ (page - 1)
}

func cMemorySizeParams(entries uint32, p *Params) int64 {
	sq, cq, ret := queueSizes(entries, p)
	if ret < 0 {
		return int64(ret)
	}
	return int64(pages(ringsSize(p.Flags, sq, cq)) + pages(sqesSize(p.Flags, sq)))
}

// cMlockSizeParams tries what the kernel is like. If it makes no ring that may be
// for want of locked memory, which an old one needs.
func cMlockSizeParams(entries uint32, p *Params) int64 {
	var tried Params
	if m, ret := cQueueInitParams(entries, &tried); ret >= 0 {
		cQueueExit(m)
	}
	if tried.Features&FeatNativeWorkers != 0 {
		return 0
	}
	return cMemorySizeParams(entries, p)
}

// Changing and ending.

// cResizeRings is liburing's: it clears the flags, for the next use.
func cResizeRings(m *ringMem, p *Params) (ret int32) {
	defer func() { p.Flags = 0 }()
	p.SQOff, p.CQOff = SQRingOffsets{}, CQRingOffsets{}
	if ret := m.register(RegisterResizeRings, unsafe.Pointer(p), 1); ret < 0 {
		return ret
	}
	var resized ringMem
	if ret := resized.mapQueues(m.ringFD, p); ret < 0 {
		return ret
	}
	resized.sq.sqeHead, resized.sq.sqeTail = m.sq.sqeHead, m.sq.sqeTail
	m.unmap()
	m.sq, m.cq = resized.sq, resized.cq
	m.fillArray(p)
	return 0
}

func cRingDontfork(m *ringMem) int32 {
	sq, cq := &m.sq, &m.cq
	for _, part := range []struct {
		at   unsafe.Pointer
		size uintptr
	}{
		{unsafe.Pointer(sq.sqes), sqesSize(m.flags, sq.ringEntries)},
		{sq.ringPtr, sq.ringSz},
		{cq.ringPtr, cq.ringSz},
	} {
		_, _, errno := unix.Syscall(unix.SYS_MADVISE, uintptr(part.at), part.size, unix.MADV_DONTFORK)
		if errno != 0 {
			return -int32(errno)
		}
	}
	return 0
}

// cQueueExit leaves nothing in m: an address that is mapped anew might be Go's then.
func cQueueExit(m *ringMem) {
	if k := m.simulated(); k != nil {
		k.Close()
	}
	m.unmap()
	if m.has(uint8(EnterRegisteredRing)) {
		cUnregisterRingFD(m)
	}
	if m.ringFD != -1 {
		unix.Close(int(m.ringFD))
	}
	*m = ringMem{}
}

// Rings of a simulated kernel, which package uringtest makes.

func init() {
	seam.Option = func(k seam.Kernel) any {
		return Option(func(o *options) {
			o.setUp = func(entries uint32, p *Params) (*ringMem, int32) { return simulate(k, entries, p) }
		})
	}
}

// simulate sets up a ring of a simulated kernel.
func simulate(k seam.Kernel, entries uint32, p *Params) (*ringMem, int32) {
	g := new(goRing)
	m := &g.ringMem
	kernel, fd := k.Setup(entries, unsafe.Pointer(p))
	if fd < 0 {
		return nil, fd
	}
	if ret := m.mapQueues(fd, p); ret < 0 {
		unix.Close(int(fd))
		return nil, ret
	}
	m.fillArray(p)
	m.begin(fd, p)
	g.kernel = kernel
	m.intFlags |= intSimulated
	m.isRaw = false
	return m, 0
}

// simulated returns the simulated kernel's side of the ring, nil if the kernel is a real
// one.
func (m *ringMem) simulated() seam.Ring {
	if !m.has(intSimulated) {
		return nil
	}
	return (*goRing)(unsafe.Pointer(m)).kernel
}
