package doctor

import (
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/go-liburing/liburing"
	"golang.org/x/sys/unix"
)

// checkSysctls tells what the administrator allows.
func (d *Diagnosis) checkSysctls(s self) {
	disabled := readFile("/proc/sys/kernel/io_uring_disabled")
	group := readFile("/proc/sys/kernel/io_uring_group")
	d.add(disabledFinding(disabled, group, s))
	d.add(groupFinding(group))
}

// disabledFinding judges kernel.io_uring_disabled.
func disabledFinding(disabled, group string, s self) Finding {
	f := Finding{Check: "io_uring_disabled", Status: OK, Found: disabled, Means: "everybody may use io_uring"}
	gid, err := strconv.Atoi(group)
	member := err == nil && slices.Contains(s.groups, gid)
	switch {
	case disabled == "" && s.unknown:
		f.Found, f.Means = "unknown", "there is no /proc to read it from: trying tells"
	case disabled == "":
		f.Found, f.Means = "no such sysctl", "this kernel cannot switch io_uring off"
	case disabled == "1" && s.can(unix.CAP_SYS_ADMIN):
		f.Status = Warn
		f.Means = "only processes with CAP_SYS_ADMIN, as this one, and the group kernel.io_uring_group may use io_uring"
		f.Do = "for programs without privileges: `sysctl kernel.io_uring_disabled=0`, or run them in that group"
	case disabled == "1" && member:
		f.Status = Warn
		f.Means = "only the group kernel.io_uring_group, which this process is in, and the privileged may use io_uring"
		f.Do = "for programs of others: `sysctl kernel.io_uring_disabled=0`, or add them to the group"
	case disabled == "1":
		f.Status, f.Means = Fail, "only the privileged and the group kernel.io_uring_group may use io_uring"
		f.Do = "join that group, or as root: `sysctl kernel.io_uring_disabled=0`"
	case disabled != "0":
		f.Status, f.Means = Fail, "io_uring is switched off for everybody"
		f.Do = "as root: `sysctl kernel.io_uring_disabled=0`"
	}
	return f
}

func groupFinding(group string) Finding {
	f := Finding{Check: "io_uring_group", Status: OK, Found: group,
		Means: "the group that may use io_uring while io_uring_disabled is 1"}
	switch group {
	case "":
		f.Found = "no such sysctl"
	case "-1":
		f.Found = "none (-1)"
	}
	return f
}

// checkSeccomp tells of a filter, which may or may not be in the way.
func (d *Diagnosis) checkSeccomp(s self) {
	f := Finding{Check: "seccomp", Status: OK, Found: "no filter", Means: "no filter of system calls applies to this process"}
	if s.unknown {
		f.Found, f.Means = "unknown", "there is no /proc to read of a filter: trying tells"
	}
	if s.seccomp != 0 {
		f.Found = fmt.Sprintf("active (filters: %d)", s.filters)
		f.Means = "a filter of system calls applies to this process, as in containers; the next lines tell what it lets through"
	}
	d.add(f)
}

// checkCalls finds out whether the system calls get through to the kernel, and
// returns whether more can be tried.
func (d *Diagnosis) checkCalls(s self) bool {
	f := callsFinding(tryCalls(s), d.failed())
	d.add(f)
	return f.Status == OK
}

const threeCalls = "io_uring_setup, io_uring_enter and io_uring_register"

// callsFinding judges how trying a ring ended. explained says that a finding
// before it tells why.
func callsFinding(err error, explained bool) Finding {
	f := Finding{Check: "system calls", Status: Fail, Found: brief(err)}
	switch {
	case err == nil:
		f.Status, f.Found, f.Means = OK, "not blocked", threeCalls+" get through to the kernel"
	case errors.Is(err, errKilled):
		f.Means = "a seccomp filter kills programs that use io_uring"
		f.Do = "allow " + threeCalls + " in the filter (in systemd: SystemCallFilter=@aio)"
	case explained:
		f.Means, f.Do = "a ring cannot be set up and used", "see the failure above"
	case errors.Is(err, unix.EPERM):
		f.Means = "a seccomp filter, or another sandbox, forbids io_uring; container engines do by default"
		f.Do = "allow " + threeCalls + " in the container's seccomp profile (scripts/seccomp-profile.sh writes one)"
	case errors.Is(err, unix.ENOSYS) && !atSetup(err):
		f.Means = "a seccomp filter, or another sandbox, answers as if the kernel did not know the call"
		f.Do = "allow " + threeCalls + " in the sandbox's seccomp profile (scripts/seccomp-profile.sh writes one)"
	case errors.Is(err, unix.ENOSYS):
		f.Means = "the kernel has no io_uring, or a seccomp filter answers as if it had none"
		f.Do = "allow " + threeCalls + " in the sandbox's seccomp profile, or use a kernel with CONFIG_IO_URING"
	case errors.Is(err, unix.ENOMEM):
		f.Means = "not even the smallest ring fits: memory that the kernel locks counts against RLIMIT_MEMLOCK"
		f.Do = "raise `ulimit -l` (LimitMEMLOCK= in systemd, --ulimit memlock= in Docker)"
	default:
		f.Found, f.Means, f.Do = err.Error(), "a ring cannot be set up and used", "read the error: it says why"
	}
	return f
}

// atSetup reports whether no ring could be made.
func atSetup(err error) bool {
	e := (*liburing.OpError)(nil)
	return errors.As(err, &e) && e.Op == "io_uring_setup"
}

// brief returns what failed and the cause, without the library's explanation.
func brief(err error) string {
	if e := (*liburing.OpError)(nil); errors.As(err, &e) {
		return fmt.Sprintf("%s: %v", e.Op, e.Err)
	}
	return fmt.Sprint(err)
}

// errKilled is the error of a process that was killed for a system call.
var errKilled = errors.New("a child process that tried was killed by SIGSYS")

// tryCalls tries a ring, in a child first if there is a filter, which may be deadly.
func tryCalls(s self) error {
	if s.seccomp != 0 || s.unknown {
		if end, err := inChild(false); err == nil && end.killed {
			return errKilled
		}
	}
	return tryRing()
}

// tryRing uses each of the three system calls.
func tryRing() error {
	ring, err := liburing.New(1)
	if err != nil {
		return err
	}
	defer ring.Close()
	if _, err := liburing.Enter(ring.FD(), 0, 0, 0); err != nil {
		return err
	}
	_, err = ring.GetProbe()
	if errors.Is(err, unix.EINVAL) {
		return nil // before Linux 5.6 there is no probe, but the call is there
	}
	return err
}
