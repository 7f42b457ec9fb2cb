package main

import (
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// What the program needs of linux/io_uring.h.
const (
	opRead             = 22
	enterGetEvents     = 1
	featSingleMmap     = 1
	offSQRing          = 0
	offSQEs            = 0x10000000
	currentPosition    = ^uint64(0)
	sqeSize            = 64
	cqeSize            = 16
	ringEntries        = 1
	syscallSetup       = unix.SYS_IO_URING_SETUP
	syscallEnter       = unix.SYS_IO_URING_ENTER
	mapRead            = unix.PROT_READ | unix.PROT_WRITE
	mapShared          = unix.MAP_SHARED | unix.MAP_POPULATE
	sizeofIndexInArray = 4
)

// sqRingOffsets and cqRingOffsets say where things lie in the mapped rings.
type sqRingOffsets struct {
	head, tail, ringMask, ringEntries, flags, dropped, array, resv1 uint32
	userAddr                                                        uint64
}

type cqRingOffsets struct {
	head, tail, ringMask, ringEntries, overflow, cqes, flags, resv1 uint32
	userAddr                                                        uint64
}

// params is struct io_uring_params: what is asked of the kernel, and what it
// answers.
type params struct {
	sqEntries, cqEntries, flags, sqThreadCPU, sqThreadIdle, features, wqFD uint32
	resv                                                                   [3]uint32
	sqOff                                                                  sqRingOffsets
	cqOff                                                                  cqRingOffsets
}

// sqe is a request, cqe its completion.
type sqe struct {
	opcode, flags uint8
	ioprio        uint16
	fd            int32
	off, addr     uint64
	len, rwFlags  uint32
	userData      uint64
	rest          [3]uint64
}

type cqe struct {
	userData uint64
	res      int32
	flags    uint32
}

// ring is an io_uring of one entry, in memory that is shared with the kernel.
type ring struct {
	fd         int
	mem, sqMem []byte

	sqTail, sqMask *uint32
	sqArray        []uint32
	sqes           []sqe

	cqHead, cqTail, cqMask *uint32
	cqes                   []cqe
}

// newRing does what io_uring_queue_init does: a system call sets the ring up,
// two mappings make its memory visible, and the offsets say what is where.
func newRing() (*ring, error) {
	var p params
	fd, _, errno := unix.Syscall(syscallSetup, ringEntries, uintptr(unsafe.Pointer(&p)), 0)
	if errno != 0 {
		return nil, errno
	}
	r := &ring{fd: int(fd)}
	if p.features&featSingleMmap == 0 { // before Linux 5.4 the two rings were two mappings
		r.close()
		return nil, unix.ENOTSUP
	}
	size := max(p.sqOff.array+p.sqEntries*sizeofIndexInArray, p.cqOff.cqes+p.cqEntries*cqeSize)
	var err error
	if r.mem, err = unix.Mmap(r.fd, offSQRing, int(size), mapRead, mapShared); err == nil {
		r.sqMem, err = unix.Mmap(r.fd, offSQEs, int(p.sqEntries)*sqeSize, mapRead, mapShared)
	}
	if err != nil {
		r.close()
		return nil, err
	}
	r.sqTail, r.sqMask = r.word(p.sqOff.tail), r.word(p.sqOff.ringMask)
	r.cqHead, r.cqTail, r.cqMask = r.word(p.cqOff.head), r.word(p.cqOff.tail), r.word(p.cqOff.ringMask)
	r.sqArray = unsafe.Slice(r.word(p.sqOff.array), p.sqEntries)
	r.sqes = unsafe.Slice((*sqe)(unsafe.Pointer(&r.sqMem[0])), p.sqEntries)
	r.cqes = unsafe.Slice((*cqe)(unsafe.Pointer(&r.mem[p.cqOff.cqes])), p.cqEntries)
	return r, nil
}

// word returns the number at an offset of the rings.
func (r *ring) word(offset uint32) *uint32 { return (*uint32)(unsafe.Pointer(&r.mem[offset])) }

func (r *ring) close() {
	unix.Munmap(r.sqMem)
	unix.Munmap(r.mem)
	unix.Close(r.fd)
}

// read makes one request and waits for its completion.
func (r *ring) read(fd int, buf []byte) (int, error) {
	// The tail is ours to write and the kernel's to read. It must not see the
	// new one before the entry is written: that takes a release, which Go's
	// atomic store is.
	tail := *r.sqTail
	index := tail & *r.sqMask
	r.sqes[index] = sqe{
		opcode: opRead,
		fd:     int32(fd),
		off:    currentPosition,
		addr:   uint64(uintptr(unsafe.Pointer(unsafe.SliceData(buf)))),
		len:    uint32(len(buf)),
	}
	r.sqArray[index] = index
	atomic.StoreUint32(r.sqTail, tail+1)
	if err := r.enter(1, 1); err != nil {
		return 0, err
	}
	// The other way round: an acquire, and the entry is given back by moving the
	// head when it has been read.
	head := *r.cqHead
	for head == atomic.LoadUint32(r.cqTail) { // a signal came first
		if err := r.enter(0, 1); err != nil {
			return 0, err
		}
	}
	res := r.cqes[head&*r.cqMask].res
	atomic.StoreUint32(r.cqHead, head+1)
	if res < 0 {
		return 0, unix.Errno(-res)
	}
	return int(res), nil
}

// enter hands requests to the kernel and waits for completions.
func (r *ring) enter(submit, wait uintptr) error {
	_, _, errno := unix.Syscall6(syscallEnter, uintptr(r.fd), submit, wait, enterGetEvents, 0, 0)
	if errno != 0 && errno != unix.EINTR {
		return errno
	}
	return nil
}
