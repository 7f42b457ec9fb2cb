//go:build linux && cgo

package liburing

// #cgo CFLAGS: -I${SRCDIR}/third_party/liburing/include -D_GNU_SOURCE
// #cgo LDFLAGS: -L${SRCDIR}/third_party/liburing/lib -luring
// #include "liburing_cgo.h"
//
// #cgo noescape go_submit
// #cgo nocallback go_submit
// #cgo noescape go_submit_and_wait
// #cgo nocallback go_submit_and_wait
// #cgo noescape go_submit_and_wait_timeout
// #cgo nocallback go_submit_and_wait_timeout
// #cgo noescape go_wait_cqe_nr
// #cgo nocallback go_wait_cqe_nr
// #cgo noescape go_wait_cqes
// #cgo nocallback go_wait_cqes
// #cgo noescape go_get_events
// #cgo nocallback go_get_events
// #cgo noescape go_submit_get_sqe
// #cgo nocallback go_submit_get_sqe
// #cgo noescape io_uring_queue_init_params
// #cgo nocallback io_uring_queue_init_params
// #cgo noescape io_uring_queue_exit
// #cgo nocallback io_uring_queue_exit
// #cgo noescape io_uring_register_buffers
// #cgo nocallback io_uring_register_buffers
// #cgo noescape io_uring_unregister_buffers
// #cgo nocallback io_uring_unregister_buffers
// #cgo noescape io_uring_register_files
// #cgo nocallback io_uring_register_files
// #cgo noescape io_uring_unregister_files
// #cgo nocallback io_uring_unregister_files
// #cgo noescape io_uring_register_probe
// #cgo nocallback io_uring_register_probe
// #cgo noescape io_uring_register_ring_fd
// #cgo nocallback io_uring_register_ring_fd
// #cgo noescape go_memory_size_params
// #cgo nocallback go_memory_size_params
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
// what it keeps of a pointer is the kernel's business, not Go's.

// The mirrors have C's layout, or the package does not compile.
var (
	_ = [1]struct{}{}[unsafe.Offsetof(ringMem{}.sqeShift)-C.sizeof_struct_io_uring]
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

func cVersion() (major, minor int32) {
	return int32(C.io_uring_major_version()), int32(C.io_uring_minor_version())
}

func cHeaderVersion() (major, minor int32) {
	return C.IO_URING_VERSION_MAJOR, C.IO_URING_VERSION_MINOR
}

func cQueueInitParams(entries uint32, p *Params) (*ringMem, int32) {
	m := (*ringMem)(C.calloc(1, C.size_t(unsafe.Sizeof(ringMem{}))))
	if m == nil {
		return nil, -int32(syscall.ENOMEM)
	}
	ret := C.io_uring_queue_init_params(C.uint(entries), ring(m), (*C.struct_io_uring_params)(unsafe.Pointer(p)))
	if ret < 0 {
		C.free(unsafe.Pointer(m))
		return nil, int32(ret)
	}
	m.init()
	return m, 0
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
	return int32(C.io_uring_register_buffers(ring(m),
		(*C.struct_iovec)(unsafe.Pointer(unsafe.SliceData(iov))), C.uint(len(iov))))
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
