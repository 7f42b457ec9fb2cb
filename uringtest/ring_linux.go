package uringtest

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/seam"
	"golang.org/x/sys/unix"
)

// The kernel's side of a ring: its queues, and what is in flight.

// ring is one of a Kernel's rings. All calls come from one thread at a time.
type ring struct {
	kernel *Kernel
	number int
	rng    *rand.Rand
	faults Faults

	memory   [][]byte
	words    *queueWords
	sqes     []liburing.SQE
	cqes     []liburing.CQE
	disabled bool

	active   []*request // in the order in which they began
	waiting  []*request // behind one that drains the ring
	overflow []liburing.CQE
	posted   uint64 // completions so far
	eventfd  int

	files   []int32 // registered ones, -1: a free place
	span    [2]int  // the places that the kernel picks from
	buffers []buffer
	groups  map[uint16]*group
}

// queueWords are what both sides of a ring share beside the entries.
type queueWords struct {
	sqHead, sqTail, sqMask, sqEntries, sqFlags, sqDropped uint32
	cqHead, cqTail, cqMask, cqEntries, cqOverflow         uint32
	cqFlags                                               uint32
}

const (
	knownSetup = liburing.SetupCQSize | liburing.SetupClamp | liburing.SetupSubmitAll | liburing.SetupCoopTaskrun |
		liburing.SetupTaskrunFlag | liburing.SetupSingleIssuer | liburing.SetupDeferTaskrun | liburing.SetupRDisabled
	features = liburing.FeatSingleMmap | liburing.FeatNodrop | liburing.FeatSubmitStable | liburing.FeatRWCurPos |
		liburing.FeatCurPersonality | liburing.FeatFastPoll | liburing.FeatPoll32Bits | liburing.FeatExtArg |
		liburing.FeatNativeWorkers | liburing.FeatRsrcTags | liburing.FeatCQESkip | liburing.FeatLinkedFile
)

// Setup is io_uring_setup.
func (m maker) Setup(entries uint32, params unsafe.Pointer) (seam.Ring, int32) {
	k := m.k
	p := (*liburing.Params)(params)
	sq, cq, ok := sizes(entries, p)
	if !ok || p.Flags&^knownSetup != 0 {
		return nil, -int32(unix.EINVAL)
	}
	fd, err := unix.MemfdCreate("uringtest", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, -errnoOf(err)
	}
	k.mu.Lock()
	number := k.rings
	k.rings++
	k.mu.Unlock()
	r := &ring{
		kernel: k, number: int(number), rng: rand.New(rand.NewPCG(k.seed, number)), faults: k.faults,
		disabled: p.Flags&liburing.SetupRDisabled != 0, eventfd: -1, groups: map[uint16]*group{},
	}
	if err := r.share(fd, sq, cq, p); err != nil {
		r.Close()
		unix.Close(fd)
		return nil, -errnoOf(err)
	}
	return r, int32(fd)
}

// sizes returns how many entries the queues have.
func sizes(entries uint32, p *liburing.Params) (sq, cq uint32, ok bool) {
	round := func(n, most uint32) (uint32, bool) {
		if n > most && p.Flags&liburing.SetupClamp != 0 {
			n = most
		}
		size := uint32(1)
		for size < n {
			size *= 2
		}
		return size, n > 0 && n <= most
	}
	sq, ok = round(entries, liburing.MaxEntries)
	cq = 2 * sq
	if ok && p.Flags&liburing.SetupCQSize != 0 {
		cq, ok = round(p.CQEntries, 2*liburing.MaxEntries)
	}
	return sq, cq, ok && cq >= sq
}

// share lays the queues out in the file that is the ring's descriptor.
func (r *ring) share(fd int, sq, cq uint32, p *liburing.Params) error {
	cqesAt := uint32(unsafe.Sizeof(queueWords{})+63) &^ 63
	arrayAt := cqesAt + cq*uint32(unsafe.Sizeof(liburing.CQE{}))
	size := int(arrayAt + 4*sq)
	sqesSize := int(sq) * int(unsafe.Sizeof(liburing.SQE{}))
	if err := unix.Ftruncate(fd, liburing.OffSQEs+int64(sqesSize)); err != nil {
		return err
	}
	for _, part := range []struct {
		at   int64
		size int
	}{{liburing.OffSQRing, size}, {liburing.OffSQEs, sqesSize}} {
		mem, err := unix.Mmap(fd, part.at, part.size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
		if err != nil {
			return err
		}
		r.memory = append(r.memory, mem)
	}
	queues := unsafe.Pointer(unsafe.SliceData(r.memory[0]))
	w := (*queueWords)(queues)
	w.sqMask, w.sqEntries, w.cqMask, w.cqEntries = sq-1, sq, cq-1, cq
	r.words = w
	r.cqes = unsafe.Slice((*liburing.CQE)(unsafe.Add(queues, cqesAt)), cq)
	r.sqes = unsafe.Slice((*liburing.SQE)(unsafe.Pointer(unsafe.SliceData(r.memory[1]))), sq)
	p.SQEntries, p.CQEntries, p.Features = sq, cq, features
	p.SQOff = liburing.SQRingOffsets{
		Head: uint32(unsafe.Offsetof(w.sqHead)), Tail: uint32(unsafe.Offsetof(w.sqTail)), RingMask: uint32(unsafe.Offsetof(w.sqMask)),
		RingEntries: uint32(unsafe.Offsetof(w.sqEntries)), Flags: uint32(unsafe.Offsetof(w.sqFlags)),
		Dropped: uint32(unsafe.Offsetof(w.sqDropped)), Array: arrayAt,
	}
	p.CQOff = liburing.CQRingOffsets{
		Head: uint32(unsafe.Offsetof(w.cqHead)), Tail: uint32(unsafe.Offsetof(w.cqTail)), RingMask: uint32(unsafe.Offsetof(w.cqMask)),
		RingEntries: uint32(unsafe.Offsetof(w.cqEntries)), Overflow: uint32(unsafe.Offsetof(w.cqOverflow)), CQEs: cqesAt,
		Flags: uint32(unsafe.Offsetof(w.cqFlags)),
	}
	return nil
}

// Close ends the ring and all that is in flight.
func (r *ring) Close() {
	for _, q := range r.active {
		q.forget()
	}
	r.active, r.waiting = nil, nil
	r.dropFiles()
	for _, mem := range r.memory {
		unix.Munmap(mem)
	}
	r.memory = nil
}

// chance reports whether something that happens with a probability happens now.
func (r *ring) chance(p float64) bool { return p > 0 && r.rng.Float64() < p }

// Enter is io_uring_enter.
func (r *ring) Enter(submit, wait, flags uint32, arg unsafe.Pointer) int32 {
	if r.disabled {
		return -int32(unix.EBADFD)
	}
	if submit > 0 && r.chance(r.faults.Refused) {
		return -int32(unix.EAGAIN)
	}
	taken := r.take(submit)
	getEvents := liburing.EnterFlags(flags)&liburing.EnterGetEvents != 0
	if !getEvents {
		return taken
	}
	r.flush()
	r.progress()
	if wait == 0 {
		return taken
	}
	if err := r.wait(min(wait, r.words.cqEntries), limitOf(liburing.EnterFlags(flags), arg)); err != 0 && taken == 0 {
		return -int32(err)
	}
	return taken
}

// waitArg is struct io_uring_getevents_arg.
type waitArg struct {
	_       uint64
	_       uint32
	_       uint32
	timeout *liburing.Timespec
}

// limitOf returns the end of a wait, zero if there is none.
func limitOf(flags liburing.EnterFlags, arg unsafe.Pointer) (end time.Time) {
	if flags&liburing.EnterExtArg == 0 || arg == nil {
		return end
	}
	if ts := (*waitArg)(arg).timeout; ts != nil {
		end = time.Now().Add(time.Duration(ts.Sec)*time.Second + time.Duration(ts.Nsec))
	}
	return end
}

// take takes entries off the submission queue. A chain ends with the submission.
func (r *ring) take(submit uint32) int32 {
	head, tail := r.words.sqHead, atomic.LoadUint32(&r.words.sqTail)
	n := min(submit, tail-head)
	var chain []*request
	for i := range n {
		q := &request{ring: r, sqe: r.sqes[head&r.words.sqMask], epoll: -1, held: -1}
		head++
		chain = append(chain, q)
		if i == n-1 || q.sqe.Flags&(liburing.SQEIOLink|liburing.SQEIOHardlink) == 0 {
			r.takeChain(chain)
			chain = nil
		}
	}
	atomic.StoreUint32(&r.words.sqHead, head)
	r.letGo()
	return int32(n)
}

// takeChain has a chain wait for its turn, unless one of its requests is not valid: then
// none begins.
func (r *ring) takeChain(chain []*request) {
	for i, q := range chain[1:] {
		chain[i].next = q
	}
	if !slices.ContainsFunc(chain, func(q *request) bool { return !q.valid() }) {
		r.waiting = append(r.waiting, chain[0])
		return
	}
	silent := chain[0].sqe.Flags&liburing.SQECQESkipSuccess != 0
	for i, q := range chain {
		q.ended = true
		if i > 0 && silent {
			continue
		}
		res := -int32(unix.ECANCELED)
		if !q.valid() {
			res = -int32(unix.EINVAL)
		}
		r.post(q.sqe.Opcode, liburing.CQE{UserData: q.sqe.UserData, Res: res})
	}
}

// letGo begins what need not wait for a request that drains the ring: neither for the
// end of one nor, to be one, for all before it.
func (r *ring) letGo() {
	for len(r.waiting) > 0 {
		q := r.waiting[0]
		if q.drains() && len(r.active) > 0 || slices.ContainsFunc(r.active, (*request).drains) {
			return
		}
		r.waiting = r.waiting[1:]
		q.begin()
	}
}

// wait waits until n completions are there.
func (r *ring) wait(n uint32, end time.Time) unix.Errno {
	for r.ready() < n {
		if r.hurry() {
			continue
		}
		if r.chance(r.faults.Interrupted) {
			return unix.EINTR
		}
		if !end.IsZero() && !time.Now().Before(end) {
			return unix.ETIME
		}
		r.sleep(end)
		r.progress()
	}
	return 0
}

func (r *ring) ready() uint32 { return r.words.cqTail - atomic.LoadUint32(&r.words.cqHead) }

// progress carries out what can be carried out.
func (r *ring) progress() {
	r.letGo()
	list := slices.Clone(r.active)
	if r.chance(r.faults.Reorder) {
		r.rng.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	}
	for _, q := range list {
		if q.ended {
			continue
		}
		if q.delay > 0 {
			q.delay--
			continue
		}
		q.run()
	}
	r.letGo()
}

// hurry carries out what was left for later, since there is nothing else to do. It
// reports whether it did anything.
func (r *ring) hurry() bool {
	before := r.posted + uint64(len(r.active))
	delayed := false
	for _, q := range r.active {
		delayed = delayed || q.delay > 0
		q.delay = 0
	}
	kept := len(r.overflow)
	r.flush()
	if delayed {
		r.progress()
	}
	return r.posted+uint64(len(r.active)) != before || len(r.overflow) != kept
}

// sleep waits until a descriptor that a request waits for is ready, or a timeout is over.
func (r *ring) sleep(end time.Time) {
	const longest = 100 * time.Millisecond // for what no descriptor tells
	limit := time.Now().Add(longest)
	if !end.IsZero() && end.Before(limit) {
		limit = end
	}
	var fds []unix.PollFd
	for _, q := range r.active {
		if !q.when.IsZero() && q.when.Before(limit) {
			limit = q.when
		}
		if fd, events := q.waitsFor(); events != 0 {
			fds = append(fds, unix.PollFd{Fd: fd, Events: events})
		}
	}
	ts := unix.NsecToTimespec(int64(max(time.Until(limit), 0)))
	unix.Ppoll(fds, &ts, nil) // a signal ends it early, and nothing is lost
}

// post tells a completion.
func (r *ring) post(op liburing.Op, cqe liburing.CQE) {
	r.posted++
	r.kernel.tell(Event{r.number, op, cqe.Res, cqe.Flags})
	r.overflow = append(r.overflow, cqe)
	if r.chance(r.faults.Overflow) || !r.moveOne(1) {
		r.setOverflowed()
	}
	if r.eventfd >= 0 && r.words.cqFlags&uint32(liburing.CQEventfdDisabled) == 0 {
		unix.Write(r.eventfd, binary.NativeEndian.AppendUint64(nil, 1))
	}
}

// moveOne moves the first completion of those that found no room into the queue, if
// there is room now, and no more than most wait.
func (r *ring) moveOne(most int) bool {
	if len(r.overflow) == 0 || len(r.overflow) > most || r.ready() >= r.words.cqEntries {
		return false
	}
	r.cqes[r.words.cqTail&r.words.cqMask] = r.overflow[0]
	r.overflow = r.overflow[1:]
	atomic.StoreUint32(&r.words.cqTail, r.words.cqTail+1)
	return true
}

// flush moves completions that found no room into the queue.
func (r *ring) flush() {
	for r.moveOne(len(r.overflow)) {
	}
	r.setOverflowed()
}

func (r *ring) setOverflowed() {
	flags := atomic.LoadUint32(&r.words.sqFlags) &^ uint32(liburing.SQCQOverflow)
	if len(r.overflow) > 0 {
		flags |= uint32(liburing.SQCQOverflow)
	}
	atomic.StoreUint32(&r.words.sqFlags, flags)
}

func errnoOf(err error) int32 {
	if errno, ok := err.(unix.Errno); ok {
		return int32(errno)
	}
	return int32(unix.EINVAL)
}
