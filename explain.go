package liburing

import (
	"errors"
	"fmt"
	"math/bits"
	"os"
	"strings"
	"syscall"
)

// explainSetup makes an error of a failed setup that can be read without a
// manual: why the kernel said no, and what to do next.
func explainSetup(entries int, p *Params, ret int32) error {
	err := opError("io_uring_setup", ret)
	e, ok := err.(*OpError)
	if !ok || e.Hint != "" {
		return err
	}
	switch e.Err {
	case syscall.EPERM:
		e.Hint = explainEPERM(p, sysctlDisabled(), allows(capSysAdmin))
	case syscall.ENOSYS:
		e.Hint = "the kernel is older than 5.1 or built without io_uring, or a sandbox answers in its place " +
			"(podman's and gVisor's default profiles do): allow io_uring_setup, io_uring_enter and io_uring_register there"
	case syscall.ENOMEM:
		e.Hint = explainENOMEM(entries, p)
	case syscall.EINVAL:
		e.Hint, e.lacking = explainEINVAL(entries, p)
	case syscall.EOVERFLOW:
		e.Hint = explainEOVERFLOW(p)
	case syscall.EMFILE, syscall.ENFILE:
		e.Hint = noDescriptor
	}
	return e
}

const noDescriptor = "no file descriptor is left for the ring: raise `ulimit -n` (LimitNOFILE= in systemd), or close what is not needed"

// explainWaker is explainSetup for the eventfd that a loop has beside its ring.
func explainWaker(err error) error {
	errno := syscall.Errno(0)
	if !errors.As(err, &errno) {
		return err
	}
	e := &OpError{Op: "eventfd", Err: errno}
	if errno == syscall.EMFILE || errno == syscall.ENFILE {
		e.Hint = noDescriptor
	}
	return e
}

// explainEOVERFLOW is for queues in which an entry of two places has no room.
func explainEOVERFLOW(p *Params) string {
	if p.Flags&SetupSQEMixed != 0 {
		return fmt.Sprintf("%v needs a submission queue of two entries at least", SetupSQEMixed)
	}
	if p.Flags&SetupCQEMixed != 0 {
		return fmt.Sprintf("%v needs a completion queue of two entries at least", SetupCQEMixed)
	}
	return ""
}

// sysctlDisabled returns kernel.io_uring_disabled, noSysctl where there is none, and
// noSysctls where nothing can be read of any.
func sysctlDisabled() int {
	const dir = "/proc/sys/kernel/"
	b, err := os.ReadFile(dir + "io_uring_disabled")
	if err == nil && len(b) > 0 {
		return int(b[0] - '0')
	}
	if _, err := os.Stat(dir); err != nil {
		return noSysctls
	}
	return noSysctl
}

const (
	noSysctl  = -1
	noSysctls = -2
)

// explainEPERM says who forbids it, as far as that is known: the sysctl, as it was read,
// or something that can't be asked.
func explainEPERM(p *Params, disabled int, admin bool) string {
	hint := "a seccomp filter or another sandbox blocks it (Docker's default profile does since 25, containerd's since 2): " +
		"allow io_uring_setup, io_uring_enter and io_uring_register in the profile"
	switch {
	case disabled == 2:
		return "kernel.io_uring_disabled is 2, io_uring is off for everybody: `sysctl kernel.io_uring_disabled=0` as root"
	case disabled == 1 && !admin:
		return "kernel.io_uring_disabled is 1, io_uring is for privileged processes and the group kernel.io_uring_group only: " +
			"join that group, get CAP_SYS_ADMIN, or `sysctl kernel.io_uring_disabled=0` as root"
	case disabled == 1:
		hint = joinHints(hint, "or CAP_SYS_ADMIN is of a user namespace, which does not count where kernel.io_uring_disabled is 1")
	case disabled == noSysctls:
		hint = joinHints(hint, "or kernel.io_uring_disabled is set, which can't be read without /proc")
	}
	if p.Flags&SetupSQPoll != 0 {
		hint = joinHints("SetupSQPoll needs CAP_SYS_NICE before Linux 5.13", hint)
	}
	return hint
}

func explainENOMEM(entries int, p *Params) string {
	need := "unknown"
	if n, err := MemorySizeParams(entries, p); err == nil {
		need = fmt.Sprintf("%d KiB", (n+1023)/1024)
	}
	return fmt.Sprintf("the ring needs %s; %s, or ask for fewer entries", need, explainLimit())
}

// explainBlocked says what it may mean that a system call is refused which has no
// reason to be: a sandbox that allows io_uring_setup, and not the other two.
func explainBlocked(op string, errno syscall.Errno) string {
	call := "io_uring_register"
	switch {
	case errno != syscall.EPERM && errno != syscall.ENOSYS, op == "io_uring_setup", op == "io_uring_register_ifq":
		return ""
	case strings.HasPrefix(op, "io_uring_submit"), strings.HasPrefix(op, "io_uring_wait"), op == "io_uring_enter":
		call = "io_uring_enter"
	case !strings.HasPrefix(op, "io_uring_"):
		return ""
	}
	return "a seccomp filter or another sandbox may block it: allow " + call + ", beside io_uring_setup, in the profile"
}

// explainMemlock says what ENOMEM means when memory is registered.
func explainMemlock(err error) error {
	if e, ok := err.(*OpError); ok && e.Err == syscall.ENOMEM {
		e.Hint = explainLimit()
	}
	return err
}

// explainNofile says what EMFILE means when a table of files is registered.
func explainNofile(err error) error {
	if e, ok := err.(*OpError); ok && e.Err == syscall.EMFILE {
		e.Hint = "the table must not be larger than RLIMIT_NOFILE (raise it: `ulimit -n`, LimitNOFILE= in systemd), nor than the kernel's limit of 1,048,576"
	}
	return err
}

func explainLimit() string {
	limit := "unlimited"
	if n, ok := memlockLimit(); ok {
		limit = fmt.Sprintf("%d KiB", n/1024)
	}
	return fmt.Sprintf("memory that the kernel locks counts for users without CAP_IPC_LOCK, and RLIMIT_MEMLOCK, which all "+
		"rings and registered buffers of a user share, is %s: raise it (`ulimit -l`, LimitMEMLOCK= in systemd, "+
		"--ulimit memlock= in Docker)", limit)
}

// explainEINVAL finds the reason by looking at what was asked for, and, for a
// flag that this kernel does not know, by trying each one; only then is something
// lacking.
func explainEINVAL(entries int, p *Params) (hint string, lacking bool) {
	clamp := p.Flags&SetupClamp != 0
	switch {
	case entries == 0:
		return "a ring needs at least one entry", false
	case entries > MaxEntries && !clamp:
		return fmt.Sprintf("%d entries are more than the %d that the kernel allows (SetupClamp takes the most there is)", entries, MaxEntries), false
	}
	if p.Flags&SetupCQSize != 0 {
		switch {
		case p.CQEntries == 0:
			return "SetupCQSize needs CQEntries", false
		case p.CQEntries > 2*MaxEntries && !clamp:
			return fmt.Sprintf("%d completion entries are more than the %d that the kernel allows", p.CQEntries, 2*MaxEntries), false
		case nextPow2(p.CQEntries) < nextPow2(uint32(entries)):
			return fmt.Sprintf("the completion queue (%d) may not be smaller than the submission queue (%d)", p.CQEntries, entries), false
		}
	}
	if hint := explainFlags(p.Flags); hint != "" {
		return hint, false
	}
	if unknown := unknownFlags(p.Flags); unknown != 0 {
		return fmt.Sprintf("this kernel does not know %v", unknown), true
	}
	if p.Flags&SetupSQAff != 0 {
		return fmt.Sprintf("the thread of SetupSQPoll is to run on processor %d: is there one?", int32(p.SQThreadCPU)), false
	}
	return fmt.Sprintf("this kernel does not take the combination %v", p.Flags), false
}

// flagRules are the kernel's rules about flags that go together.
var flagRules = []struct{ flag, needs SetupFlags }{
	{SetupSQAff, SetupSQPoll},
	{SetupDeferTaskrun, SetupSingleIssuer},
	{SetupTaskrunFlag, SetupCoopTaskrun | SetupDeferTaskrun},
	{SetupHybridIOPoll, SetupIOPoll},
	{SetupRegisteredFDOnly, SetupNoMmap},
	{SetupSQRewind, SetupNoSQArray},
}

// flagClashes are pairs that exclude each other.
var flagClashes = [][2]SetupFlags{
	{SetupSQPoll, SetupCoopTaskrun | SetupTaskrunFlag | SetupDeferTaskrun},
	{SetupSQPoll, SetupSQRewind},
	{SetupSQE128, SetupSQEMixed},
	{SetupCQE32, SetupCQEMixed},
}

func explainFlags(flags SetupFlags) string {
	for _, r := range flagRules {
		if flags&r.flag != 0 && flags&r.needs == 0 {
			return fmt.Sprintf("%v needs %v", r.flag, r.needs)
		}
	}
	for _, c := range flagClashes {
		if flags&c[0] != 0 && flags&c[1] != 0 {
			return fmt.Sprintf("%v and %v exclude each other", c[0], flags&c[1])
		}
	}
	return ""
}

// unknownFlags returns those flags that this kernel does not know: a ring with
// the flag and what it needs cannot be set up, one without it can.
func unknownFlags(flags SetupFlags) (unknown SetupFlags) {
	if !canSetup(0) {
		return 0
	}
	skip := SetupCQSize | SetupAttachWQ | SetupSQAff // need values, as old as 5.6
	for rest := flags &^ skip; rest != 0; rest &= rest - 1 {
		flag := SetupFlags(1) << bits.TrailingZeros32(uint32(rest))
		with := flag
		for _, r := range flagRules {
			if r.flag == flag {
				with |= r.needs & -r.needs
			}
		}
		if !canSetup(with) {
			unknown |= flag
		}
	}
	return unknown
}

func canSetup(flags SetupFlags) bool {
	mem, ret := cQueueInitParams(8, &Params{Flags: flags})
	if ret >= 0 {
		cQueueExit(mem)
	}
	return ret >= 0
}

func nextPow2(n uint32) uint32 {
	return 1 << bits.Len32(n-1)
}
