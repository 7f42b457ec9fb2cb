package liburing

import (
	"runtime"
	"syscall"
)

// Filters: small programs that allow or deny requests.

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

// register registers the filter with a ring, or the task if there is none.
func (f *BPFFilter) register(m *ringMem) int32 {
	if f == nil {
		return -int32(syscall.EINVAL)
	}
	ret := cRegisterBPFFilter(m, &bpfCmd{
		cmdType: BPFCmdFilter, op: uint32(f.Op), flags: uint32(f.Flags), pduSize: f.PDUSize,
		filterLen: uint32(len(f.Program)), filter: data(f.Program),
	})
	runtime.KeepAlive(f) // the command has the program as a number
	return ret
}

// RegisterBPFFilter lets a filter decide on the ring's requests of one
// operation (io_uring_register_bpf_filter). Needs Linux 7.0 and liburing 2.15.
func (r *Ring) RegisterBPFFilter(f *BPFFilter) error {
	return r.call("io_uring_register_bpf_filter", f.register)
}

// RegisterBPFFilterTask lets a filter decide on the requests of rings that the
// calling thread makes later (io_uring_register_bpf_filter_task). It cannot be
// taken back. Needs Linux 7.0 and liburing 2.15.
func RegisterBPFFilterTask(f *BPFFilter) error {
	return opError("io_uring_register_bpf_filter_task", f.register(nil))
}
