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
	p := new(Probe)
	if err := r.RegisterProbe(p); err != nil {
		return nil, err
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

// Version returns the version of the linked liburing, such as "2.15".
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
