package liburing

import "fmt"

// Probe tells which operations a kernel knows (struct io_uring_probe).
type Probe struct {
	raw rawProbe
}

type rawProbe struct {
	lastOp uint8
	opsLen uint8
	_      uint16
	_      [3]uint32
	ops    [256]probeOp
}

type probeOp struct {
	op    Op
	_     uint8
	flags ProbeOpFlags
	_     uint32
}

// GetProbe asks the running kernel which operations it knows
// (io_uring_get_probe). Least kernel: 5.6.
func GetProbe() (*Probe, error) {
	r, err := QueueInit(2, 0)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return r.GetProbe()
}

// GetProbe asks the kernel which operations it knows (io_uring_get_probe_ring).
// The operations that restrictions forbid are among them. Least kernel: 5.6.
func (r *Ring) GetProbe() (*Probe, error) {
	if r.mem == nil {
		return nil, ErrClosed
	}
	p := new(Probe)
	if ret := cRegisterProbe(r.mem, &p.raw); ret < 0 {
		return nil, opError("io_uring_register_probe", ret)
	}
	return p, nil
}

// OpcodeSupported reports whether the kernel knows an operation
// (io_uring_opcode_supported).
func (p *Probe) OpcodeSupported(op Op) bool {
	return op <= Op(p.raw.lastOp) && p.raw.ops[op].flags&OpSupported != 0
}

// LastOp returns the highest operation that the kernel has a number for.
func (p *Probe) LastOp() Op { return Op(p.raw.lastOp) }

// Version returns the version of the linked liburing, such as "2.15"
// (io_uring_major_version, io_uring_minor_version).
func Version() string {
	major, minor := cVersion()
	return fmt.Sprintf("%d.%d", major, minor)
}

// MemorySizeParams returns how many bytes of memory a ring takes, which is what
// counts against RLIMIT_MEMLOCK where that applies
// (io_uring_memory_size_params). Least liburing: 2.11.
func MemorySizeParams(entries uint32, p *Params) (int64, error) {
	n := cMemorySizeParams(entries, p)
	if n < 0 {
		return 0, opError("io_uring_memory_size_params", int32(n))
	}
	return n, nil
}
