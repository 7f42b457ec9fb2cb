package liburing

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// The least privilege of a ring: what it may be used for, and nothing else.

// Policy says what a ring may be used for, and nothing else. The kernel enforces it
// (WithPolicy), whatever happens to the program: what is not allowed fails with EACCES.
// A PolicyRecorder writes the policy that matches what a program really does; in JSON
// it uses the names of operations and flags.
type Policy struct {
	Ops         []Op
	RegisterOps []RegisterOp
	Flags       SQEFlags // that requests may have

	// FixedFilesOnly keeps requests away from the process's descriptors: they must name
	// their file by its place among the ring's registered ones. The filters of Linux 7.0
	// demand this of requests on files. Older kernels can only demand it of all requests:
	// there a policy can't have operations that do not take the flag (on paths, Close, …),
	// for which WithPolicy fails with ErrNotSupported, and on a Ring (a Loop does it
	// itself) no-ops, timeouts and cancels need SQEFixedFile too.
	FixedFilesOnly bool
}

// WithPolicy restricts the ring to a policy. It applies before anything else can be
// done with the ring, unless that is set up disabled (SetupRDisabled): then the program
// can first do what the policy forbids, such as registering files, and EnableRings,
// which every policy allows, puts the policy into force. A Loop is allowed what
// LoopNeeds lists as well. What this kernel does not know is left out. The error of a
// register call that the policy forbids says so, and so does that of a Loop's request;
// for a Ring's requests use Policy.Check. Needs Linux 5.10.
func WithPolicy(p Policy) Option {
	return func(o *options) { o.policy = &p }
}

// WithPolicyRecorder records what the ring is used for.
func WithPolicyRecorder(rec *PolicyRecorder) Option {
	return func(o *options) { o.recorder = rec }
}

// Restrictions returns the policy as a list for RegisterRestrictions.
func (p Policy) Restrictions() []Restriction {
	list := AllowOnly(sorted(p.Ops), sorted(p.RegisterOps))
	flags := p.Flags
	if p.FixedFilesOnly {
		flags |= SQEFixedFile
		list = append(list, Restriction{Opcode: RestrictionSQEFlagsRequired, Value: uint8(SQEFixedFile)})
	}
	list[0] = Restriction{Opcode: RestrictionSQEFlagsAllowed, Value: uint8(flags)}
	return list
}

// Filters returns the policy for requests as filters, for RegisterBPFFilter or, to
// reach all rings that a thread will make, WithBPFFilterTask. Needs Linux 7.0.
func (p Policy) Filters() []*BPFFilter {
	ops := sorted(p.Ops)
	if len(ops) == 0 {
		return []*BPFFilter{{Op: OpNop, Flags: BPFFilterDenyRest, Program: []BPFInstruction{{Code: bpfReturn}}}}
	}
	filters := make([]*BPFFilter, len(ops))
	for i, op := range ops {
		filters[i] = &BPFFilter{Op: op, Program: p.program(op)}
	}
	filters[len(ops)-1].Flags = BPFFilterDenyRest
	return filters
}

// The instructions of filters (linux/bpf_common.h).
const (
	bpfLoad   = 0x20 // BPF_LD | BPF_W | BPF_ABS
	bpfAnd    = 0x54 // BPF_ALU | BPF_AND | BPF_K
	bpfIf     = 0x15 // BPF_JMP | BPF_JEQ | BPF_K
	bpfReturn = 0x06 // BPF_RET | BPF_K

	bpfFlagsAt = 8 // in struct io_uring_bpf_ctx: the word whose second byte are the flags
)

// program looks at the flags of an operation's requests.
func (p Policy) program(op Op) []BPFInstruction {
	word := func(flags SQEFlags) uint32 { return binary.NativeEndian.Uint32([]byte{0, byte(flags), 0, 0}) }
	allowed := p.Flags
	program := []BPFInstruction{}
	if p.FixedFilesOnly {
		allowed |= SQEFixedFile
		if op.namesFile() {
			program = append(program,
				BPFInstruction{Code: bpfLoad, K: bpfFlagsAt},
				BPFInstruction{Code: bpfAnd, K: word(SQEFixedFile)},
				BPFInstruction{Code: bpfIf, K: word(SQEFixedFile), JT: 1},
				BPFInstruction{Code: bpfReturn})
		}
	}
	return append(program,
		BPFInstruction{Code: bpfLoad, K: bpfFlagsAt},
		BPFInstruction{Code: bpfAnd, K: word(^allowed)},
		BPFInstruction{Code: bpfIf, JT: 1},
		BPFInstruction{Code: bpfReturn},
		BPFInstruction{Code: bpfReturn, K: 1})
}

// namesFile reports whether requests of the operation name a file that SQEFixedFile
// makes a registered one. (A cancel can, and comes to nothing more.)
func (v Op) namesFile() bool { return v.facts().fixed == fixedByFlag && v != OpAsyncCancel }

// takesFlag reports whether the kernel takes SQEFixedFile on requests of the operation.
func (v Op) takesFlag() bool {
	switch v {
	case OpNop, OpTimeout, OpLinkTimeout, OpAsyncCancel:
		return true
	}
	return v.namesFile()
}

func sorted[T Op | RegisterOp](list []T) []T {
	list = slices.Clone(list)
	slices.Sort(list)
	return slices.Compact(list)
}

// Check returns the error that a request of this operation with these flags gets:
// EACCES, saying what the policy lacks, or nil if it is allowed.
func (p Policy) Check(op Op, flags SQEFlags) error {
	allowed := p.Flags
	if p.FixedFilesOnly {
		allowed |= SQEFixedFile
	}
	switch {
	case !slices.Contains(p.Ops, op):
		return forbidden(op.String(), "the policy of the ring does not have the operation: add it to Policy.Ops")
	case flags&^allowed != 0:
		return forbidden(op.String(), "the policy of the ring does not have the flags %v: add them to Policy.Flags", flags&^allowed)
	case p.FixedFilesOnly && op.namesFile() && flags&SQEFixedFile == 0:
		return forbidden(op.String(), "the policy of the ring has Policy.FixedFilesOnly, and this is a descriptor of the process: register the file, and name it by Fixed")
	}
	return nil
}

// CheckRegister is Check for register calls.
func (p Policy) CheckRegister(op RegisterOp) error {
	if op == RegisterEnableRings || slices.Contains(p.RegisterOps, op&^RegisterUseRegisteredRing) {
		return nil
	}
	return forbidden("io_uring_"+op.String(), "the policy of the ring does not have the call: add it to Policy.RegisterOps, or make it before EnableRings")
}

func forbidden(op, format string, args ...any) error {
	return &OpError{Op: op, Err: syscall.EACCES, Hint: fmt.Sprintf(format, args...)}
}

// withLoopNeeds returns the policy with what a loop needs beside it.
func (p Policy) withLoopNeeds() Policy {
	p.Ops, p.RegisterOps = slices.Clone(p.Ops), slices.Clone(p.RegisterOps)
	for _, r := range LoopNeeds() {
		switch r.Opcode {
		case RestrictionSQEOp:
			p.Ops = append(p.Ops, Op(r.Value))
		case RestrictionRegisterOp:
			p.RegisterOps = append(p.RegisterOps, RegisterOp(r.Value))
		case RestrictionSQEFlagsAllowed:
			p.Flags |= SQEFlags(r.Value)
		}
	}
	return p
}

// audit is what a ring's policy is, and who records what it is used for.
type audit struct {
	policy   *Policy // nil: everything is allowed
	recorder *PolicyRecorder
	allFlags bool // the kernel wants SQEFixedFile on all requests
}

// lockDown has the kernel hold a new ring to the policy that is wanted.
func (o *options) lockDown(r *Ring, isLoop bool) error {
	r.filtered = len(o.taskFilters) > 0
	if o.policy == nil && o.recorder == nil {
		return nil
	}
	a := &audit{recorder: o.recorder}
	if o.policy != nil {
		p := *o.policy
		if isLoop {
			p = p.withLoopNeeds()
		}
		byFlag, err := p.apply(r, o.policy)
		if err != nil {
			return err
		}
		a.policy, a.allFlags = &p, byFlag
		if o.enable {
			if err := r.EnableRings(); err != nil {
				return err
			}
		}
	}
	r.audit = a
	return nil
}

// apply registers the policy with a ring that is not enabled. It reports whether all
// requests need SQEFixedFile.
func (p Policy) apply(r *Ring, wanted *Policy) (byFlag bool, err error) {
	probe, err := r.GetProbe()
	if err != nil {
		return false, err
	}
	p.Ops = slices.DeleteFunc(slices.Clone(p.Ops), func(op Op) bool { return !probe.OpcodeSupported(op) })
	byFlag = p.FixedFilesOnly
	if p.FixedFilesOnly {
		filtered, err := r.filter(p.Filters())
		if err != nil {
			return false, err
		}
		if filtered {
			byFlag = false
		} else if i := slices.IndexFunc(wanted.Ops, func(op Op) bool { return !op.takesFlag() }); i >= 0 {
			return false, &OpError{Op: "policy", Err: ErrNotSupported, Hint: fmt.Sprintf("FixedFilesOnly with %v "+
				"takes the filters of Linux 7.0, and this is %s: use a newer kernel, or leave one of them out", wanted.Ops[i], kernelRelease())}
		}
	}
	list := p.Restrictions()
	if p.FixedFilesOnly && !byFlag {
		list = slices.DeleteFunc(list, func(r Restriction) bool { return r.Opcode == RestrictionSQEFlagsRequired })
	}
	err = r.RegisterRestrictions(list)
	if errors.Is(err, syscall.EINVAL) {
		err = r.RegisterRestrictions(knownOf(list))
	}
	return byFlag, err
}

// filter registers filters. It reports whether the kernel has any.
func (r *Ring) filter(filters []*BPFFilter) (bool, error) {
	for i, f := range filters {
		err := r.RegisterBPFFilter(f)
		switch {
		case i == 0 && (errors.Is(err, syscall.EINVAL) || errors.Is(err, ErrNotSupported)):
			return false, nil
		case err != nil:
			return false, err
		}
	}
	return true, nil
}

// knownOf returns those restrictions that this kernel knows, each tried on a ring of its
// own: it refuses a list for a single one that it does not.
func knownOf(list []Restriction) (known []Restriction) {
	for _, one := range list {
		r, err := QueueInit(1, SetupRDisabled)
		if err != nil {
			return list
		}
		if !errors.Is(r.RegisterRestrictions([]Restriction{one}), syscall.EINVAL) {
			known = append(known, one)
		}
		r.Close()
	}
	return known
}

// inspect has the recorder see what is about to be submitted.
func (r *Ring) inspect() {
	if r.audit != nil && r.audit.recorder != nil && r.mem != nil {
		for sqe := range r.mem.unsubmittedEntries {
			r.audit.recorder.saw(sqe.Opcode, sqe.Flags)
		}
	}
}

// inspect looks at what is about to be submitted: for the observer, for the recorder, and
// so that requests which the policy forbids know why they will fail.
func (l *Loop) inspect() {
	var now time.Duration
	if l.observer != nil {
		now = clock()
	}
	for sqe := range l.ring.mem.unsubmittedEntries {
		if l.observer != nil && sqe.UserData != uint64(sweepToken) {
			l.observer.submits(sqe, now)
		}
		if l.ring.audit != nil {
			l.judge(sqe)
		}
	}
}

// judge shows an entry to the policy and the recorder.
func (l *Loop) judge(sqe *SQE) {
	a, token := l.ring.audit, Token(sqe.UserData)
	if a.allFlags && !sqe.Opcode.namesFile() && sqe.Opcode.takesFlag() {
		sqe.Flags |= SQEFixedFile
	}
	h := l.table.handle(token)
	if h == nil || h.kind == kindInner || sqe.Opcode == opBad {
		return
	}
	if a.recorder != nil {
		a.recorder.saw(sqe.Opcode, sqe.Flags)
	}
	if a.policy == nil {
		return
	}
	if why := a.policy.Check(sqe.Opcode, sqe.Flags); why != nil {
		l.table.withAside(token).refusal = why
	}
}

// unsubmittedEntries yields the entries that the kernel has not been told of.
func (m *ringMem) unsubmittedEntries(yield func(*SQE) bool) {
	for pos := m.sq.sqeHead; int32(m.sq.sqeTail-pos) > 0; {
		sqe := m.sqe(pos)
		pos++
		if m.flags&SetupSQEMixed != 0 {
			pos += uint32(m.sqePlaces(sqe) - 1)
		}
		if !yield(sqe) {
			return
		}
	}
}

// registering has the recorder see a call that has succeeded, and returns the error of
// one that has not.
func (r *Ring) registering(call string, ret int32) error {
	op, is := registerOpOf(call)
	if r.audit == nil || !is {
		return nil
	}
	if ret >= 0 && r.audit.recorder != nil {
		r.audit.recorder.sawRegister(op)
	}
	if ret == -int32(syscall.EACCES) && r.audit.policy != nil {
		return r.audit.policy.CheckRegister(op)
	}
	return nil
}

// otherCalls are the functions of liburing whose call has another name.
var otherCalls = map[string]RegisterOp{
	"setup_buf_ring":              RegisterPbufRing,
	"register_buf_ring":           RegisterPbufRing,
	"free_buf_ring":               UnregisterPbufRing,
	"unregister_buf_ring":         UnregisterPbufRing,
	"buf_ring_head":               RegisterPbufStatus,
	"register_files_sparse":       RegisterFiles2,
	"register_files_tags":         RegisterFiles2,
	"register_files_update_tag":   RegisterFilesUpdate2,
	"register_buffers_sparse":     RegisterBuffers2,
	"register_buffers_tags":       RegisterBuffers2,
	"register_buffers_update_tag": RegisterBuffersUpdate,
	"register_ring_fd":            RegisterRingFDs,
	"unregister_ring_fd":          UnregisterRingFDs,
	"clone_buffers_offset":        RegisterCloneBuffers,
	"register_region":             RegisterMemRegion,
	"register_ifq":                RegisterZCRXIFQ,
}

// registerOpOf returns the call that a function of liburing makes.
func registerOpOf(function string) (RegisterOp, bool) {
	name := strings.TrimPrefix(function, "io_uring_")
	if op, ok := otherCalls[name]; ok {
		return op, true
	}
	i := slices.IndexFunc(namesOfRegisterOp[:], func(n string) bool { return n == name || n == "register_"+name })
	return RegisterOp(max(i, 0)), i >= 0
}

// policyJSON is a Policy with names.
type policyJSON struct {
	Ops            []string `json:"ops"`
	RegisterOps    []string `json:"registerOps"`
	Flags          []string `json:"flags"`
	FixedFilesOnly bool     `json:"fixedFilesOnly"`
}

// MarshalJSON writes the policy with liburing's names in lower case.
func (p Policy) MarshalJSON() ([]byte, error) {
	j := policyJSON{Ops: []string{}, RegisterOps: []string{}, Flags: []string{}, FixedFilesOnly: p.FixedFilesOnly}
	for _, op := range sorted(p.Ops) {
		j.Ops = append(j.Ops, op.String())
	}
	for _, op := range sorted(p.RegisterOps) {
		j.RegisterOps = append(j.RegisterOps, op.String())
	}
	for rest := p.Flags; rest != 0; rest &= rest - 1 {
		j.Flags = append(j.Flags, SQEFlags(1<<bits.TrailingZeros8(uint8(rest))).String())
	}
	return json.Marshal(j)
}

// UnmarshalJSON reads what MarshalJSON writes. An unknown name is an error.
func (p *Policy) UnmarshalJSON(text []byte) error {
	var j policyJSON
	if err := json.Unmarshal(text, &j); err != nil {
		return err
	}
	*p = Policy{FixedFilesOnly: j.FixedFilesOnly}
	for _, name := range j.Ops {
		op := slices.Index(namesOfOp[:], name)
		if op < 0 {
			return fmt.Errorf("liburing: policy: there is no operation %q", name)
		}
		p.Ops = append(p.Ops, Op(op))
	}
	for _, name := range j.RegisterOps {
		op := slices.Index(namesOfRegisterOp[:], name)
		if op < 0 {
			return fmt.Errorf("liburing: policy: there is no register call %q", name)
		}
		p.RegisterOps = append(p.RegisterOps, RegisterOp(op))
	}
	for _, name := range j.Flags {
		i := slices.IndexFunc(namesOfSQEFlags[:], func(n flagName) bool { return n.name == name })
		if i < 0 {
			return fmt.Errorf("liburing: policy: there is no flag %q", name)
		}
		p.Flags |= SQEFlags(namesOfSQEFlags[i].bit)
	}
	return nil
}

// What rings are really used for.

// PolicyRecorder records what rings are used for (WithPolicyRecorder), and writes the
// policy that allows just that. Several rings and loops may share one, and it may be
// asked while they run. It does not record what a Loop does of its own accord, which
// WithPolicy allows anyway, nor register calls that failed.
type PolicyRecorder struct {
	mu       sync.Mutex
	ops      [256]bool
	register [RegisterLast]bool
	flags    SQEFlags
	fixed    bool // a registered file was named
	plain    bool // something was asked for that is no registered file
}

// Policy returns the policy for what was seen so far. FixedFilesOnly is set if it works
// on every kernel.
func (rec *PolicyRecorder) Policy() Policy {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	p := Policy{Flags: rec.flags, FixedFilesOnly: rec.fixed && !rec.plain}
	for op, seen := range rec.ops {
		if seen {
			p.Ops = append(p.Ops, Op(op))
		}
	}
	for op, seen := range rec.register {
		if seen && RegisterOp(op) != RegisterEnableRings {
			p.RegisterOps = append(p.RegisterOps, RegisterOp(op))
		}
	}
	return p
}

// saw learns of a request.
func (rec *PolicyRecorder) saw(op Op, flags SQEFlags) {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	rec.ops[op] = true
	rec.flags |= flags
	switch {
	case op.namesFile() && flags&SQEFixedFile != 0:
		rec.fixed = true
	case op.namesFile(), !op.takesFlag():
		rec.plain = true
	}
}

// sawRegister learns of a register call.
func (rec *PolicyRecorder) sawRegister(op RegisterOp) {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	if op < RegisterLast {
		rec.register[op] = true
	}
}

// seccompRule is a rule of a seccomp profile, as Docker, containerd, podman and
// Kubernetes have it.
type seccompRule struct {
	Names  []string     `json:"names"`
	Action string       `json:"action"`
	Args   []seccompArg `json:"args,omitempty"`
}

type seccompArg struct {
	Index    int    `json:"index"`
	Value    uint64 `json:"value"`
	ValueTwo uint64 `json:"valueTwo"`
	Op       string `json:"op"`
}

// Seccomp returns what a container's seccomp profile has to allow for the policy, as
// rules (JSON) for its list "syscalls": the three system calls, io_uring_register only
// with the policy's calls. No seccomp filter can see what requests do. What a Loop
// registers itself is included.
func (p Policy) Seccomp() string {
	rules := []seccompRule{{Names: []string{"io_uring_setup", "io_uring_enter"}, Action: "SCMP_ACT_ALLOW"}}
	// A ring is named by its descriptor, or by its place, which a bit says; the kernel's
	// probe, the ring's own registration and the limits of workers come with the library.
	calls := append(p.withLoopNeeds().RegisterOps, p.RegisterOps...)
	calls = append(calls, RegisterProbe, RegisterRestrictions, RegisterRingFDs, UnregisterRingFDs, RegisterIOWQMaxWorkers)
	if p.FixedFilesOnly {
		calls = append(calls, RegisterBPFFilter)
	}
	for _, op := range sorted(calls) {
		arg := seccompArg{Index: 1, Value: uint64(^RegisterUseRegisteredRing), ValueTwo: uint64(op), Op: "SCMP_CMP_MASKED_EQ"}
		rules = append(rules, seccompRule{Names: []string{"io_uring_register"}, Action: "SCMP_ACT_ALLOW", Args: []seccompArg{arg}})
	}
	text, err := json.MarshalIndent(rules, "", "  ")
	if err != nil {
		return "" // not of these types
	}
	return string(text)
}
