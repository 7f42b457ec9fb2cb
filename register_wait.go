package liburing

import (
	"fmt"
	"os"
	"runtime"
	"time"
	"unsafe"
)

// Registered waits: how to wait is written down once, in memory that is shared
// with the kernel, and named by its place.

// RegWait is how a registered wait waits, struct io_uring_reg_wait.
type RegWait struct {
	Timeout     Timespec
	MinWaitUsec uint32
	Flags       RegWaitFlags // RegWaitTS: Timeout counts
	_           [40]byte
}

// limit is how long it waits, from now on.
func (w *RegWait) limit() waitLimit {
	if w.Flags&RegWaitTS == 0 {
		return waitLimit{}
	}
	timeout := w.Timeout.duration()
	return limitOf(timeout).withMin(timeout, time.Duration(w.MinWaitUsec)*time.Microsecond)
}

// RegisterWaitRegion registers pages of waits that SubmitAndWaitReg names by
// their place (io_uring_register_region). The slice, of 64 waits a page, is
// shared with the kernel and lives as long as the ring. The ring must have been
// set up with SetupRDisabled, and not be enabled yet. Needs Linux 6.13.
func (r *Ring) RegisterWaitRegion(pages int) ([]RegWait, error) {
	const op = "io_uring_register_region"
	if pages <= 0 || pages > 1<<20 {
		return nil, r.badInput(op, "%d pages: from 1 to %d are allowed", pages, 1<<20)
	}
	mem, err := mapMemory(pages * os.Getpagesize())
	if err != nil {
		return nil, &OpError{Op: op, Err: err, Hint: fmt.Sprintf("%d pages could not be mapped", pages)}
	}
	desc := &regionDesc{addr: data(mem), size: uint64(len(mem)), flags: uint32(MemRegionTypeUser)}
	reg := memRegionReg{desc: addr(desc), flags: uint64(MemRegionRegWaitArg)}
	err = r.call(op, func(m *ringMem) int32 { return cRegisterRegion(m, &reg) })
	runtime.KeepAlive(desc) // reg has it as a number
	if err != nil {
		unmapMemory(mem)
		return nil, err
	}
	r.regions = append(r.regions, mem)
	first := (*RegWait)(unsafe.Pointer(unsafe.SliceData(mem)))
	r.regWaits = unsafe.Slice(first, len(mem)/int(unsafe.Sizeof(RegWait{})))
	return r.regWaits, nil
}
