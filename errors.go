package liburing

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// ErrNotSupported means that this kernel, the linked liburing or this build of the
// package lacks something: errors.Is(err, ErrNotSupported) is true for an unknown setup
// flag, a kernel without io_uring (ENOSYS), a function that the linked liburing does
// not have, and a build for another system. The message says which. It is
// errors.ErrUnsupported too.
var ErrNotSupported = error(&sentinel{"not supported", errors.ErrUnsupported})

// ErrClosed is returned by the methods of a Ring, a Loop or a BufferPool that has
// been closed. It is os.ErrClosed too.
var ErrClosed = error(&sentinel{"liburing: already closed", os.ErrClosed})

// ErrRunning is returned where a Loop must not be running, and is.
var ErrRunning = errors.New("liburing: the loop is running")

// ErrGoexit is returned when a function called by the loop has ended the loop's
// goroutine (runtime.Goexit), which closes the loop.
var ErrGoexit = errors.New("liburing: a function ended the loop's goroutine (runtime.Goexit): the loop is closed")

// ErrWrongThread is the panic of a request of a running loop that is made on a
// goroutine other than the loop's. Every build finds most such bugs, namely while the
// loop waits in the kernel; programs built with -tags liburing_debug find all. The
// others are data races.
var ErrWrongThread = errors.New("liburing: a running loop was used outside of its callbacks: hand the call over with Post")

// ErrBufferInUse is returned when a BufferPool or a BufGroup is closed with
// buffers still out.
var ErrBufferInUse = errors.New("liburing: buffers are in use")

// ErrReleased is returned for bytes that were already released, or never kept.
var ErrReleased = errors.New("liburing: the buffer has been released already")

var (
	errNoRequest = errors.New("liburing: not a request that a loop has made")
	errStopped   = errors.New("liburing: a loop of the group was stopped")
)

// sentinel is an error value that is one of the standard library's too. Its variables are
// not declared with the type error, but converted to it: otherwise go doc takes that for a
// type of this package, and lists New and NewLoop far from Ring and Loop.
type sentinel struct {
	text string
	is   error
}

func (e *sentinel) Error() string { return e.text }

// Unwrap returns the standard library's error of the same meaning.
func (e *sentinel) Unwrap() error { return e.is }

// OpError is the error of a liburing function or of a request: the operation, the
// cause, and what to do about it if that is known.
//
// It unwraps to its cause, which is a syscall.Errno when the kernel reported
// one, so errors.Is(err, unix.EAGAIN) and errors.Is(err, os.ErrNotExist) work.
type OpError struct {
	Op   string // liburing's name of what failed: "io_uring_setup", "openat"
	Err  error  // the cause
	Hint string // why, and what to do next; may be empty

	// What a Loop's request was made for; empty where it was for nothing of the kind.
	Path    string // of a rename or a link the old one
	NewPath string
	Addr    string // of a Connect, a Bind, a Sendmsg, a Send with To

	lacking bool // the cause is what this kernel lacks, though its errno is a general one
}

// Error returns the operation, what it was for, cause and hint in one line.
func (e *OpError) Error() string {
	text := e.Op
	for _, path := range []string{e.Path, e.NewPath} {
		if path != "" {
			text += " " + strconv.Quote(path)
		}
	}
	if e.Addr != "" {
		text += " " + e.Addr
	}
	text += ": " + e.Err.Error()
	if e.Hint != "" {
		text += ": " + e.Hint
	}
	return text
}

// Unwrap returns the cause.
func (e *OpError) Unwrap() error { return e.Err }

// Is reports an error about something that the kernel lacks as ErrNotSupported,
// whatever its errno.
func (e *OpError) Is(target error) bool {
	return (target == ErrNotSupported || target == errors.ErrUnsupported) && (e.lacking || e.Err == syscall.ENOSYS)
}

// needsBase is GO_NEEDS of liburing_cgo.h: below it, a result is not an errno
// but the liburing 2.x that would be needed.
const needsBase = 10000

// errNoLinux is what the stand-ins for C functions return in a build without Linux.
const errNoLinux = -2 * needsBase

// opError turns a result of liburing, an errno below zero, into an error.
func opError(op string, ret int32) error {
	if ret >= 0 {
		return nil
	}
	if ret == errNoLinux {
		return &OpError{Op: op, Err: ErrNotSupported, Hint: "io_uring is Linux's: build with GOOS=linux"}
	}
	if ret <= -needsBase {
		return &OpError{Op: op, Err: ErrNotSupported, Hint: fmt.Sprintf(
			"it came with liburing 2.%d and %s is linked: vendor a newer one with scripts/vendor-liburing.sh",
			-ret-needsBase, Version())}
	}
	return &OpError{Op: op, Err: syscall.Errno(-ret), Hint: explainCall(op, syscall.Errno(-ret))}
}

// badInput is the error of an argument that the library can see is wrong.
func badInput(op, format string, args ...any) error {
	return &OpError{Op: op, Err: syscall.EINVAL, Hint: fmt.Sprintf(format, args...)}
}

// joinHints makes one hint of several, leaving out the empty ones.
func joinHints(hints ...string) string {
	kept := hints[:0]
	for _, h := range hints {
		if h != "" {
			kept = append(kept, h)
		}
	}
	return strings.Join(kept, "; ")
}

// CallbackPanic is the value that Run panics with after a callback or a posted function
// has panicked on the loop's thread.
type CallbackPanic struct {
	Value any    // what it panicked with
	Stack []byte // where
}

// Error returns the panic's value and the callback's stack.
func (p *CallbackPanic) Error() string {
	return fmt.Sprintf("liburing: a callback panicked: %v\n\n%s", p.Value, p.Stack)
}

// Unwrap returns the panic's value if it is an error.
func (p *CallbackPanic) Unwrap() error {
	err, _ := p.Value.(error)
	return err
}

// The road from a Ring's methods to liburing. Submitting and waiting, in ring.go
// and wait.go, go there straight: a call through a function value costs as much as
// all the rest of them does. Functions without a ring (Register, GetQueryOpcode, …)
// do not take it: none of them waits, but for Enter, whose caller wants to know of
// the signal.

// callCount calls a function of liburing on an open ring and returns its result,
// an error if it is below zero. It calls again after a signal, which Go's runtime
// sends its threads: waits, and some of what is registered, end at one with
// nothing done.
func (r *Ring) callCount(op string, f func(*ringMem) int32) (int, error) {
	if r.mem == nil {
		return 0, ErrClosed
	}
	for {
		ret := f(r.mem)
		if r.audit != nil {
			if err := r.registering(op, ret); err != nil {
				return 0, err
			}
		}
		if ret >= 0 {
			return int(ret), nil
		}
		if ret != -int32(syscall.EINTR) {
			return 0, opError(op, ret)
		}
	}
}

// call is callCount for functions whose result is not a number.
func (r *Ring) call(op string, f func(*ringMem) int32) error {
	_, err := r.callCount(op, f)
	return err
}

// badInput is badInput for a ring that may be closed, which comes first.
func (r *Ring) badInput(op, format string, args ...any) error {
	if r.mem == nil {
		return ErrClosed
	}
	return badInput(op, format, args...)
}

// submitError is opError for what submits. A signal can have ended that only if there
// was nothing to submit: on a ring that polls, which looks for completions then.
func submitError(op string, ret int32) error {
	if ret == -int32(syscall.EINTR) {
		return nil
	}
	return opError(op, ret)
}

// checkCount returns the error of a count, a size or a place that is out of range:
// the kernel has 32 bits for each, and some of its arithmetic has a sign. It is
// small, so that the compiler puts it into its callers.
func checkCount(op string, n int) error {
	if uint(n) > math.MaxInt32 {
		return countError(op, n)
	}
	return nil
}

// checkEntries is checkCount for the entries of a ring, of which there must be one.
func checkEntries(op string, n int) error {
	if uint(n) <= math.MaxInt32 { // explainEINVAL has a word for 0
		return nil
	}
	return badInput(op, "a ring can't have %d entries: from 1 to %d is allowed", n, MaxEntries)
}

func countError(op string, n int) error {
	return badInput(op, "%d is out of range: from 0 to %d is allowed", n, math.MaxInt32)
}

// toUint32 is for counts that no error can be returned for: what is out of range
// becomes the largest number, which the kernel refuses.
func toUint32(n int) uint32 {
	if uint(n) > math.MaxInt32 {
		return math.MaxUint32
	}
	return uint32(n)
}

// explainSetup makes an error of a failed setup that can be read without a
// manual: why the kernel said no, and what to do next.
func explainSetup(entries int, p *Params, ret int32) error {
	err := opError("io_uring_setup", ret)
	e, ok := err.(*OpError)
	if !ok || e.Hint != "" {
		return err
	}
	if e.Err == syscall.EINVAL { // which older kernels say before they look for a descriptor
		if plain := trySetup(0); plain == syscall.EMFILE || plain == syscall.ENFILE {
			e.Err = plain
		}
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
	case syscall.ENXIO:
		if p.Flags&SetupAttachWQ != 0 {
			e.Hint = "the ring whose workers it is to share is closed"
		}
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

// explainShortage says which memory may be short: the limit of what is locked does not
// count for those with CAP_IPC_LOCK, but in a user namespace of their own.
func explainShortage() string {
	switch {
	case !allows(capIPCLock):
		return explainLimit()
	case inUserNamespace():
		return joinHints(explainLimit(), "or memory.max of the control group is reached")
	}
	return "no limit of locked memory counts for this process, so memory itself is short: raise memory.max of the control " +
		"group (MemoryMax= in systemd, --memory in Docker)"
}

// inUserNamespace reports whether the process is in one that is not the machine's.
func inUserNamespace() bool {
	ids, err := os.ReadFile("/proc/self/uid_map")
	return err == nil && !slices.Equal(strings.Fields(string(ids)), []string{"0", "0", "4294967295"})
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
	return fmt.Sprintf("the ring needs %s; %s, or ask for fewer entries", need, explainShortage())
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
			return "SetupCQSize needs CQEntries above zero (WithCQEntries)", false
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
	hint = fmt.Sprintf("this kernel does not take the combination %v", p.Flags)
	if p.Flags&SetupAttachWQ != 0 {
		hint = joinHints(fmt.Sprintf("%v needs another ring (WithAttachWQ), with %v one that has it too, and descriptor %d may be none",
			SetupAttachWQ, SetupSQPoll, int32(p.WQFD)), "or "+hint)
	}
	return hint, false
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
	if trySetup(0) != 0 {
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
		if trySetup(with) != 0 {
			unknown |= flag
		}
	}
	return unknown
}

// trySetup sets a small ring up, and returns the errno where that fails.
func trySetup(flags SetupFlags) syscall.Errno {
	mem, ret := cQueueInitParams(8, &Params{Flags: flags})
	if ret < 0 {
		return syscall.Errno(-ret)
	}
	cQueueExit(mem)
	return 0
}

func nextPow2(n uint32) uint32 {
	return 1 << bits.Len32(n-1)
}
