package liburing

import (
	"encoding/json"
	"sync"
)

// What rings are really used for.

// PolicyRecorder learns what rings are used for (WithPolicyRecorder), and writes the
// policy that allows just that. It may be given to several rings and loops, and asked
// while they run. What a Loop does of its own accord is not recorded: WithPolicy allows
// it. Register calls that failed are not either.
type PolicyRecorder struct {
	mu       sync.Mutex
	ops      [256]bool
	register [RegisterLast]bool
	flags    SQEFlags
	fixed    bool // a registered file was named
	plain    bool // something was asked for that is no registered file
}

// Policy returns the policy of what was seen so far. FixedFilesOnly is set where it works
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

// Seccomp returns what a container's seccomp profile has to allow for the policy, as the
// rules (JSON) that belong into its list "syscalls": the three system calls, and of
// io_uring_register the policy's calls. What requests do no seccomp filter can see. For
// a Loop there is in it what it registers itself.
func (p Policy) Seccomp() string {
	rules := []seccompRule{{Names: []string{"io_uring_setup", "io_uring_enter"}, Action: "SCMP_ACT_ALLOW"}}
	// A ring is named by its descriptor, or by its place, which a bit says; the kernel's
	// probe and the ring's own registration come with the library.
	calls := append(p.withLoopNeeds().RegisterOps, p.RegisterOps...)
	calls = append(calls, RegisterProbe, RegisterRestrictions, RegisterRingFDs, UnregisterRingFDs)
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
