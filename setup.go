package liburing

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync/atomic"
	"syscall"
	"time"
)

// MaxEntries is the most entries the kernel allows a submission queue; the
// completion queue may have twice as many.
const MaxEntries = 32768

// Params is struct io_uring_params: what is asked of a ring, and, once it is set up,
// what the kernel made of it.
type Params struct {
	SQEntries    uint32 // set by the kernel
	CQEntries    uint32 // asked for with SetupCQSize, set by the kernel
	Flags        SetupFlags
	SQThreadCPU  uint32 // with SetupSQPoll and SetupSQAff
	SQThreadIdle uint32 // with SetupSQPoll, milliseconds; 0 means one second
	Features     Features
	WQFD         uint32 // with SetupAttachWQ: a ring whose workers to share
	_            [3]uint32
	SQOff        SQRingOffsets // set by the kernel, for programs that map the queues themselves
	CQOff        CQRingOffsets
}

// SQRingOffsets tells where in the memory of the submission queue its parts are,
// struct io_sqring_offsets.
type SQRingOffsets struct {
	Head, Tail, RingMask, RingEntries, Flags, Dropped, Array uint32

	_        uint32
	userAddr uint64
}

// CQRingOffsets tells where in the memory of the completion queue its parts are,
// struct io_cqring_offsets.
type CQRingOffsets struct {
	Head, Tail, RingMask, RingEntries, Overflow, CQEs, Flags uint32

	_        uint32
	userAddr uint64
}

// Option is an option of New or NewLoop.
type Option func(*options)

// options is what the wishes come to.
type options struct {
	Params
	taskFilters []*BPFFilter
	policy      *Policy
	enable      bool // once the policy is in place
	recorder    *PolicyRecorder
	latency     time.Duration
	workers     *[2]uint32 // the most that the kernel may have, bounded and unbounded; nil: no wish
	bestEffort  bool
	tell        func(dropped []Feature) // may be nil
	dropped     []Feature
	setUp       func(entries uint32, p *Params) (*ringMem, int32) // nil: the kernel's
}

func newOptions(opts []Option) *options {
	o := new(options)
	for _, wish := range opts {
		if wish != nil {
			wish(o)
		}
	}
	if o.policy != nil {
		o.enable = o.Flags&SetupRDisabled == 0
		o.Flags |= SetupRDisabled
	}
	return o
}

// prepareThread does what has to be done on the thread that is to make the ring.
func (o *options) prepareThread() error {
	for _, f := range o.taskFilters {
		if err := RegisterBPFFilterTask(f); err != nil {
			return err
		}
	}
	return nil
}

// WithFlags adds setup flags (io_uring_params.flags).
func WithFlags(flags SetupFlags) Option {
	return func(o *options) { o.Flags |= flags }
}

// WithCQEntries asks for a completion queue of n entries, rounded up to a power
// of two; the default is twice the submission queue (SetupCQSize). New refuses
// a number below one.
func WithCQEntries(n int) Option {
	return func(o *options) {
		o.Flags |= SetupCQSize
		o.CQEntries = toUint32(n)
	}
}

// WithSQPoll makes a kernel thread take requests off the submission queue, so that
// submitting needs no system call while it is awake. The thread goes to sleep when no
// request has come for the time idle; zero means one second (SetupSQPoll). Waiting for
// completions still takes a system call, which a Loop makes when there is none; a
// Ring's PeekCQE looks without one.
func WithSQPoll(idle time.Duration) Option {
	return func(o *options) {
		o.Flags |= SetupSQPoll
		o.SQThreadIdle = milliseconds(idle)
	}
}

// WithSQThreadCPU binds the thread of WithSQPoll to a processor (SetupSQAff).
// New refuses a processor that does not exist.
func WithSQThreadCPU(cpu int) Option {
	return func(o *options) {
		o.Flags |= SetupSQAff
		o.SQThreadCPU = toUint32(cpu)
	}
}

// WithAttachWQ shares the worker threads, and the SQPOLL thread, of another
// ring (SetupAttachWQ). New fails with ENXIO if that ring is closed.
func WithAttachWQ(r *Ring) Option {
	return func(o *options) {
		o.Flags |= SetupAttachWQ
		o.WQFD = math.MaxUint32
		if r != nil {
			o.WQFD = uint32(r.FD())
		}
	}
}

// WithLatency makes a waiting Loop gather completions: until there are as many as
// requests in flight, at most 64; once d has passed, one is enough. Completions and
// posts may be handled up to d later; in return a busy loop enters the kernel less
// often, and hands it more requests at once. Zero, the default, waits for one
// completion. It has no effect with New, on kernels without FeatMinTimeout, and on
// rings with SetupIOPoll. Needs Linux 6.12.
func WithLatency(d time.Duration) Option {
	return func(o *options) { o.latency = d }
}

// WithBPFFilterTask registers the filters with the thread that makes the ring, before
// it does: NewLoop's own thread, which RegisterBPFFilterTask does not reach, or the
// caller of New. They also apply to the thread's later rings and its child processes,
// even if the ring can't be made, and can't be removed. See RegisterBPFFilterTask.
func WithBPFFilterTask(filters ...*BPFFilter) Option {
	return func(o *options) { o.taskFilters = append(o.taskFilters, filters...) }
}

// WithIOWQMaxWorkers limits the kernel's worker threads for requests of each thread
// that uses the ring, as RegisterIOWQMaxWorkers does: bounded for regular files,
// unbounded for everything else that blocks; 0 leaves a limit as it is. Further
// requests wait their turn, so a request must not depend on one queued behind it. Needs
// Linux 5.15.
//
// By default the kernel starts up to four bounded workers per processor of the machine,
// and unbounded ones up to RLIMIT_NPROC, which is thousands: too many for a container
// that may use only a few processors, or has a limit of tasks. So a Loop without the
// option allows, per processor that Go uses (GOMAXPROCS, which follows the CPU limit of
// a control group), 4 bounded and 64 unbounded ones, and at least 256 unbounded ones in
// all.
func WithIOWQMaxWorkers(bounded, unbounded int) Option {
	return func(o *options) { o.workers = &[2]uint32{toUint32(bounded), toUint32(unbounded)} }
}

// WithBestEffort makes New and NewLoop do without what this kernel lacks, as long as
// only speed is lost, and calls tell, which may be nil, with what was left out. The
// newest goes first:
//
//  1. SetupSQRewind (Linux 7.0)
//  2. SetupHybridIOPoll (6.13)
//  3. SetupNoSQArray (6.6)
//  4. SetupDeferTaskrun (6.1)
//  5. SetupSingleIssuer (6.0)
//  6. SetupTaskrunFlag (5.19)
//  7. SetupCoopTaskrun (5.19)
//  8. SetupSubmitAll (5.18)
//  9. the limits of WithIOWQMaxWorkers (5.15)
//  10. SetupSQPoll with SetupSQAff, where it is forbidden: before 5.13 to unprivileged
//     users
//
// With a flag go those that depend on it, as SetupTaskrunFlag depends on
// SetupDeferTaskrun or SetupCoopTaskrun. Everything else changes what the program
// means, and stays: the sizes of queues and entries, whose memory they are in,
// SetupIOPoll, and above all policies and filters. Flags that exclude each other,
// limits and sandboxes are errors as always.
func WithBestEffort(tell func(dropped []Feature)) Option {
	return func(o *options) { o.bestEffort, o.tell = true, tell }
}

// milliseconds rounds up, so that a short time does not become the zero that
// means the default.
func milliseconds(d time.Duration) uint32 {
	ms := (d + time.Millisecond - 1) / time.Millisecond
	return uint32(min(max(ms, 0), 1<<31))
}

// New sets up a ring with room for the given number of requests that are not submitted
// yet, rounded up to a power of two, at most MaxEntries (io_uring_queue_init_params).
//
// The error says what stands in the way and what to do about it: a sysctl, a sandbox,
// an old kernel, the memlock limit, a flag that is too new. Needs Linux 5.1.
func New(entries int, opts ...Option) (*Ring, error) {
	o := newOptions(opts)
	if err := o.prepareThread(); err != nil {
		return nil, err
	}
	r, err := o.withEffort(func() (*Ring, error) { return o.queueInit(entries, &o.Params) })
	if err != nil {
		return nil, err
	}
	if err := o.settle(r, false); err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

// settle does what is left to do with a ring that was set up.
func (o *options) settle(r *Ring, isLoop bool) error {
	if err := o.limitWorkers(r); err != nil {
		return err
	}
	if err := o.lockDown(r, isLoop); err != nil {
		return err
	}
	if len(o.dropped) > 0 && o.tell != nil {
		o.tell(o.dropped)
	}
	return nil
}

// dispensable are the flags without which a ring is only slower, the newest first.
var dispensable = []SetupFlags{SetupSQRewind, SetupHybridIOPoll, SetupNoSQArray, SetupDeferTaskrun, SetupSingleIssuer,
	SetupTaskrunFlag, SetupCoopTaskrun, SetupSubmitAll}

// withEffort sets a ring up; with WithBestEffort it goes on without what the kernel lacks.
func (o *options) withEffort(setUp func() (*Ring, error)) (*Ring, error) {
	for {
		r, err := setUp()
		if err == nil || !o.bestEffort || !o.dropFor(err) {
			return r, err
		}
	}
}

// dropFor takes away the next flag that may be the reason of an error, and those that need
// it. It reports whether there was one.
func (o *options) dropFor(err error) bool {
	drop := SetupFlags(0)
	switch {
	case errors.Is(err, syscall.EPERM):
		drop = o.Flags & (SetupSQPoll | SetupSQAff)
	case errors.Is(err, syscall.EINVAL) && errors.Is(err, ErrNotSupported):
		if i := slices.IndexFunc(dispensable, func(f SetupFlags) bool { return o.Flags&f != 0 }); i >= 0 {
			drop = dispensable[i]
		}
	}
	for _, r := range flagRules {
		if o.Flags&r.flag != 0 && r.needs&drop != 0 && o.Flags&^drop&r.needs == 0 {
			drop |= r.flag
		}
	}
	if drop == 0 {
		return false
	}
	o.Flags &^= drop
	o.dropped = append(o.dropped, drop)
	return true
}

// limitWorkers has the kernel keep the limits that are wanted.
func (o *options) limitWorkers(r *Ring) error {
	const op = "io_uring_register_iowq_max_workers"
	if o.workers == nil {
		return nil
	}
	limits := *o.workers
	if max(limits[0], limits[1]) > math.MaxInt32 {
		return badInput(op, "a limit of workers is below zero")
	}
	ret := cRegisterIOWQMaxWorkers(r.mem, &limits)
	switch {
	case ret == -int32(syscall.EINVAL) && o.bestEffort:
		o.dropped = append(o.dropped, RegisterIOWQMaxWorkers)
		return nil
	case ret == -int32(syscall.EINVAL):
		return lacking(op, registerCame[RegisterIOWQMaxWorkers])
	}
	return opError(op, min(ret, 0))
}

// limitLoopWorkers limits the workers of a loop by the processors that Go has, where they
// may be more. What can't be limited is no error: it was not asked for.
func (r *Ring) limitLoopWorkers() {
	procs := uint32(runtime.GOMAXPROCS(0))
	var have [2]uint32
	if cRegisterIOWQMaxWorkers(r.mem, &have) < 0 {
		return
	}
	limits := [2]uint32{min(have[0], 4*procs), min(have[1], max(64*procs, 256))}
	cRegisterIOWQMaxWorkers(r.mem, &limits)
}

// QueueInit sets up a ring with the given flags (io_uring_queue_init).
func QueueInit(entries int, flags SetupFlags) (*Ring, error) {
	return QueueInitParams(entries, &Params{Flags: flags})
}

// QueueInitParams sets up a ring as p says (nil for the defaults) and stores in p what
// the kernel made of it (io_uring_queue_init_params).
func QueueInitParams(entries int, p *Params) (*Ring, error) {
	return new(options).queueInit(entries, p)
}

// queueInit is QueueInitParams on the kernel that the options name.
func (o *options) queueInit(entries int, p *Params) (*Ring, error) {
	if err := checkEntries("io_uring_setup", entries); err != nil {
		return nil, err
	}
	setUp := o.setUp
	if setUp == nil {
		setUp = cQueueInitParams
	}
	p = orDefaults(p)
	asked := *p
	mem, ret := setUpPatiently(func() (*ringMem, int32) {
		*p = asked
		return setUp(uint32(entries), p)
	})
	if ret < 0 {
		return nil, explainSetup(entries, &asked, ret)
	}
	return &Ring{mem: mem}, nil
}

// QueueInitMem sets up a ring whose queues lie in the caller's memory, and returns how
// many bytes of it they take (io_uring_queue_init_mem). mem must be mapped, begin at a
// page and lie in one huge page, or be one page; it must stay mapped until the ring is
// closed. It is cleared first. ENOMEM if it is too small. p may be nil. Needs Linux
// 6.5.
func QueueInitMem(entries int, p *Params, mem []byte) (r *Ring, used int, err error) {
	if len(mem) == 0 {
		return nil, 0, badInput("io_uring_queue_init_mem", "the memory is empty")
	}
	if err := checkEntries("io_uring_setup", entries); err != nil {
		return nil, 0, err
	}
	p = orDefaults(p)
	asked := *p
	asked.Flags |= SetupNoMmap // which liburing adds
	data(mem)                  // not on the stack
	need, err := MemorySizeParams(entries, &asked)
	if err != nil { // liburing before 2.11 can't tell
		need = int64(len(mem))
	}
	clear(mem[:min(need, int64(len(mem)))]) // Linux 6.12 takes the heads and tails that it finds
	m, ret := cQueueInitMem(uint32(entries), p, mem)
	if ret == -int32(syscall.ENOMEM) {
		if need > int64(len(mem)) {
			return nil, 0, &OpError{Op: "io_uring_setup", Err: syscall.ENOMEM,
				Hint: fmt.Sprintf("the ring needs %d bytes and was given %d", need, len(mem))}
		}
	}
	if ret < 0 {
		return nil, 0, explainSetup(entries, &asked, ret)
	}
	return &Ring{mem: m, own: mem}, int(ret), nil
}

func orDefaults(p *Params) *Params {
	if p == nil {
		return new(Params)
	}
	return p
}

// MlockSize returns how many bytes of locked memory liburing believes a ring needs: 0
// if it can set one up on Linux 5.12 or newer, else MemorySize (io_uring_mlock_size).
// This is wrong on kernels from about 6.14 to 7.1, which count the rings of users
// without CAP_IPC_LOCK against RLIMIT_MEMLOCK again: those need MemorySize. Linux 7.2
// and newer do not (docs/kernels.md).
func MlockSize(entries int, flags SetupFlags) (int64, error) {
	return MlockSizeParams(entries, &Params{Flags: flags})
}

// MlockSizeParams is MlockSize for the ring that p describes, nil for the
// defaults (io_uring_mlock_size_params).
func MlockSizeParams(entries int, p *Params) (int64, error) {
	const op = "io_uring_mlock_size_params"
	if err := checkEntries(op, entries); err != nil {
		return 0, err
	}
	n := cMlockSizeParams(uint32(entries), orDefaults(p))
	return max(n, 0), opError(op, int32(min(n, 0)))
}

// MemorySize returns how many bytes of memory a ring takes
// (io_uring_memory_size). Needs liburing 2.11.
func MemorySize(entries int, flags SetupFlags) (int64, error) {
	return MemorySizeParams(entries, &Params{Flags: flags})
}

// MemorySizeParams returns how many bytes of memory the ring that p describes
// takes, which is what counts against RLIMIT_MEMLOCK on kernels that count rings
// (see MlockSize). They are whole pages, two at least
// (io_uring_memory_size_params). p may be nil. Needs liburing 2.11.
func MemorySizeParams(entries int, p *Params) (int64, error) {
	const op = "io_uring_memory_size_params"
	if err := checkEntries(op, entries); err != nil {
		return 0, err
	}
	n := cMemorySizeParams(uint32(entries), orDefaults(p))
	return max(n, 0), opError(op, int32(min(n, 0)))
}

// What the kernel still has of a ring that was given back: it takes the ring apart
// in a work queue, some 50 ms later.

// release gives back what need not wait for that: files, whose ports and locks would
// stay taken, locked memory, and the eventfd. It is no error if some were never registered.
func (m *ringMem) release() {
	for _, unregister := range []func(*ringMem) int32{cUnregisterFiles, cUnregisterBuffers, cUnregisterEventfd} {
		for unregister(m) == -int32(syscall.EINTR) {
		}
	}
}

var (
	started  = time.Now()
	lastExit atomic.Int64 // since then, of the last ring; 0 if there was none
)

// exitTakes is how long the memory of a ring that was given back may still count
// against RLIMIT_MEMLOCK.
const exitTakes = 500 * time.Millisecond

// setUpPatiently tries again for want of memory as long as that may be the memory of
// a ring that the kernel is about to take apart.
func setUpPatiently(setUp func() (*ringMem, int32)) (m *ringMem, ret int32) {
	for pause := time.Millisecond; ; pause *= 2 {
		last := lastExit.Load()
		m, ret = setUp()
		if ret != -int32(syscall.ENOMEM) || last == 0 || time.Since(started)-time.Duration(last) > exitTakes {
			return m, ret
		}
		time.Sleep(pause)
	}
}

// The three system calls themselves, for programs that do without a Ring.

// Setup makes a ring and returns its descriptor; mapping its queues, by the
// offsets that it stores in p, is up to the caller (io_uring_setup). Needs
// Linux 5.1.
func Setup(entries int, p *Params) (fd int, err error) {
	if err := checkEntries("io_uring_setup", entries); err != nil {
		return -1, err
	}
	if p == nil {
		return -1, badInput("io_uring_setup", "there are no Params to store the offsets in")
	}
	asked := *p
	ret := cSetup(uint32(entries), p)
	if ret < 0 {
		return -1, explainSetup(entries, &asked, ret)
	}
	return int(ret), nil
}

// Enter submits requests and waits for completions; it returns how many requests were
// submitted (io_uring_enter). EINTR after a signal. Needs Linux 5.1.
func Enter(fd int, toSubmit, minComplete int, flags EnterFlags) (int, error) {
	return Enter2(fd, toSubmit, minComplete, flags, nil)
}

// Enter2 is Enter with an argument, the bytes of a struct such as
// io_uring_getevents_arg, as the flags say (io_uring_enter2). What it points to must be
// on the heap and stay reachable. Needs Linux 5.11.
func Enter2(fd int, toSubmit, minComplete int, flags EnterFlags, arg []byte) (int, error) {
	const op = "io_uring_enter"
	if err := cmp.Or(checkCount(op, toSubmit), checkCount(op, minComplete)); err != nil {
		return 0, err
	}
	ret := cEnter2(descriptor(fd), uint32(toSubmit), uint32(minComplete), flags, arg)
	return int(max(ret, 0)), opError(op, min(ret, 0))
}

// Register carries out a register operation whose argument is the bytes of arg; it
// returns the kernel's result (io_uring_register). What the kernel keeps of arg must be
// on the heap, and live as long as the kernel keeps it. Needs Linux 5.1.
func Register(fd int, op RegisterOp, arg []byte, nrArgs int) (int, error) {
	const name = "io_uring_register"
	if err := checkCount(name, nrArgs); err != nil {
		return 0, err
	}
	ret := cRegister(descriptor(fd), op, arg, uint32(nrArgs))
	return int(max(ret, 0)), opError(name, min(ret, 0))
}
