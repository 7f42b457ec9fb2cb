package liburing

import (
	"fmt"
	"os"
	"runtime"
	"syscall"
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

// RegisterWaitRegion registers a page of waits that SubmitAndWaitReg names by
// their place (io_uring_register_region). The slice, of 64 waits a page, is
// shared with the kernel and lives as long as the ring. The ring must have been
// set up with SetupRDisabled, and not be enabled yet. Least kernel: 6.13.
func (r *Ring) RegisterWaitRegion(pages int) ([]RegWait, error) {
	const op = "io_uring_register_region"
	if r.mem == nil {
		return nil, ErrClosed
	}
	if pages <= 0 || pages > 1<<20 {
		return nil, badInput(op, "%d pages", pages)
	}
	mem, err := mapMemory(pages * os.Getpagesize())
	if err != nil {
		return nil, &OpError{Op: op, Err: err, Hint: fmt.Sprintf("%d pages could not be mapped", pages)}
	}
	desc := &regionDesc{addr: data(mem), size: uint64(len(mem)), flags: uint32(MemRegionTypeUser)}
	reg := memRegionReg{desc: addr(desc), flags: uint64(MemRegionRegWaitArg)}
	ret := cRegisterRegion(r.mem, &reg)
	runtime.KeepAlive(desc) // reg has it as a number
	if ret < 0 {
		unmapMemory(mem)
		return nil, opError(op, ret)
	}
	r.regions = append(r.regions, mem)
	first := (*RegWait)(unsafe.Pointer(unsafe.SliceData(mem)))
	return unsafe.Slice(first, len(mem)/int(unsafe.Sizeof(RegWait{}))), nil
}

// SubmitAndWaitReg submits and waits as the registered wait index says, and
// returns the first completion, nil if there is none; when the time is over
// without one the error is ETIME (io_uring_submit_and_wait_reg). After a signal
// the whole time begins again. EFAULT if there is no such wait. Least kernel:
// 6.13.
func (r *Ring) SubmitAndWaitReg(n uint32, index int) (*CQE, error) {
	const op = "io_uring_submit_and_wait_reg"
	if r.mem == nil {
		return nil, ErrClosed
	}
	if int(int32(index)) != index { // C would cut it down to another wait
		return nil, opError(op, -int32(syscall.EFAULT))
	}
	for {
		ret := cSubmitAndWaitReg(r.mem, n, index)
		r.yield.crossed()
		if ret >= 0 {
			return r.peekNoWait(), nil
		}
		if ret != -int32(syscall.EINTR) {
			return nil, opError(op, ret)
		}
	}
}
