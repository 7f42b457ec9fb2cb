package main

import (
	"sync/atomic"
	"unsafe"

	"github.com/go-liburing/liburing"
)

// refill is the queue that gives memory back to the card: the program writes
// entries and moves the tail, the kernel reads them and moves the head.
type refill struct {
	head, tail *uint32
	entries    []refillEntry
	token      uint64 // what entries name the area by
}

// refillEntry is struct io_uring_zcrx_rqe.
type refillEntry struct {
	off uint64
	len uint32
	_   uint32
}

// newRefill finds the queue's parts in the memory that is shared with the
// kernel, where the registration says that they are.
func newRefill(shared []byte, reg *liburing.ZCRXIFQReg, token uint64) *refill {
	return &refill{
		head:    (*uint32)(unsafe.Pointer(&shared[reg.Offsets.Head])),
		tail:    (*uint32)(unsafe.Pointer(&shared[reg.Offsets.Tail])),
		entries: unsafe.Slice((*refillEntry)(unsafe.Pointer(&shared[reg.Offsets.Rqes])), reg.RqEntries),
		token:   token,
	}
}

// put gives the memory back that a completion said off and n of. It reports
// whether there was room.
func (r *refill) put(off uint64, n uint32) bool {
	tail := *r.tail // only this side writes it
	if tail-atomic.LoadUint32(r.head) == uint32(len(r.entries)) {
		return false
	}
	r.entries[tail%uint32(len(r.entries))] = refillEntry{off: inArea(off) | r.token, len: n}
	atomic.StoreUint32(r.tail, tail+1)
	return true
}

// inArea returns the place in the area that an offset of a completion means:
// its upper bits tell which area.
func inArea(off uint64) uint64 { return off &^ liburing.ZCRXAreaMask }
