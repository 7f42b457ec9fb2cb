//go:build linux && cgo && !liburing_go

package liburing

// #cgo CFLAGS: -I${SRCDIR}/third_party/liburing/include -D_GNU_SOURCE
// #cgo LDFLAGS: -L${SRCDIR}/third_party/liburing/lib -luring
// #include "liburing_cgo.h"
import "C"

import (
	"syscall"
	"time"
	"unsafe"

	"github.com/go-liburing/liburing/internal/abi"
)

// This file is the only one that calls C. Its functions have Go types in their
// signatures, take and return what liburing does (an errno below zero is a
// failure), and are the ones that the rest of the package builds on. nocgo*.go have
// the same ones in Go; internal/gen writes their stand-ins for builds without Linux
// from them.
//
// The functions are in the order of liburing's families. zz_cgo.go, which
// internal/gen writes too, tells cgo what holds for the C functions.

// ringMem has C's layout, or the package does not compile. (The kernel's structs
// are held to theirs in ringmem.go and internal/abi: they never change, struct io_uring may.)
var (
	_ = [1]struct{}{}[unsafe.Offsetof(ringMem{}.sqeSize)-C.sizeof_struct_io_uring]
	_ = [1]struct{}{}[unsafe.Offsetof(ringMem{}.cq)-unsafe.Offsetof(C.struct_io_uring{}.cq)]
	_ = [1]struct{}{}[unsafe.Offsetof(ringMem{}.flags)-unsafe.Offsetof(C.struct_io_uring{}.flags)]
	_ = [1]struct{}{}[unsafe.Offsetof(ringMem{}.features)-unsafe.Offsetof(C.struct_io_uring{}.features)]
	_ = [1]struct{}{}[unsafe.Offsetof(ringMem{}.enterRingFD)-unsafe.Offsetof(C.struct_io_uring{}.enter_ring_fd)]
	_ = [1]struct{}{}[unsafe.Offsetof(ringMem{}.intFlags)-unsafe.Offsetof(C.struct_io_uring{}.int_flags)]
	_ = [1]struct{}{}[unsafe.Offsetof(sqMem{}.kflags)-unsafe.Offsetof(C.struct_io_uring_sq{}.kflags)]
	_ = [1]struct{}{}[unsafe.Offsetof(sqMem{}.sqes)-unsafe.Offsetof(C.struct_io_uring_sq{}.sqes)]
	_ = [1]struct{}{}[unsafe.Offsetof(sqMem{}.sqeTail)-unsafe.Offsetof(C.struct_io_uring_sq{}.sqe_tail)]
	_ = [1]struct{}{}[unsafe.Offsetof(sqMem{}.ringMask)-unsafe.Offsetof(C.struct_io_uring_sq{}.ring_mask)]
	_ = [1]struct{}{}[unsafe.Offsetof(cqMem{}.kflags)-unsafe.Offsetof(C.struct_io_uring_cq{}.kflags)]
	_ = [1]struct{}{}[unsafe.Offsetof(cqMem{}.cqes)-unsafe.Offsetof(C.struct_io_uring_cq{}.cqes)]
	_ = [1]struct{}{}[unsafe.Offsetof(cqMem{}.ringMask)-unsafe.Offsetof(C.struct_io_uring_cq{}.ring_mask)]
)

// Pointers for C.

// ring is the pointer for liburing's own functions, fast the one for the
// functions of liburing_cgo.h that are called for every batch.
func ring(m *ringMem) *C.struct_io_uring { return (*C.struct_io_uring)(unsafe.Pointer(m)) }
func fast(m *ringMem) *C.go_uring        { return (*C.go_uring)(unsafe.Pointer(m)) }

func params(p *Params) *C.struct_io_uring_params {
	return (*C.struct_io_uring_params)(unsafe.Pointer(p))
}

func fdList(fds []int32) *C.int      { return (*C.int)(unsafe.SliceData(fds)) }
func tagList(tags []uint64) *C.__u64 { return (*C.__u64)(unsafe.SliceData(tags)) }

func iovecs(iov []abi.Iovec) *C.struct_iovec {
	return (*C.struct_iovec)(unsafe.Pointer(unsafe.SliceData(iov)))
}

// liburing itself.

const backend = BackendCgo

func cVersion() (major, minor int32) {
	return int32(C.io_uring_major_version()), int32(C.io_uring_minor_version())
}

func cHeaderVersion() (major, minor int32) {
	return C.IO_URING_VERSION_MAJOR, C.IO_URING_VERSION_MINOR
}

func cSanitized() bool { return bool(C.go_sanitized()) }

// Setting up and ending.

func cQueueInitParams(entries uint32, p *Params) (*ringMem, int32) {
	return initRing(func(m *ringMem) C.int {
		return C.io_uring_queue_init_params(C.uint(entries), ring(m), params(p))
	})
}

func cQueueInitMem(entries uint32, p *Params, mem []byte) (*ringMem, int32) {
	return initRing(func(m *ringMem) C.int {
		return C.io_uring_queue_init_mem(C.uint(entries), ring(m), params(p),
			unsafe.Pointer(unsafe.SliceData(mem)), C.size_t(len(mem)))
	})
}

// initRing allocates a ring in C memory and has it set up.
func initRing(setUp func(*ringMem) C.int) (*ringMem, int32) {
	m := (*ringMem)(C.calloc(1, C.size_t(unsafe.Sizeof(ringMem{}))))
	if m == nil {
		return nil, -int32(syscall.ENOMEM)
	}
	ret := setUp(m)
	if ret < 0 {
		C.free(unsafe.Pointer(m))
		return nil, int32(ret)
	}
	m.init()
	return m, int32(ret)
}

func cQueueExit(m *ringMem) {
	C.io_uring_queue_exit(ring(m))
	C.free(unsafe.Pointer(m))
}

func cMlockSizeParams(entries uint32, p *Params) int64 {
	return int64(C.io_uring_mlock_size_params(C.uint(entries), params(p)))
}

func cMemorySizeParams(entries uint32, p *Params) int64 {
	return int64(C.go_memory_size_params(C.uint(entries), params(p)))
}

func cEnableRings(m *ringMem) int32 { return int32(C.io_uring_enable_rings(ring(m))) }

func cResizeRings(m *ringMem, p *Params) int32 {
	return int32(C.io_uring_resize_rings(ring(m), params(p)))
}

func cRingDontfork(m *ringMem) int32 { return int32(C.io_uring_ring_dontfork(ring(m))) }

// Submitting and waiting.

func cSubmit(m *ringMem) int32 { return int32(C.go_submit(fast(m))) }

func cSubmitAndWait(m *ringMem, n uint32) int32 {
	return int32(C.go_submit_and_wait(fast(m), C.uint(n)))
}

func cSubmitAndWaitTimeout(m *ringMem, n uint32, d time.Duration) int32 {
	return int32(C.go_submit_and_wait_timeout(fast(m), C.uint(n), C.longlong(d/time.Second), C.longlong(d%time.Second)))
}

func cSubmitAndWaitMinTimeout(m *ringMem, n uint32, d time.Duration, minWait uint32) int32 {
	return int32(C.go_submit_and_wait_min_timeout(fast(m), C.uint(n), C.longlong(d/time.Second), C.longlong(d%time.Second), C.uint(minWait)))
}

func cSubmitAndWaitReg(m *ringMem, n uint32, index int) int32 {
	return int32(C.go_submit_and_wait_reg(fast(m), C.uint(n), C.int(index)))
}

func cSubmitAndGetEvents(m *ringMem) int32 { return int32(C.go_submit_and_get_events(fast(m))) }

func cSubmitGetSQE(m *ringMem) (*SQE, int32) {
	var ret C.int
	sqe := C.go_submit_get_sqe(fast(m), &ret)
	return (*SQE)(unsafe.Pointer(sqe)), int32(ret)
}

func cWaitCQENr(m *ringMem, n uint32) int32 {
	return int32(C.go_wait_cqe_nr(fast(m), C.uint(n)))
}

func cWaitCQEs(m *ringMem, n uint32, d time.Duration) int32 {
	return int32(C.go_wait_cqes(fast(m), C.uint(n), C.longlong(d/time.Second), C.longlong(d%time.Second)))
}

func cWaitCQEsMinTimeout(m *ringMem, n uint32, d time.Duration, minWait uint32) int32 {
	return int32(C.go_wait_cqes_min_timeout(fast(m), C.uint(n), C.longlong(d/time.Second), C.longlong(d%time.Second), C.uint(minWait)))
}

func cGetEvents(m *ringMem) int32 { return int32(C.go_get_events(fast(m))) }

func cSQRingWait(m *ringMem) int32 { return int32(C.__io_uring_sqring_wait(ring(m))) }

func cSetIowait(m *ringMem, enable bool) int32 {
	return int32(C.go_set_iowait(ring(m), C.bool(enable)))
}

func cRegisterClock(m *ringMem, reg *abi.ClockRegister) int32 {
	return int32(C.io_uring_register_clock(ring(m), (*C.struct_io_uring_clock_register)(unsafe.Pointer(reg))))
}

func cRegisterNAPI(m *ringMem, n *NAPI) int32 {
	return int32(C.io_uring_register_napi(ring(m), (*C.struct_io_uring_napi)(unsafe.Pointer(n))))
}

func cUnregisterNAPI(m *ringMem, n *NAPI) int32 {
	return int32(C.io_uring_unregister_napi(ring(m), (*C.struct_io_uring_napi)(unsafe.Pointer(n))))
}

// Registered buffers.

func cRegisterBuffers(m *ringMem, iov []abi.Iovec) int32 {
	return int32(C.io_uring_register_buffers(ring(m), iovecs(iov), C.uint(len(iov))))
}

func cRegisterBuffersTags(m *ringMem, iov []abi.Iovec, tags []uint64) int32 {
	return int32(C.io_uring_register_buffers_tags(ring(m), iovecs(iov), tagList(tags), C.uint(len(iov))))
}

func cRegisterBuffersSparse(m *ringMem, n uint32) int32 {
	return int32(C.io_uring_register_buffers_sparse(ring(m), C.uint(n)))
}

func cRegisterBuffersUpdateTag(m *ringMem, off uint32, iov []abi.Iovec, tags []uint64) int32 {
	return int32(C.io_uring_register_buffers_update_tag(ring(m), C.uint(off), iovecs(iov), tagList(tags), C.uint(len(iov))))
}

func cUnregisterBuffers(m *ringMem) int32 { return int32(C.io_uring_unregister_buffers(ring(m))) }

func cCloneBuffers(dst, src *ringMem) int32 {
	return int32(C.go_clone_buffers(ring(dst), ring(src)))
}

func cCloneBuffersOffset(dst, src *ringMem, dstOff, srcOff, n uint32, flags uint32) int32 {
	return int32(C.go_clone_buffers_offset(ring(dst), ring(src), C.uint(dstOff), C.uint(srcOff), C.uint(n), C.uint(flags)))
}

// Registered files.

func cRegisterFiles(m *ringMem, fds []int32) int32 {
	return int32(C.io_uring_register_files(ring(m), fdList(fds), C.uint(len(fds))))
}

func cRegisterFilesTags(m *ringMem, fds []int32, tags []uint64) int32 {
	return int32(C.io_uring_register_files_tags(ring(m), fdList(fds), tagList(tags), C.uint(len(fds))))
}

func cRegisterFilesSparse(m *ringMem, n uint32) int32 {
	return int32(C.io_uring_register_files_sparse(ring(m), C.uint(n)))
}

func cRegisterFilesUpdate(m *ringMem, off uint32, fds []int32) int32 {
	return int32(C.io_uring_register_files_update(ring(m), C.uint(off), fdList(fds), C.uint(len(fds))))
}

func cRegisterFilesUpdateTag(m *ringMem, off uint32, fds []int32, tags []uint64) int32 {
	return int32(C.io_uring_register_files_update_tag(ring(m), C.uint(off), fdList(fds), tagList(tags), C.uint(len(fds))))
}

func cRegisterFileAllocRange(m *ringMem, off, n uint32) int32 {
	return int32(C.io_uring_register_file_alloc_range(ring(m), C.uint(off), C.uint(n)))
}

func cUnregisterFiles(m *ringMem) int32 { return int32(C.io_uring_unregister_files(ring(m))) }

// Rings of provided buffers.

func cSetupBufRing(m *ringMem, entries uint32, bgid int, flags uint32) (*abi.BufRing, int32) {
	var err C.int
	br := C.io_uring_setup_buf_ring(ring(m), C.uint(entries), C.int(bgid), C.uint(flags), &err)
	return (*abi.BufRing)(unsafe.Pointer(br)), int32(err)
}

func cFreeBufRing(m *ringMem, br *abi.BufRing, entries uint32, bgid int) int32 {
	return int32(C.io_uring_free_buf_ring(ring(m), (*C.struct_io_uring_buf_ring)(unsafe.Pointer(br)), C.uint(entries), C.int(bgid)))
}

func cBufRingHead(m *ringMem, bgid int) (uint16, int32) {
	var head C.uint16_t
	ret := C.io_uring_buf_ring_head(ring(m), C.int(bgid), &head)
	return uint16(head), int32(ret)
}

func cRegisterBufRing(m *ringMem, reg *BufReg, flags uint32) int32 {
	return int32(C.io_uring_register_buf_ring(ring(m), (*C.struct_io_uring_buf_reg)(unsafe.Pointer(reg)), C.uint(flags)))
}

func cUnregisterBufRing(m *ringMem, bgid int) int32 {
	return int32(C.io_uring_unregister_buf_ring(ring(m), C.int(bgid)))
}

// Memory shared with the kernel.

func cRegisterRegion(m *ringMem, reg *abi.MemRegionReg) int32 {
	return int32(C.io_uring_register_region(ring(m), (*C.struct_io_uring_mem_region_reg)(unsafe.Pointer(reg))))
}

func cRegisterIFQ(m *ringMem, reg *ZCRXIFQReg) int32 {
	return int32(C.go_register_ifq(ring(m), unsafe.Pointer(reg)))
}

func cRegisterZCRXCtrl(m *ringMem, ctrl *ZCRXCtrl) int32 {
	return int32(C.go_register_zcrx_ctrl(ring(m), unsafe.Pointer(ctrl)))
}

// Eventfd.

func cRegisterEventfd(m *ringMem, fd int32) int32 {
	return int32(C.io_uring_register_eventfd(ring(m), C.int(fd)))
}

func cRegisterEventfdAsync(m *ringMem, fd int32) int32 {
	return int32(C.io_uring_register_eventfd_async(ring(m), C.int(fd)))
}

func cUnregisterEventfd(m *ringMem) int32 { return int32(C.io_uring_unregister_eventfd(ring(m))) }

// The ring's descriptor.

func cRegisterRingFD(m *ringMem) int32 { return int32(C.io_uring_register_ring_fd(ring(m))) }

func cUnregisterRingFD(m *ringMem) int32 { return int32(C.io_uring_unregister_ring_fd(ring(m))) }

func cCloseRingFD(m *ringMem) int32 { return int32(C.io_uring_close_ring_fd(ring(m))) }

// Worker threads.

func cRegisterIOWQAff(m *ringMem, mask []uint64) int32 {
	return int32(C.io_uring_register_iowq_aff(ring(m), C.size_t(8*len(mask)), (*C.cpu_set_t)(unsafe.Pointer(unsafe.SliceData(mask)))))
}

func cUnregisterIOWQAff(m *ringMem) int32 { return int32(C.io_uring_unregister_iowq_aff(ring(m))) }

func cRegisterIOWQMaxWorkers(m *ringMem, values *[2]uint32) int32 {
	return int32(C.io_uring_register_iowq_max_workers(ring(m), (*C.uint)(&values[0])))
}

// What is allowed, and to whom.

func cRegisterPersonality(m *ringMem) int32 { return int32(C.io_uring_register_personality(ring(m))) }

func cUnregisterPersonality(m *ringMem, id int) int32 {
	return int32(C.io_uring_unregister_personality(ring(m), C.int(id)))
}

func cRegisterRestrictions(m *ringMem, res []Restriction) int32 {
	return int32(C.io_uring_register_restrictions(ring(m), (*C.struct_io_uring_restriction)(unsafe.Pointer(unsafe.SliceData(res))), C.uint(len(res))))
}

func cRegisterBPFFilter(m *ringMem, bpf *abi.BPF) int32 {
	return int32(C.go_register_bpf_filter(ring(m), unsafe.Pointer(bpf)))
}

// Cancelling and messages.

func cRegisterSyncCancel(m *ringMem, reg *SyncCancelReg) int32 {
	return int32(C.io_uring_register_sync_cancel(ring(m), (*C.struct_io_uring_sync_cancel_reg)(unsafe.Pointer(reg))))
}

func cRegisterSyncMsg(sqe *SQE) int32 {
	return int32(C.go_register_sync_msg((*C.struct_io_uring_sqe)(unsafe.Pointer(sqe))))
}

// What the kernel knows.

func cRegisterProbe(m *ringMem, p *abi.Probe) int32 {
	return int32(C.io_uring_register_probe(ring(m), (*C.struct_io_uring_probe)(unsafe.Pointer(p)), C.uint(len(p.Ops))))
}

func cRegisterQuery(hdr *abi.QueryHdr) int32 { return int32(C.go_register_query(unsafe.Pointer(hdr))) }

// The system calls themselves.

func cSetup(entries uint32, p *Params) int32 {
	return int32(C.io_uring_setup(C.uint(entries), params(p)))
}

func cEnter2(fd int32, toSubmit, minComplete uint32, flags EnterFlags, arg []byte) int32 {
	return int32(C.go_enter2(C.uint(fd), C.uint(toSubmit), C.uint(minComplete), C.uint(flags),
		unsafe.Pointer(unsafe.SliceData(arg)), C.size_t(len(arg))))
}

func cRegister(fd int32, op RegisterOp, arg []byte, nr uint32) int32 {
	return int32(C.io_uring_register(C.uint(fd), C.uint(op), unsafe.Pointer(unsafe.SliceData(arg)), C.uint(nr)))
}
