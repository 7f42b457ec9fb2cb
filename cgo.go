//go:build linux && cgo

package liburing

// #cgo CFLAGS: -I${SRCDIR}/third_party/liburing/include -D_GNU_SOURCE
// #cgo LDFLAGS: -L${SRCDIR}/third_party/liburing/lib -luring
// #include "liburing_cgo.h"
//
// #cgo noescape __io_uring_sqring_wait
// #cgo nocallback __io_uring_sqring_wait
// #cgo noescape go_clone_buffers_offset
// #cgo nocallback go_clone_buffers_offset
// #cgo noescape go_get_events
// #cgo nocallback go_get_events
// #cgo noescape go_memory_size_params
// #cgo nocallback go_memory_size_params
// #cgo noescape go_register_bpf_filter
// #cgo nocallback go_register_bpf_filter
// #cgo noescape go_register_ifq
// #cgo nocallback go_register_ifq
// #cgo noescape go_register_query
// #cgo nocallback go_register_query
// #cgo noescape go_register_sync_msg
// #cgo nocallback go_register_sync_msg
// #cgo noescape go_register_zcrx_ctrl
// #cgo nocallback go_register_zcrx_ctrl
// #cgo noescape go_set_iowait
// #cgo nocallback go_set_iowait
// #cgo noescape go_submit
// #cgo noescape go_submit_and_get_events
// #cgo nocallback go_submit_and_get_events
// #cgo noescape go_submit_and_wait
// #cgo noescape go_submit_and_wait_min_timeout
// #cgo nocallback go_submit_and_wait_min_timeout
// #cgo noescape go_submit_and_wait_reg
// #cgo nocallback go_submit_and_wait_reg
// #cgo noescape go_submit_and_wait_timeout
// #cgo nocallback go_submit_and_wait_timeout
// #cgo noescape go_submit_get_sqe
// #cgo nocallback go_submit_get_sqe
// #cgo noescape go_wait_cqe_nr
// #cgo nocallback go_wait_cqe_nr
// #cgo noescape go_wait_cqes
// #cgo nocallback go_wait_cqes
// #cgo noescape go_wait_cqes_min_timeout
// #cgo nocallback go_wait_cqes_min_timeout
// #cgo noescape io_uring_buf_ring_head
// #cgo nocallback io_uring_buf_ring_head
// #cgo noescape io_uring_clone_buffers
// #cgo nocallback io_uring_clone_buffers
// #cgo noescape io_uring_close_ring_fd
// #cgo nocallback io_uring_close_ring_fd
// #cgo noescape io_uring_enable_rings
// #cgo nocallback io_uring_enable_rings
// #cgo noescape go_enter2
// #cgo nocallback go_enter2
// #cgo noescape io_uring_free_buf_ring
// #cgo nocallback io_uring_free_buf_ring
// #cgo noescape io_uring_major_version
// #cgo nocallback io_uring_major_version
// #cgo noescape io_uring_minor_version
// #cgo nocallback io_uring_minor_version
// #cgo noescape io_uring_mlock_size_params
// #cgo nocallback io_uring_mlock_size_params
// #cgo noescape io_uring_queue_exit
// #cgo nocallback io_uring_queue_exit
// #cgo noescape io_uring_queue_init_mem
// #cgo nocallback io_uring_queue_init_mem
// #cgo noescape io_uring_queue_init_params
// #cgo nocallback io_uring_queue_init_params
// #cgo noescape io_uring_register
// #cgo nocallback io_uring_register
// #cgo noescape io_uring_register_buf_ring
// #cgo nocallback io_uring_register_buf_ring
// #cgo noescape io_uring_register_buffers
// #cgo nocallback io_uring_register_buffers
// #cgo noescape io_uring_register_buffers_sparse
// #cgo nocallback io_uring_register_buffers_sparse
// #cgo noescape io_uring_register_buffers_tags
// #cgo nocallback io_uring_register_buffers_tags
// #cgo noescape io_uring_register_buffers_update_tag
// #cgo nocallback io_uring_register_buffers_update_tag
// #cgo noescape io_uring_register_clock
// #cgo nocallback io_uring_register_clock
// #cgo noescape io_uring_register_eventfd
// #cgo nocallback io_uring_register_eventfd
// #cgo noescape io_uring_register_eventfd_async
// #cgo nocallback io_uring_register_eventfd_async
// #cgo noescape io_uring_register_file_alloc_range
// #cgo nocallback io_uring_register_file_alloc_range
// #cgo noescape io_uring_register_files
// #cgo nocallback io_uring_register_files
// #cgo noescape io_uring_register_files_sparse
// #cgo nocallback io_uring_register_files_sparse
// #cgo noescape io_uring_register_files_tags
// #cgo nocallback io_uring_register_files_tags
// #cgo noescape io_uring_register_files_update
// #cgo nocallback io_uring_register_files_update
// #cgo noescape io_uring_register_files_update_tag
// #cgo nocallback io_uring_register_files_update_tag
// #cgo noescape io_uring_register_iowq_aff
// #cgo nocallback io_uring_register_iowq_aff
// #cgo noescape io_uring_register_iowq_max_workers
// #cgo nocallback io_uring_register_iowq_max_workers
// #cgo noescape io_uring_register_napi
// #cgo nocallback io_uring_register_napi
// #cgo noescape io_uring_register_personality
// #cgo nocallback io_uring_register_personality
// #cgo noescape io_uring_register_probe
// #cgo nocallback io_uring_register_probe
// #cgo noescape io_uring_register_region
// #cgo nocallback io_uring_register_region
// #cgo noescape io_uring_register_restrictions
// #cgo nocallback io_uring_register_restrictions
// #cgo noescape io_uring_register_ring_fd
// #cgo nocallback io_uring_register_ring_fd
// #cgo noescape io_uring_register_sync_cancel
// #cgo nocallback io_uring_register_sync_cancel
// #cgo noescape io_uring_resize_rings
// #cgo nocallback io_uring_resize_rings
// #cgo noescape io_uring_ring_dontfork
// #cgo nocallback io_uring_ring_dontfork
// #cgo noescape io_uring_setup
// #cgo nocallback io_uring_setup
// #cgo noescape io_uring_setup_buf_ring
// #cgo nocallback io_uring_setup_buf_ring
// #cgo noescape io_uring_unregister_buf_ring
// #cgo nocallback io_uring_unregister_buf_ring
// #cgo noescape io_uring_unregister_buffers
// #cgo nocallback io_uring_unregister_buffers
// #cgo noescape io_uring_unregister_eventfd
// #cgo nocallback io_uring_unregister_eventfd
// #cgo noescape io_uring_unregister_files
// #cgo nocallback io_uring_unregister_files
// #cgo noescape io_uring_unregister_iowq_aff
// #cgo nocallback io_uring_unregister_iowq_aff
// #cgo noescape io_uring_unregister_napi
// #cgo nocallback io_uring_unregister_napi
// #cgo noescape io_uring_unregister_personality
// #cgo nocallback io_uring_unregister_personality
// #cgo noescape io_uring_unregister_ring_fd
// #cgo nocallback io_uring_unregister_ring_fd
import "C"

import (
	"syscall"
	"time"
	"unsafe"
)

// This file is the only one that calls C. Its functions have Go types in their
// signatures, take and return what liburing does (an errno below zero is a
// failure), and are the ones that the rest of the package builds on;
// internal/gen writes their stand-ins for builds without cgo from them.
//
// noescape and nocallback hold for all of liburing: it never calls back, and
// what it keeps of a pointer is the kernel's business, not Go's. The two calls
// that every batch makes go without nocallback: Go checks it at run time, which
// costs 17 ns a call, and gives nothing for it where no pointer is escaping.

// The mirrors have C's layout, or the package does not compile.
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
	_ = [1]struct{}{}[unsafe.Sizeof(SQE{})-C.sizeof_struct_io_uring_sqe]
	_ = [1]struct{}{}[unsafe.Sizeof(CQE{})-C.sizeof_struct_io_uring_cqe]
	_ = [1]struct{}{}[unsafe.Sizeof(Params{})-C.sizeof_struct_io_uring_params]
)

// ring is the pointer for liburing's own functions, fast the one for the
// functions of liburing_cgo.h that are called for every batch.
func ring(m *ringMem) *C.struct_io_uring { return (*C.struct_io_uring)(unsafe.Pointer(m)) }
func fast(m *ringMem) *C.go_uring        { return (*C.go_uring)(unsafe.Pointer(m)) }

func iovecs(iov []rawIovec) *C.struct_iovec {
	return (*C.struct_iovec)(unsafe.Pointer(unsafe.SliceData(iov)))
}

func cVersion() (major, minor int32) {
	return int32(C.io_uring_major_version()), int32(C.io_uring_minor_version())
}

func cHeaderVersion() (major, minor int32) {
	return C.IO_URING_VERSION_MAJOR, C.IO_URING_VERSION_MINOR
}

func cSanitized() bool { return bool(C.go_sanitized()) }

func cQueueInitParams(entries uint32, p *Params) (*ringMem, int32) {
	return initRing(func(m *ringMem) C.int {
		return C.io_uring_queue_init_params(C.uint(entries), ring(m), (*C.struct_io_uring_params)(unsafe.Pointer(p)))
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

func cMemorySizeParams(entries uint32, p *Params) int64 {
	return int64(C.go_memory_size_params(C.uint(entries), (*C.struct_io_uring_params)(unsafe.Pointer(p))))
}

func cSubmit(m *ringMem) int32 { return int32(C.go_submit(fast(m))) }

func cSubmitAndWait(m *ringMem, n uint32) int32 {
	return int32(C.go_submit_and_wait(fast(m), C.uint(n)))
}

func cSubmitAndWaitTimeout(m *ringMem, n uint32, d time.Duration) int32 {
	return int32(C.go_submit_and_wait_timeout(fast(m), C.uint(n), C.longlong(d/time.Second), C.longlong(d%time.Second)))
}

func cWaitCQENr(m *ringMem, n uint32) int32 {
	return int32(C.go_wait_cqe_nr(fast(m), C.uint(n)))
}

func cWaitCQEs(m *ringMem, n uint32, d time.Duration) int32 {
	return int32(C.go_wait_cqes(fast(m), C.uint(n), C.longlong(d/time.Second), C.longlong(d%time.Second)))
}

func cGetEvents(m *ringMem) int32 { return int32(C.go_get_events(fast(m))) }

func cSubmitGetSQE(m *ringMem) (*SQE, int32) {
	var ret C.int
	sqe := C.go_submit_get_sqe(fast(m), &ret)
	return (*SQE)(unsafe.Pointer(sqe)), int32(ret)
}

func cRegisterBuffers(m *ringMem, iov []rawIovec) int32 {
	return int32(C.io_uring_register_buffers(ring(m), iovecs(iov), C.uint(len(iov))))
}

func cUnregisterBuffers(m *ringMem) int32 { return int32(C.io_uring_unregister_buffers(ring(m))) }

func cRegisterFiles(m *ringMem, fds []int32) int32 {
	return int32(C.io_uring_register_files(ring(m), (*C.int)(unsafe.SliceData(fds)), C.uint(len(fds))))
}

func cUnregisterFiles(m *ringMem) int32 { return int32(C.io_uring_unregister_files(ring(m))) }

func cRegisterProbe(m *ringMem, p *rawProbe) int32 {
	return int32(C.io_uring_register_probe(ring(m),
		(*C.struct_io_uring_probe)(unsafe.Pointer(p)), C.uint(len(p.ops))))
}

func cRegisterRingFD(m *ringMem) int32 { return int32(C.io_uring_register_ring_fd(ring(m))) }

func cSubmitAndWaitMinTimeout(m *ringMem, n uint32, d time.Duration, minWait uint32) int32 {
	return int32(C.go_submit_and_wait_min_timeout(fast(m), C.uint(n), C.longlong(d/time.Second), C.longlong(d%time.Second), C.uint(minWait)))
}

func cWaitCQEsMinTimeout(m *ringMem, n uint32, d time.Duration, minWait uint32) int32 {
	return int32(C.go_wait_cqes_min_timeout(fast(m), C.uint(n), C.longlong(d/time.Second), C.longlong(d%time.Second), C.uint(minWait)))
}

func cSubmitAndWaitReg(m *ringMem, n uint32, index int) int32 {
	return int32(C.go_submit_and_wait_reg(fast(m), C.uint(n), C.int(index)))
}

func cSubmitAndGetEvents(m *ringMem) int32 { return int32(C.go_submit_and_get_events(fast(m))) }

func cSQRingWait(m *ringMem) int32 { return int32(C.__io_uring_sqring_wait(ring(m))) }

func cSetIowait(m *ringMem, enable bool) int32 {
	return int32(C.go_set_iowait(ring(m), C.bool(enable)))
}

func cRingDontfork(m *ringMem) int32 { return int32(C.io_uring_ring_dontfork(ring(m))) }

func cEnableRings(m *ringMem) int32 { return int32(C.io_uring_enable_rings(ring(m))) }

func cCloseRingFD(m *ringMem) int32 { return int32(C.io_uring_close_ring_fd(ring(m))) }

func cUnregisterRingFD(m *ringMem) int32 { return int32(C.io_uring_unregister_ring_fd(ring(m))) }

func cResizeRings(m *ringMem, p *Params) int32 {
	return int32(C.io_uring_resize_rings(ring(m), (*C.struct_io_uring_params)(unsafe.Pointer(p))))
}

func cMlockSizeParams(entries uint32, p *Params) int64 {
	return int64(C.io_uring_mlock_size_params(C.uint(entries), (*C.struct_io_uring_params)(unsafe.Pointer(p))))
}

func cQueueInitMem(entries uint32, p *Params, mem []byte) (*ringMem, int32) {
	return initRing(func(m *ringMem) C.int {
		return C.io_uring_queue_init_mem(C.uint(entries), ring(m), (*C.struct_io_uring_params)(unsafe.Pointer(p)),
			unsafe.Pointer(unsafe.SliceData(mem)), C.size_t(len(mem)))
	})
}

func cRegisterBuffersTags(m *ringMem, iov []rawIovec, tags []uint64) int32 {
	return int32(C.io_uring_register_buffers_tags(ring(m), iovecs(iov), (*C.__u64)(unsafe.SliceData(tags)), C.uint(len(iov))))
}

func cRegisterBuffersSparse(m *ringMem, n uint32) int32 {
	return int32(C.io_uring_register_buffers_sparse(ring(m), C.uint(n)))
}

func cRegisterBuffersUpdateTag(m *ringMem, off uint32, iov []rawIovec, tags []uint64) int32 {
	return int32(C.io_uring_register_buffers_update_tag(ring(m), C.uint(off), iovecs(iov), (*C.__u64)(unsafe.SliceData(tags)), C.uint(len(iov))))
}

func cCloneBuffersOffset(dst, src *ringMem, dstOff, srcOff, n uint32, flags uint32) int32 {
	return int32(C.go_clone_buffers_offset(ring(dst), ring(src), C.uint(dstOff), C.uint(srcOff), C.uint(n), C.uint(flags)))
}

func cCloneBuffers(dst, src *ringMem) int32 {
	return int32(C.io_uring_clone_buffers(ring(dst), ring(src)))
}

func cRegisterFilesTags(m *ringMem, fds []int32, tags []uint64) int32 {
	return int32(C.io_uring_register_files_tags(ring(m), (*C.int)(unsafe.SliceData(fds)), (*C.__u64)(unsafe.SliceData(tags)), C.uint(len(fds))))
}

func cRegisterFilesSparse(m *ringMem, n uint32) int32 {
	return int32(C.io_uring_register_files_sparse(ring(m), C.uint(n)))
}

func cRegisterFilesUpdate(m *ringMem, off uint32, fds []int32) int32 {
	return int32(C.io_uring_register_files_update(ring(m), C.uint(off), (*C.int)(unsafe.SliceData(fds)), C.uint(len(fds))))
}

func cRegisterFilesUpdateTag(m *ringMem, off uint32, fds []int32, tags []uint64) int32 {
	return int32(C.io_uring_register_files_update_tag(ring(m), C.uint(off), (*C.int)(unsafe.SliceData(fds)), (*C.__u64)(unsafe.SliceData(tags)), C.uint(len(fds))))
}

func cRegisterFileAllocRange(m *ringMem, off, n uint32) int32 {
	return int32(C.io_uring_register_file_alloc_range(ring(m), C.uint(off), C.uint(n)))
}

func cRegisterEventfd(m *ringMem, fd int32) int32 {
	return int32(C.io_uring_register_eventfd(ring(m), C.int(fd)))
}

func cRegisterEventfdAsync(m *ringMem, fd int32) int32 {
	return int32(C.io_uring_register_eventfd_async(ring(m), C.int(fd)))
}

func cUnregisterEventfd(m *ringMem) int32 { return int32(C.io_uring_unregister_eventfd(ring(m))) }

func cRegisterPersonality(m *ringMem) int32 { return int32(C.io_uring_register_personality(ring(m))) }

func cUnregisterPersonality(m *ringMem, id int) int32 {
	return int32(C.io_uring_unregister_personality(ring(m), C.int(id)))
}

func cRegisterRestrictions(m *ringMem, res []Restriction) int32 {
	return int32(C.io_uring_register_restrictions(ring(m), (*C.struct_io_uring_restriction)(unsafe.Pointer(unsafe.SliceData(res))), C.uint(len(res))))
}

func cRegisterIOWQAff(m *ringMem, mask []uint64) int32 {
	return int32(C.io_uring_register_iowq_aff(ring(m), C.size_t(8*len(mask)), (*C.cpu_set_t)(unsafe.Pointer(unsafe.SliceData(mask)))))
}

func cUnregisterIOWQAff(m *ringMem) int32 { return int32(C.io_uring_unregister_iowq_aff(ring(m))) }

func cRegisterIOWQMaxWorkers(m *ringMem, values *[2]uint32) int32 {
	return int32(C.io_uring_register_iowq_max_workers(ring(m), (*C.uint)(&values[0])))
}

func cRegisterBufRing(m *ringMem, reg *BufReg, flags uint32) int32 {
	return int32(C.io_uring_register_buf_ring(ring(m), (*C.struct_io_uring_buf_reg)(unsafe.Pointer(reg)), C.uint(flags)))
}

func cUnregisterBufRing(m *ringMem, bgid int) int32 {
	return int32(C.io_uring_unregister_buf_ring(ring(m), C.int(bgid)))
}

func cSetupBufRing(m *ringMem, entries uint32, bgid int, flags uint32) (*bufRingMem, int32) {
	var err C.int
	br := C.io_uring_setup_buf_ring(ring(m), C.uint(entries), C.int(bgid), C.uint(flags), &err)
	return (*bufRingMem)(unsafe.Pointer(br)), int32(err)
}

func cFreeBufRing(m *ringMem, br *bufRingMem, entries uint32, bgid int) int32 {
	return int32(C.io_uring_free_buf_ring(ring(m), (*C.struct_io_uring_buf_ring)(unsafe.Pointer(br)), C.uint(entries), C.int(bgid)))
}

func cBufRingHead(m *ringMem, bgid int) (uint16, int32) {
	var head C.uint16_t
	ret := C.io_uring_buf_ring_head(ring(m), C.int(bgid), &head)
	return uint16(head), int32(ret)
}

func cRegisterSyncCancel(m *ringMem, reg *SyncCancelReg) int32 {
	return int32(C.io_uring_register_sync_cancel(ring(m), (*C.struct_io_uring_sync_cancel_reg)(unsafe.Pointer(reg))))
}

func cRegisterSyncMsg(sqe *SQE) int32 {
	return int32(C.go_register_sync_msg((*C.struct_io_uring_sqe)(unsafe.Pointer(sqe))))
}

func cRegisterNAPI(m *ringMem, n *NAPI) int32 {
	return int32(C.io_uring_register_napi(ring(m), (*C.struct_io_uring_napi)(unsafe.Pointer(n))))
}

func cUnregisterNAPI(m *ringMem, n *NAPI) int32 {
	return int32(C.io_uring_unregister_napi(ring(m), (*C.struct_io_uring_napi)(unsafe.Pointer(n))))
}

func cRegisterClock(m *ringMem, reg *clockRegister) int32 {
	return int32(C.io_uring_register_clock(ring(m), (*C.struct_io_uring_clock_register)(unsafe.Pointer(reg))))
}

func cRegisterRegion(m *ringMem, reg *memRegionReg) int32 {
	return int32(C.io_uring_register_region(ring(m), (*C.struct_io_uring_mem_region_reg)(unsafe.Pointer(reg))))
}

func cRegisterIFQ(m *ringMem, reg *ZCRXIFQReg) int32 {
	return int32(C.go_register_ifq(ring(m), unsafe.Pointer(reg)))
}

func cRegisterZCRXCtrl(m *ringMem, ctrl *ZCRXCtrl) int32 {
	return int32(C.go_register_zcrx_ctrl(ring(m), unsafe.Pointer(ctrl)))
}

func cRegisterQuery(hdr *queryHdr) int32 { return int32(C.go_register_query(unsafe.Pointer(hdr))) }

func cRegisterBPFFilter(m *ringMem, bpf *bpfCmd) int32 {
	return int32(C.go_register_bpf_filter(ring(m), unsafe.Pointer(bpf)))
}

func cSetup(entries uint32, p *Params) int32 {
	return int32(C.io_uring_setup(C.uint(entries), (*C.struct_io_uring_params)(unsafe.Pointer(p))))
}

func cEnter2(fd int32, toSubmit, minComplete uint32, flags EnterFlags, arg []byte) int32 {
	return int32(C.go_enter2(C.uint(fd), C.uint(toSubmit), C.uint(minComplete), C.uint(flags),
		unsafe.Pointer(unsafe.SliceData(arg)), C.size_t(len(arg))))
}

func cRegister(fd int32, op RegisterOp, arg []byte, nr uint32) int32 {
	return int32(C.io_uring_register(C.uint(fd), C.uint(op), unsafe.Pointer(unsafe.SliceData(arg)), C.uint(nr)))
}
