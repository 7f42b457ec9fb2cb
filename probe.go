package liburing

import (
	"fmt"
	"sync"
	"syscall"
	"unsafe"

	"github.com/go-liburing/liburing/internal/abi"
)

// Probe tells which operations a kernel has (struct io_uring_probe).
type Probe struct {
	raw abi.Probe
}

// GetProbe asks the running kernel which operations it knows
// (io_uring_get_probe). Needs Linux 5.6.
func GetProbe() (*Probe, error) {
	r, err := QueueInit(2, 0)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return r.GetProbe()
}

// GetProbe asks the kernel which operations it knows (io_uring_get_probe_ring).
// Operations that restrictions forbid are included. Needs Linux 5.6.
func (r *Ring) GetProbe() (*Probe, error) {
	p := new(Probe)
	if err := r.RegisterProbe(p); err != nil {
		return nil, err
	}
	return p, nil
}

// OpcodeSupported reports whether the kernel knows an operation
// (io_uring_opcode_supported).
func (p *Probe) OpcodeSupported(op Op) bool {
	return op <= Op(p.raw.LastOp) && ProbeOpFlags(p.raw.Ops[op].Flags)&OpSupported != 0
}

// LastOp returns the highest operation number that the kernel knows.
func (p *Probe) LastOp() Op { return Op(p.raw.LastOp) }

// QueryOpcodeInfo tells what the kernel supports of io_uring, struct
// io_uring_query_opcode.
type QueryOpcodeInfo struct {
	NrRequestOpcodes  uint32
	NrRegisterOpcodes uint32
	FeatureFlags      uint64
	RingSetupFlags    uint64
	EnterFlags        uint64
	SQEFlags          uint64
	NrQueryOpcodes    uint32
	_                 uint32
}

// QueryZCRXInfo tells what the kernel supports of zero-copy receive, struct
// io_uring_query_zcrx.
type QueryZCRXInfo struct {
	RegisterFlags  uint64
	AreaFlags      uint64
	NrCtrlOpcodes  uint32
	Features       ZCRXFeatures
	RqHdrSize      uint32
	RqHdrAlignment uint32
	_              uint64
}

// QuerySCQInfo tells how large the head of the rings is, struct
// io_uring_query_scq.
type QuerySCQInfo struct {
	HdrSize      uint64
	HdrAlignment uint64
}

// GetQueryOpcode asks the kernel what it supports of io_uring, without a ring
// (io_uring_register_query). Needs Linux 6.18 and liburing 2.15.
func GetQueryOpcode() (info QueryOpcodeInfo, err error) {
	err = query(uint32(QueryOpcodes), addr(&info), unsafe.Sizeof(info))
	return info, err
}

// GetQueryZCRX asks the kernel what it supports of zero-copy receive. Needs Linux 6.19
// and liburing 2.15.
func GetQueryZCRX() (info QueryZCRXInfo, err error) {
	err = query(uint32(QueryZCRX), addr(&info), unsafe.Sizeof(info))
	return info, err
}

// GetQuerySCQ asks the kernel how large the head of the rings is. Needs Linux
// 6.19 and liburing 2.15.
func GetQuerySCQ() (info QuerySCQInfo, err error) {
	err = query(uint32(QuerySCQ), addr(&info), unsafe.Sizeof(info))
	return info, err
}

func query(op uint32, data uint64, size uintptr) error {
	hdr := abi.QueryHdr{Data: data, Op: op, Size: uint32(size)}
	ret := cRegisterQuery(&hdr)
	if ret >= 0 {
		ret = hdr.Result
	}
	return opError("io_uring_register_query", ret)
}

// Version returns the version of the linked liburing, such as "2.15"; without cgo, the
// version whose behaviour the Go code has (see Backend).
func Version() string { return fmt.Sprintf("%d.%d", MajorVersion(), MinorVersion()) }

// MajorVersion returns the first part of the linked liburing's version
// (io_uring_major_version).
func MajorVersion() int {
	major, _ := cVersion()
	return int(major)
}

// MinorVersion returns the second part of the linked liburing's version
// (io_uring_minor_version).
func MinorVersion() int {
	_, minor := cVersion()
	return int(minor)
}

// CheckVersion reports whether the linked liburing is older than the given
// version (io_uring_check_version).
func CheckVersion(major, minor int) bool {
	return major > MajorVersion() || major == MajorVersion() && minor > MinorVersion()
}

// What Backend returns.
const (
	BackendCgo  = "cgo"  // liburing itself, through cgo
	BackendGo   = "go"   // the package's own code, which does what liburing does
	BackendNone = "none" // nothing: this is not Linux
)

// Backend tells which code sets up the program's rings and waits for them, which is
// decided when the program is built. BackendCgo is liburing, linked by cgo: the
// default. BackendGo needs neither liburing nor a C compiler: it is used with
// CGO_ENABLED=0, and with -tags liburing_go if cgo has to stay on for other packages.
// Both have the whole API and pass the same tests.
func Backend() string { return backend }

// mixedLosesCompletions reports whether this kernel loses completions of a queue of both
// sizes (SetupCQEMixed) that overflows, as Linux 6.18 to 7.2 do: where a big one has
// found too little room at the queue's end, the next small one moves the tail by two.
var mixedLosesCompletions = sync.OnceValue(func() bool {
	r, err := New(4, WithFlags(SetupCQEMixed), WithCQEntries(4))
	if err != nil {
		return false
	}
	defer r.Close()
	for place := range 5 {
		sqe := r.GetSQE()
		sqe.PrepNop()
		if place == 3 {
			sqe.OpFlags = uint32(NopCQE32)
		}
		if _, err := r.Submit(); err != nil {
			return false
		}
	}
	return r.CQReady() > 4
})

// checkMixed refuses a loop what this kernel does wrong.
func checkMixed(flags SetupFlags) error {
	if flags&SetupCQEMixed == 0 || !mixedLosesCompletions() {
		return nil
	}
	return &OpError{Op: "io_uring_setup", Err: syscall.EINVAL, lacking: true, Hint: fmt.Sprintf(
		"this kernel loses completions of a queue with %v when it is full (Linux 6.18 to 7.2): use SetupCQE32", SetupCQEMixed)}
}
