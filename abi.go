package liburing

import "unsafe"

// The kernel's structs that only the C side sees, and that Go's structs are as
// long as the kernel's. TestABI compares the members one by one with C's; the
// layout of liburing's own struct io_uring is checked in cgo.go.

// rawIovec is struct iovec with its address as a number: the buffers' memory is
// handed to the kernel, not to C.
type rawIovec struct{ base, len uintptr }

// rawProbe is struct io_uring_probe with room for every operation.
type rawProbe struct {
	lastOp uint8
	opsLen uint8
	_      uint16
	_      [3]uint32
	ops    [256]probeOp
}

// probeOp is struct io_uring_probe_op.
type probeOp struct {
	op    Op
	_     uint8
	flags ProbeOpFlags
	_     uint32
}

// queryHdr is struct io_uring_query_hdr.
type queryHdr struct {
	next   uint64
	data   uint64
	op     uint32
	size   uint32
	result int32
	_      [3]uint32
}

// bufRingMem is struct io_uring_buf_ring: entries, of which the first has the
// tail in its last field.
type bufRingMem struct {
	_    uint64
	_    uint32
	_    uint16
	tail uint16
}

// bufEntry is struct io_uring_buf.
type bufEntry struct {
	addr uint64
	len  uint32
	bid  uint16
	_    uint16
}

// regionDesc is struct io_uring_region_desc.
type regionDesc struct {
	addr  uint64
	size  uint64
	flags uint32
	_     uint32 // id
	_     uint64 // mmap_offset
	_     [4]uint64
}

// memRegionReg is struct io_uring_mem_region_reg.
type memRegionReg struct {
	desc  uint64
	flags uint64
	_     [2]uint64
}

// zcrxAreaReg is struct io_uring_zcrx_area_reg.
type zcrxAreaReg struct {
	addr        uint64
	len         uint64
	rqAreaToken uint64
	_           uint32 // flags
	_           uint32 // dmabuf_fd
	_           [2]uint64
}

// clockRegister is struct io_uring_clock_register.
type clockRegister struct {
	clockID uint32
	_       [3]uint32
}

// bpfCmd is struct io_uring_bpf.
type bpfCmd struct {
	cmdType  BPFCmd
	cmdFlags uint16
	_        uint32

	op        uint32
	flags     uint32
	filterLen uint32
	pduSize   uint8
	_         [3]uint8
	filter    uint64
	_         [5]uint64
}

var (
	_ [64]byte = [unsafe.Sizeof(SQE{})]byte{}
	_ [16]byte = [unsafe.Sizeof(CQE{})]byte{}

	_ [120]byte = [unsafe.Sizeof(Params{})]byte{}
	_ [40]byte  = [unsafe.Sizeof(SQRingOffsets{})]byte{}
	_ [40]byte  = [unsafe.Sizeof(CQRingOffsets{})]byte{}

	_ [16 + 256*8]byte = [unsafe.Sizeof(rawProbe{})]byte{}
	_ [40]byte         = [unsafe.Sizeof(queryHdr{})]byte{}
	_ [48]byte         = [unsafe.Sizeof(QueryOpcodeInfo{})]byte{}
	_ [40]byte         = [unsafe.Sizeof(QueryZCRXInfo{})]byte{}
	_ [16]byte         = [unsafe.Sizeof(QuerySCQInfo{})]byte{}

	_ [16]byte = [unsafe.Sizeof(bufRingMem{})]byte{}
	_ [16]byte = [unsafe.Sizeof(bufEntry{})]byte{}
	_ [40]byte = [unsafe.Sizeof(BufReg{})]byte{}

	_ [16]byte = [unsafe.Sizeof(Timespec{})]byte{}
	_ [64]byte = [unsafe.Sizeof(RegWait{})]byte{}
	_ [64]byte = [unsafe.Sizeof(regionDesc{})]byte{}
	_ [32]byte = [unsafe.Sizeof(memRegionReg{})]byte{}
	_ [16]byte = [unsafe.Sizeof(clockRegister{})]byte{}
	_ [16]byte = [unsafe.Sizeof(NAPI{})]byte{}

	_ [96]byte = [unsafe.Sizeof(ZCRXIFQReg{})]byte{}
	_ [48]byte = [unsafe.Sizeof(zcrxAreaReg{})]byte{}
	_ [72]byte = [unsafe.Sizeof(ZCRXCtrl{})]byte{}

	_ [16]byte = [unsafe.Sizeof(Restriction{})]byte{}
	_ [64]byte = [unsafe.Sizeof(SyncCancelReg{})]byte{}
	_ [72]byte = [unsafe.Sizeof(bpfCmd{})]byte{}
	_ [8]byte  = [unsafe.Sizeof(BPFInstruction{})]byte{}
)
