package liburing

import (
	"runtime"
	"syscall"
)

// Filters: small programs that allow or deny requests.

// BPFFilter is a classic BPF program that allows or denies the requests of one
// operation, struct io_uring_bpf_filter. It sees struct io_uring_bpf_ctx and allows
// what it does not return 0 for; a request that it denies has EACCES.
//
// Filters add up: a request goes through if all those of its operation allow it, the
// ring's and its maker's. None can be taken back or replaced. With BPFFilterDenyRest
// all operations without a filter are denied for good: filters that come later can't
// allow them, so that of the last operation that is to work carries the flag. A Loop
// needs operations of its own, which LoopNeeds tells.
type BPFFilter struct {
	Op      Op
	Flags   BPFFilterFlags
	PDUSize uint8 // of what the filter sees of the operation: 12 for OpSocket, 24 for opening files, 0 for others
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

// RegisterBPFFilter lets a filter decide on the ring's requests of one operation
// (io_uring_register_bpf_filter). It takes no privilege. EMSGSIZE if PDUSize is more
// than the operation has, with BPFFilterSzStrict also if it is less. Needs Linux 7.0
// and liburing 2.15.
func (r *Ring) RegisterBPFFilter(f *BPFFilter) error {
	return r.call("io_uring_register_bpf_filter", f.register)
}

// RegisterBPFFilterTask lets a filter decide on the requests of rings that the
// calling thread makes later, and its child processes
// (io_uring_register_bpf_filter_task). Call it on a locked thread; rings of other
// threads are not reached, a Loop has one of its own: use WithBPFFilterTask. EACCES
// unless the thread has CAP_SYS_ADMIN or no_new_privs. Needs Linux 7.0 and liburing
// 2.15.
func RegisterBPFFilterTask(f *BPFFilter) error {
	err := opError("io_uring_register_bpf_filter_task", f.register(nil))
	if e, ok := err.(*OpError); ok && e.Err == syscall.EACCES {
		e.Hint = "a filter of a thread takes CAP_SYS_ADMIN, or no_new_privs on that thread (NoNewPrivileges= in systemd)"
	}
	return err
}
