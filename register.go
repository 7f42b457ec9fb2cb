package liburing

import (
	"cmp"
	"fmt"
	"os"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"github.com/go-liburing/liburing/internal/abi"
)

// What can be registered with a ring, beside buffers and the memory of zero-copy
// receive (register_buffers.go), rings of buffers (buffers.go) and files
// (register_files.go).

// RegisterEventfd makes the kernel write to an eventfd for each completion
// (io_uring_register_eventfd). EBUSY if there is one already. On a ring with
// SetupDeferTaskrun it is signalled before the completions are in the queue: call
// GetEvents, or wait, to bring them there. It may be signalled for work that does not
// lead to a completion yet. Before Linux 5.18 this, RegisterEventfdAsync and
// UnregisterEventfd wait until no request is in flight, which may never happen on a
// Loop that has run. Needs Linux 5.2.
func (r *Ring) RegisterEventfd(fd int) error {
	return r.call("io_uring_register_eventfd", func(m *ringMem) int32 { return cRegisterEventfd(m, descriptor(fd)) })
}

// RegisterEventfdAsync is RegisterEventfd only for completions that come after the
// submission has returned (io_uring_register_eventfd_async). Needs Linux 5.6.
func (r *Ring) RegisterEventfdAsync(fd int) error {
	return r.call("io_uring_register_eventfd_async", func(m *ringMem) int32 { return cRegisterEventfdAsync(m, descriptor(fd)) })
}

// UnregisterEventfd ends RegisterEventfd (io_uring_unregister_eventfd). ENXIO
// if there is none. Needs Linux 5.2.
func (r *Ring) UnregisterEventfd() error {
	return r.call("io_uring_unregister_eventfd", cUnregisterEventfd)
}

// CQEventfdEnabled reports whether completions are signalled to the registered eventfd
// (io_uring_cq_eventfd_enabled).
func (r *Ring) CQEventfdEnabled() bool {
	return r.mem != nil && (r.mem.cq.kflags == nil || atomic.LoadUint32(r.mem.cq.kflags)&uint32(CQEventfdDisabled) == 0)
}

// CQEventfdToggle switches signalling the registered eventfd on or off
// (io_uring_cq_eventfd_toggle). EOPNOTSUPP on kernels before 5.8.
func (r *Ring) CQEventfdToggle(enabled bool) error {
	if r.mem == nil {
		return ErrClosed
	}
	if enabled == r.CQEventfdEnabled() {
		return nil
	}
	if r.mem.cq.kflags == nil {
		return opError("io_uring_cq_eventfd_toggle", -int32(syscall.EOPNOTSUPP))
	}
	flags := atomic.LoadUint32(r.mem.cq.kflags) ^ uint32(CQEventfdDisabled)
	atomic.StoreUint32(r.mem.cq.kflags, flags)
	return nil
}

// RegisterProbe asks the kernel which operations it knows
// (io_uring_register_probe). Needs Linux 5.6.
func (r *Ring) RegisterProbe(p *Probe) error {
	if p == nil {
		return r.badInput("io_uring_register_probe", "there is no Probe to fill")
	}
	return r.call("io_uring_register_probe", func(m *ringMem) int32 { return cRegisterProbe(m, &p.raw) })
}

// RegisterPersonality stores the thread's current credentials; requests with
// SQE.Personality set to the result use them (io_uring_register_personality). Needs
// Linux 5.6.
func (r *Ring) RegisterPersonality() (uint16, error) {
	id, err := r.callCount("io_uring_register_personality", cRegisterPersonality)
	return uint16(id), err
}

// UnregisterPersonality drops credentials (io_uring_unregister_personality).
// EINVAL if there are none with this number. Needs Linux 5.6.
func (r *Ring) UnregisterPersonality(id uint16) error {
	return r.call("io_uring_unregister_personality", func(m *ringMem) int32 { return cUnregisterPersonality(m, int(id)) })
}

// Restriction is one thing that a restricted ring allows, struct
// io_uring_restriction.
type Restriction struct {
	Opcode RestrictionOp // what Value is
	Value  uint8         // an Op, a RegisterOp or SQEFlags
	_      uint8
	_      [3]uint32
}

// AllowOnly returns the restrictions of a ring that takes only these operations and
// register calls, and no flags on its requests: append RestrictionSQEFlagsAllowed and
// RestrictionSQEFlagsRequired for those, or LoopNeeds for the ring of a Loop. It
// restricts both kinds on every kernel, which a list that names only one kind does not.
func AllowOnly(ops []Op, registerOps []RegisterOp) []Restriction {
	list := []Restriction{
		{Opcode: RestrictionSQEFlagsAllowed},                               // names requests and allows none
		{Opcode: RestrictionRegisterOp, Value: uint8(RegisterEnableRings)}, // fails on a ring that is enabled
	}
	for _, op := range ops {
		list = append(list, Restriction{Opcode: RestrictionSQEOp, Value: uint8(op)})
	}
	for _, op := range registerOps {
		list = append(list, Restriction{Opcode: RestrictionRegisterOp, Value: uint8(op)})
	}
	return list
}

// RegisterRestrictions limits a ring to what the list allows, as soon as EnableRings is
// called (io_uring_register_restrictions). What it does not allow fails with EACCES.
// Linux 7.x restricts a kind (requests, register calls) only if the list names at least
// one of it, or both if the list is empty (nil is EINVAL): see AllowOnly. (Up to 6.18
// any list restricts both.) A ring has one list: a second one is EBUSY. The ring must
// have been set up with SetupRDisabled, else EBADFD. For the ring of a Loop add
// LoopNeeds to the list, and enable it in the same Control. Needs Linux 5.10.
func (r *Ring) RegisterRestrictions(list []Restriction) error {
	err := r.call("io_uring_register_restrictions", func(m *ringMem) int32 { return cRegisterRestrictions(m, list) })
	if err == nil {
		r.restricted = append([]Restriction(nil), list...)
	}
	return err
}

// EnableRings lets a ring that was set up with SetupRDisabled take requests
// (io_uring_enable_rings). With SetupSingleIssuer the calling thread is the
// issuer. Needs Linux 5.10.
func (r *Ring) EnableRings() error { return r.call("io_uring_enable_rings", cEnableRings) }

// RegisterIOWQAff confines the ring's worker threads to the given processors
// (io_uring_register_iowq_aff). Needs Linux 5.14.
func (r *Ring) RegisterIOWQAff(cpus []int) error {
	const op = "io_uring_register_iowq_aff"
	mask := make([]uint64, 16) // glibc's cpu_set_t
	for _, cpu := range cpus {
		if cpu < 0 || cpu >= 64*len(mask) {
			return r.badInput(op, "there is no processor %d", cpu)
		}
		mask[cpu/64] |= 1 << (cpu % 64)
	}
	return r.call(op, func(m *ringMem) int32 { return cRegisterIOWQAff(m, mask) })
}

// UnregisterIOWQAff lets the workers run everywhere
// (io_uring_unregister_iowq_aff). Needs Linux 5.14.
func (r *Ring) UnregisterIOWQAff() error {
	return r.call("io_uring_unregister_iowq_aff", cUnregisterIOWQAff)
}

// RegisterIOWQMaxWorkers limits the worker threads of the calling thread, for regular
// files (bounded) and for everything else (unbounded); 0 leaves a limit as it is. It
// returns the previous limits (io_uring_register_iowq_max_workers). The thread's first
// ring sets the bounded limit: the number of its entries, but no more than four per
// processor. Needs Linux 5.15.
func (r *Ring) RegisterIOWQMaxWorkers(bounded, unbounded int) (oldBounded, oldUnbounded int, err error) {
	const op = "io_uring_register_iowq_max_workers"
	if err := cmp.Or(checkCount(op, bounded), checkCount(op, unbounded)); err != nil {
		return 0, 0, err
	}
	values := [2]uint32{uint32(bounded), uint32(unbounded)}
	if err := r.call(op, func(m *ringMem) int32 { return cRegisterIOWQMaxWorkers(m, &values) }); err != nil {
		return 0, 0, err
	}
	return int(values[0]), int(values[1]), nil
}

// RegisterRingFD registers the ring's own descriptor, which saves the kernel
// looking it up at each enter (io_uring_register_ring_fd). It holds for the
// calling thread only: lock it. Needs Linux 5.18.
func (r *Ring) RegisterRingFD() error { return r.call("io_uring_register_ring_fd", cRegisterRingFD) }

// UnregisterRingFD ends RegisterRingFD (io_uring_unregister_ring_fd). EINVAL after
// CloseRingFD: nothing would be left that names the ring. Needs Linux 5.18.
func (r *Ring) UnregisterRingFD() error {
	const op = "io_uring_unregister_ring_fd"
	if r.mem != nil && r.mem.ringFD < 0 {
		return badInput(op, "the ring has no other descriptor, it was closed (CloseRingFD)")
	}
	return r.call(op, cUnregisterRingFD)
}

// CloseRingFD closes the ring's descriptor; the registered one still serves
// (io_uring_close_ring_fd). Needs Linux 6.3.
func (r *Ring) CloseRingFD() error { return r.call("io_uring_close_ring_fd", cCloseRingFD) }

// Dontfork keeps the ring's memory out of child processes
// (io_uring_ring_dontfork).
func (r *Ring) Dontfork() error { return r.call("io_uring_ring_dontfork", cRingDontfork) }

// SyncCancelReg says what RegisterSyncCancel cancels, struct
// io_uring_sync_cancel_reg.
type SyncCancelReg struct {
	Addr    uint64 // the user data
	FD      int32  // with AsyncCancelFD
	Flags   CancelFlags
	Timeout Timespec // how long to wait for what is being carried out; NoTimeout for ever
	Opcode  Op       // with AsyncCancelOp
	_       [7]uint8
	_       [3]uint64
}

// RegisterSyncCancel cancels requests and waits until they have completed
// (io_uring_register_sync_cancel). It returns how many there were, which with
// AsyncCancelAll may be 0; otherwise the error is ENOENT if there was none. ETIME if
// the time was too short. Needs Linux 6.0.
func (r *Ring) RegisterSyncCancel(reg SyncCancelReg) (int, error) {
	start, timeout := time.Now(), reg.Timeout
	found := false
	return r.callCount("io_uring_register_sync_cancel", func(m *ringMem) int32 {
		ret := cRegisterSyncCancel(m, &reg)
		switch {
		case ret == -int32(syscall.ENOENT) && found:
			return 0 // it has completed since
		case ret == -int32(syscall.EINTR):
			found = true
			reg.Timeout = timeout.without(time.Since(start))
		}
		return ret
	})
}

// RegisterSyncMsg posts a completion to a ring, for callers that have none
// themselves: sqe was prepared by PrepMsgRing (io_uring_register_sync_msg).
// Needs Linux 6.13 and liburing 2.11.
func RegisterSyncMsg(sqe *SQE) error {
	return opError("io_uring_register_sync_msg", cRegisterSyncMsg(sqe))
}

// NAPI is how a ring polls network devices, struct io_uring_napi.
type NAPI struct {
	BusyPollTo     uint32 // microseconds to poll before a wait
	PreferBusyPoll uint8
	_              [3]uint8
	_              uint64
}

// RegisterNAPI makes waits poll the devices of the ring's sockets for a while
// first, and stores what was set before in n (io_uring_register_napi). Needs
// Linux 6.9.
func (r *Ring) RegisterNAPI(n *NAPI) error {
	return r.call("io_uring_register_napi", func(m *ringMem) int32 { return cRegisterNAPI(m, n) })
}

// UnregisterNAPI ends RegisterNAPI and stores what was set in n, which may be
// nil (io_uring_unregister_napi). Needs Linux 6.9.
func (r *Ring) UnregisterNAPI(n *NAPI) error {
	return r.call("io_uring_unregister_napi", func(m *ringMem) int32 { return cUnregisterNAPI(m, n) })
}

// RegisterClock chooses the clock of waits with a timeout, CLOCK_MONOTONIC or
// CLOCK_BOOTTIME (io_uring_register_clock). A Loop's timers go by CLOCK_MONOTONIC all the
// same. Needs Linux 6.12.
func (r *Ring) RegisterClock(clock int) error {
	const op = "io_uring_register_clock"
	if err := checkCount(op, clock); err != nil {
		return err
	}
	reg := abi.ClockRegister{ClockID: uint32(clock)}
	return r.call(op, func(m *ringMem) int32 { return cRegisterClock(m, &reg) })
}

// SetIowait says whether a wait counts as waiting for I/O in the processor's
// statistics, which keeps its frequency up. It does by default; a Loop switches it off
// where it can (io_uring_set_iowait). Needs Linux 6.15 and liburing 2.10.
func (r *Ring) SetIowait(enable bool) error {
	return r.call("io_uring_set_iowait", func(m *ringMem) int32 { return cSetIowait(m, enable) })
}

// Filters: small programs that allow or deny requests.

// BPFFilter is a classic BPF program that allows or denies the requests of one
// operation, struct io_uring_bpf_filter. It sees struct io_uring_bpf_ctx and denies a
// request by returning 0; that request fails with EACCES.
//
// Filters add up: a request passes if all filters for its operation allow it, those of
// the ring and of the thread that made it. None can be removed or replaced. With
// BPFFilterDenyRest all operations without a filter are denied for good: later filters
// can't allow them, so set the flag on the filter of the last operation that has to
// work. A Loop needs operations of its own, which LoopNeeds lists.
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
	ret := cRegisterBPFFilter(m, &abi.BPF{
		CmdType: uint16(BPFCmdFilter), Op: uint32(f.Op), Flags: uint32(f.Flags), PDUSize: f.PDUSize,
		FilterLen: uint32(len(f.Program)), Filter: data(f.Program),
	})
	runtime.KeepAlive(f) // the command has the program as a number
	return ret
}

// RegisterBPFFilter lets a filter decide on the ring's requests of one operation
// (io_uring_register_bpf_filter). It needs no privilege. EMSGSIZE if PDUSize is more
// than the operation has, with BPFFilterSzStrict also if it is less. Needs Linux 7.0
// and liburing 2.15.
func (r *Ring) RegisterBPFFilter(f *BPFFilter) error {
	err := r.call("io_uring_register_bpf_filter", f.register)
	r.filtered = r.filtered || err == nil
	return err
}

// RegisterBPFFilterTask lets a filter decide on the requests of rings that the calling
// thread and its child processes make later (io_uring_register_bpf_filter_task). Call
// it on a locked thread. It does not reach rings of other threads; a Loop has a thread
// of its own: use WithBPFFilterTask. EACCES unless the thread has CAP_SYS_ADMIN or
// no_new_privs. Needs Linux 7.0 and liburing 2.15.
func RegisterBPFFilterTask(f *BPFFilter) error {
	err := opError("io_uring_register_bpf_filter_task", f.register(nil))
	if e, ok := err.(*OpError); ok && e.Err == syscall.EACCES {
		e.Hint = "a filter of a thread takes CAP_SYS_ADMIN, or no_new_privs on that thread (NoNewPrivileges= in systemd)"
	}
	return err
}

// Registered waits: how to wait is written down once, in memory that is shared
// with the kernel, and named by its place.

// RegWait is a registered wait, struct io_uring_reg_wait.
type RegWait struct {
	Timeout     Timespec
	MinWaitUsec uint32
	Flags       RegWaitFlags // RegWaitTS: Timeout counts
	_           [40]byte
}

// limit is how long it waits, from now on.
func (w *RegWait) limit() waitLimit {
	if w.Flags&RegWaitTS == 0 {
		return waitLimit{}
	}
	timeout := w.Timeout.duration()
	return limitOf(timeout).withMin(timeout, time.Duration(w.MinWaitUsec)*time.Microsecond)
}

// RegisterWaitRegion registers pages of waits, which SubmitAndWaitReg names by their
// index (io_uring_register_region). The slice has 64 waits per page of 4 KiB, 256 per
// page of 16 KiB (os.Getpagesize); it is shared with the kernel and lives as long as
// the ring. The ring must have been set up with SetupRDisabled, and not be enabled yet.
// Needs Linux 6.13.
func (r *Ring) RegisterWaitRegion(pages int) ([]RegWait, error) {
	const op = "io_uring_register_region"
	if pages <= 0 || pages > 1<<20 {
		return nil, r.badInput(op, "%d pages: from 1 to %d are allowed", pages, 1<<20)
	}
	mem, err := mapMemory(pages * os.Getpagesize())
	if err != nil {
		return nil, &OpError{Op: op, Err: err, Hint: fmt.Sprintf("%d pages could not be mapped", pages)}
	}
	desc := &abi.RegionDesc{Addr: data(mem), Size: uint64(len(mem)), Flags: uint32(MemRegionTypeUser)}
	reg := abi.MemRegionReg{Desc: addr(desc), Flags: uint64(MemRegionRegWaitArg)}
	err = r.call(op, func(m *ringMem) int32 { return cRegisterRegion(m, &reg) })
	runtime.KeepAlive(desc) // reg has it as a number
	if err != nil {
		unmapMemory(mem)
		return nil, err
	}
	r.regions = append(r.regions, mem)
	first := (*RegWait)(unsafe.Pointer(unsafe.SliceData(mem)))
	r.regWaits = unsafe.Slice(first, len(mem)/int(unsafe.Sizeof(RegWait{})))
	return r.regWaits, nil
}

// ResizeRings changes the sizes of the ring's queues; p has SQEntries, and with
// SetupCQSize CQEntries; SetupClamp is the only other flag (io_uring_resize_rings).
// What is not given stays: without SQEntries the submission queue, without SetupCQSize
// the completion queue, unless it has to grow with the other; a completion queue that
// is given must not be smaller than the submission queue. Entries and completions are
// kept, but in other memory: don't use an SQE or CQE obtained before. EOVERFLOW if they
// don't fit.
//
// The ring must have been set up with SetupDeferTaskrun, still have its descriptor, and
// not have its queues in the caller's memory. With SetupSQRewind the kernel does not
// know of prepared entries: submit them first. If the kernel's new memory can't be
// mapped (ENOMEM; this is tried beforehand), the ring can't be used any more. Needs
// Linux 6.13.
func (r *Ring) ResizeRings(p *Params) error {
	if r.mem == nil {
		return ErrClosed
	}
	if r.loop != nil {
		return r.loop.replaceQueues(func() error { return r.resize(p) })
	}
	return r.resize(p)
}

func (r *Ring) resize(p *Params) error {
	if err := r.checkResize(p); err != nil {
		return err
	}
	if p.SQEntries == 0 {
		p.SQEntries = r.mem.sq.ringEntries
	}
	if p.Flags&SetupCQSize == 0 {
		p.Flags |= SetupCQSize
		p.CQEntries = max(r.mem.cq.ringEntries, p.SQEntries)
	}
	if nextPow2(p.CQEntries) < nextPow2(p.SQEntries) {
		return badInput(opResize, "the completion queue (%d) may not be smaller than the submission queue (%d)", p.CQEntries, p.SQEntries)
	}
	if err := canMap(p); err != nil {
		return err
	}
	return r.call(opResize, func(m *ringMem) int32 {
		// What is queued goes along into the other memory only if the kernel
		// has been handed it, which liburing does when it submits. Rings that
		// can be resized have no thread that would begin with it.
		if m.flags&SetupSQRewind == 0 {
			m.flushSQ()
		}
		was := Params{Flags: SetupCQSize, SQEntries: m.sq.ringEntries, CQEntries: m.cq.ringEntries}
		ret := cResizeRings(m, p)
		if ret < 0 && p.SQOff.RingMask != 0 {
			takeBack(m, was)
		}
		return ret
	})
}

// takeBack resizes a ring to what it was. Its queues are others for the kernel than for
// the program where these could not be mapped, and nothing would ever reach it.
func takeBack(m *ringMem, was Params) {
	for range 3 {
		if p := was; cResizeRings(m, &p) >= 0 {
			return
		}
	}
}

const opResize = "io_uring_resize_rings"

// checkResize looks for what the kernel would refuse without saying why, or do and
// lose entries or the ring.
func (r *Ring) checkResize(p *Params) error {
	m := r.mem
	switch {
	case p == nil:
		return badInput(opResize, "there are no Params to say how large")
	case m.flags&SetupDeferTaskrun == 0:
		return badInput(opResize, "only a ring with SetupDeferTaskrun can be resized")
	case m.flags&SetupNoMmap != 0:
		return badInput(opResize, "the queues are in the caller's memory: make another ring")
	case m.ringFD < 0:
		return badInput(opResize, "the ring's descriptor is closed, and the new queues are mapped by it")
	case m.flags&SetupSQRewind != 0 && m.sq.sqeTail != m.sq.sqeHead:
		return badInput(opResize, "with SetupSQRewind the kernel would lose the entries that are prepared: submit them first")
	}
	return nil
}

// canMap reports whether there is room for the queues in the process: the kernel
// would change the ring, and only then would liburing find that there is none.
func canMap(p *Params) error {
	sizes := *p
	size, err := MemorySizeParams(int(p.SQEntries), &sizes)
	if err != nil { // an older liburing, or sizes that the kernel is going to refuse
		return nil
	}
	mem, err := mapMemory(int(size))
	if err != nil {
		return &OpError{Op: opResize, Err: err, Hint: fmt.Sprintf("%d bytes could not be mapped; the ring is as it was", size)}
	}
	return unmapMemory(mem)
}
