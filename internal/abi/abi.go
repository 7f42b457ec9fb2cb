// Package abi has the kernel's structs that users of package liburing do not see. Their
// members are compared with C's one by one in tests/header.
package abi

import "unsafe"

// Iovec is struct iovec with its address as a number: the buffers' memory is
// handed to the kernel, not to C.
type Iovec struct{ Base, Len uintptr }

// Probe is struct io_uring_probe with room for every operation.
type Probe struct {
	LastOp uint8
	OpsLen uint8
	_      uint16
	_      [3]uint32
	Ops    [256]ProbeOp
}

// ProbeOp is struct io_uring_probe_op.
type ProbeOp struct {
	Op    uint8
	_     uint8
	Flags uint16
	_     uint32
}

// QueryHdr is struct io_uring_query_hdr.
type QueryHdr struct {
	Next   uint64
	Data   uint64
	Op     uint32
	Size   uint32
	Result int32
	_      [3]uint32
}

// BufRing is struct io_uring_buf_ring: entries, of which the first has the
// tail in its last field.
type BufRing struct {
	_    uint64
	_    uint32
	_    uint16
	Tail uint16
}

// Buf is struct io_uring_buf.
type Buf struct {
	Addr uint64
	Len  uint32
	BID  uint16
	_    uint16
}

// RegionDesc is struct io_uring_region_desc.
type RegionDesc struct {
	Addr  uint64
	Size  uint64
	Flags uint32
	_     uint32 // id
	_     uint64 // mmap_offset
	_     [4]uint64
}

// MemRegionReg is struct io_uring_mem_region_reg.
type MemRegionReg struct {
	Desc  uint64
	Flags uint64
	_     [2]uint64
}

// ZCRXAreaReg is struct io_uring_zcrx_area_reg.
type ZCRXAreaReg struct {
	Addr        uint64
	Len         uint64
	RqAreaToken uint64
	_           uint32 // flags
	_           uint32 // dmabuf_fd
	_           [2]uint64
}

// ClockRegister is struct io_uring_clock_register.
type ClockRegister struct {
	ClockID uint32
	_       [3]uint32
}

// BPF is struct io_uring_bpf.
type BPF struct {
	CmdType  uint16
	CmdFlags uint16
	_        uint32

	Op        uint32
	Flags     uint32
	FilterLen uint32
	PDUSize   uint8
	_         [3]uint8
	Filter    uint64
	_         [5]uint64
}

var (
	_ [16 + 256*8]byte = [unsafe.Sizeof(Probe{})]byte{}
	_ [40]byte         = [unsafe.Sizeof(QueryHdr{})]byte{}
	_ [16]byte         = [unsafe.Sizeof(BufRing{})]byte{}
	_ [16]byte         = [unsafe.Sizeof(Buf{})]byte{}
	_ [64]byte         = [unsafe.Sizeof(RegionDesc{})]byte{}
	_ [32]byte         = [unsafe.Sizeof(MemRegionReg{})]byte{}
	_ [16]byte         = [unsafe.Sizeof(ClockRegister{})]byte{}
	_ [48]byte         = [unsafe.Sizeof(ZCRXAreaReg{})]byte{}
	_ [72]byte         = [unsafe.Sizeof(BPF{})]byte{}
)
