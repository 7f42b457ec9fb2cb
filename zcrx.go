package liburing

import "unsafe"

// ZCRXIFQReg asks for zero-copy receive on a queue of a network device, struct
// io_uring_zcrx_ifq_reg.
type ZCRXIFQReg struct {
	IfIdx     uint32
	IfRxq     uint32
	RqEntries uint32
	Flags     ZCRXRegFlags
	area      uint64
	region    uint64
	offsets   [4]uint32 // head, tail, rqes
	_         [2]uint64
	ZCRXID    uint32 // set by the kernel
	RxBufLen  uint32
	_         [3]uint64
}

// RegisterIFQ sets zero-copy receive up: data lands in area, and refill entries
// are handed over in region; both are mapped memory, whole pages, that must live
// as long as the ring (io_uring_register_ifq). ENODEV if there is no such
// device, EOPNOTSUPP if it can't. Least kernel: 6.15, least liburing: 2.10.
func (r *Ring) RegisterIFQ(reg *ZCRXIFQReg, area, region []byte) error {
	areaReg := &[6]uint64{data(area), uint64(len(area))}
	desc := &regionDesc{addr: data(region), size: uint64(len(region)), flags: uint32(MemRegionTypeUser)}
	reg.area, reg.region = addr(areaReg), addr(desc)
	return r.call("io_uring_register_ifq", func(m *ringMem) int32 { return cRegisterIFQ(m, reg) })
}

// ZCRXCtrl is a command to a zero-copy receive instance, struct zcrx_ctrl.
type ZCRXCtrl struct {
	ZCRXID uint32
	Op     ZCRXCtrlOp
	_      [2]uint64
	FD     uint32 // set by ZCRXCtrlExport
	_      [11]uint32
}

// RegisterZCRXCtrl carries out a command on a zero-copy receive instance
// (io_uring_register_zcrx_ctrl). ENXIO if there is none with this number. Least
// kernel: 6.19, least liburing: 2.15.
func (r *Ring) RegisterZCRXCtrl(ctrl *ZCRXCtrl) error {
	return r.call("io_uring_register_zcrx_ctrl", func(m *ringMem) int32 { return cRegisterZCRXCtrl(m, ctrl) })
}

// BPFFilter is a classic BPF program that allows or denies the requests of one
// operation, struct io_uring_bpf_filter.
type BPFFilter struct {
	Op      Op
	Flags   BPFFilterFlags
	PDUSize uint8 // of what the filter sees of the operation
	Program []BPFInstruction
}

// BPFInstruction is an instruction of classic BPF, struct sock_filter.
type BPFInstruction struct {
	Code   uint16
	JT, JF uint8
	K      uint32
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

func (f *BPFFilter) cmd() *bpfCmd {
	return &bpfCmd{
		cmdType: BPFCmdFilter, op: uint32(f.Op), flags: uint32(f.Flags), pduSize: f.PDUSize,
		filterLen: uint32(len(f.Program)), filter: data(f.Program),
	}
}

// RegisterBPFFilter has a filter decide about the ring's requests of one
// operation (io_uring_register_bpf_filter). Least kernel: 7.0, least liburing:
// 2.15.
func (r *Ring) RegisterBPFFilter(f *BPFFilter) error {
	return r.call("io_uring_register_bpf_filter", func(m *ringMem) int32 { return cRegisterBPFFilter(m, f.cmd()) })
}

// RegisterBPFFilterTask has a filter decide about the requests of rings that the
// calling thread makes later (io_uring_register_bpf_filter_task). It cannot be
// taken back. Least kernel: 7.0, least liburing: 2.15.
func RegisterBPFFilterTask(f *BPFFilter) error {
	return opError("io_uring_register_bpf_filter_task", cRegisterBPFFilter(nil, f.cmd()))
}

var _ = [1]struct{}{}[unsafe.Sizeof(bpfCmd{})-72]
