package liburing

import (
	"iter"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/go-liburing/liburing/internal/yield"
)

// Ring is an io_uring instance, struct io_uring, with liburing's functions under Go
// names. It is for porting C, or control of every detail; a Loop does the bookkeeping
// for you.
//
// A ring may be used by one goroutine at a time, or by two: one that prepares and
// submits (GetSQE, Submit, SubmitAndGetEvents, the register calls) and one that takes
// completions (WaitCQE, PeekCQE, CQEs, CQESeen, GetEvents, …). SubmitAndWait and its
// kin do both. With SetupDeferTaskrun it must be one, because only the submitter's
// thread can bring completions, and so it must on kernels before FeatExtArg, where
// waits with a limit submit too.
//
// A request belongs to the thread that submitted it, except with SetupSQPoll: lock the
// goroutine to its thread (runtime.LockOSThread) before New, and do not let it end
// while requests are in flight. If the thread ends, nothing happens until what they
// wait for is there, and then they fail with ECANCELED; with SetupDeferTaskrun nothing
// ever happens. With SetupSingleIssuer a submission from another thread fails with
// EEXIST.
//
// Counts, sizes and places are of type int. Negative ones, and those above 2^31-1, are
// refused with EINVAL.
//
// Memory that a request names must stay reachable and untouched until its
// terminal completion, the one without CQEFMore. The collector does not know
// that the kernel holds it: keep a reference in a variable or a struct.
type Ring struct {
	mem     *ringMem      // nil when closed
	buffers [][]byte      // registered ones: the kernel holds them
	own     []byte        // the memory of the queues, if the caller gave it
	zcrx    [][]byte      // memory of zero-copy receive: the kernel holds it
	regions [][]byte      // registered regions, mapped by us
	audit   *audit        // what it may be used for, and who records that; nil: neither
	loop    *Loop         // whose ring it is, and whose tokens are user data; nil: nobody's
	bigEnd  uint32        // the position behind the last entry of GetSQE128
	submits yield.Yielder // one for each of the two threads that may use the ring
	waits   yield.Yielder

	slowWaits uint32 // how many waits are to come that go through liburing; see submitAndWait

	regWaits   []RegWait     // registered waits, in one of the regions
	restricted []Restriction // what it allows; none: all
	filtered   bool          // there are filters, of the ring or of its thread
}

// Close gives the ring back to the kernel (io_uring_queue_exit). Requests that are
// still in flight may write to their memory afterwards: cancel them and take their
// completions first. Registered files and buffers are released at once, on kernels
// before 6.14 some 50 ms later (UnregisterFiles releases them at once there, but may
// wait for requests). A second Close does nothing. EBUSY for the ring of a Loop:
// Loop.Close closes it.
func (r *Ring) Close() error {
	if r.mem == nil {
		return nil
	}
	if r.loop != nil {
		return &OpError{Op: "close", Err: syscall.EBUSY, Hint: "the ring is a loop's: close the loop"}
	}
	if r.mem.features&FeatRWAttr != 0 { // that old a kernel waits for no request
		r.mem.release()
	}
	cQueueExit(r.mem)
	lastExit.Store(int64(time.Since(started)))
	for _, region := range r.regions {
		unmapMemory(region)
	}
	*r = Ring{}
	return nil
}

// FD returns the ring's file descriptor, -1 if it has none or is closed. poll and
// epoll, and so Go's netpoller, report it readable when there is a completion, except
// on Linux 6.16 to 7.2 with SetupDeferTaskrun, where nothing wakes the waiter. Wait for
// an eventfd instead (RegisterEventfd), which is signalled in all set-ups.
func (r *Ring) FD() int {
	if r.mem == nil {
		return -1
	}
	return int(r.mem.ringFD)
}

// Features returns what the kernel can do beyond the first version of io_uring.
func (r *Ring) Features() Features {
	if r.mem == nil {
		return 0
	}
	return r.mem.features
}

// Flags returns the setup flags in force. liburing adds SetupNoSQArray if the kernel
// knows it.
func (r *Ring) Flags() SetupFlags {
	if r.mem == nil {
		return 0
	}
	return r.mem.flags
}

// SQEntries returns how many requests the submission queue can hold.
func (r *Ring) SQEntries() int {
	if r.mem == nil {
		return 0
	}
	return int(r.mem.sq.ringEntries)
}

// CQEntries returns how many completions the completion queue can hold. The kernel
// keeps more in its own memory (FeatNodrop), so that none is lost; except that a queue
// with SetupCQEMixed must not overflow on Linux 6.18 to 7.2: big completions get lost
// there, and old ones come again. On Linux 5.10 later completions overtake those that
// the kernel keeps; from 6.1 on at the latest they stay in order.
func (r *Ring) CQEntries() int {
	if r.mem == nil {
		return 0
	}
	return int(r.mem.cq.ringEntries)
}

// GetSQE returns the next free entry of the submission queue to prepare a
// request in, nil if the queue is full (or the ring closed): submit, then ask
// again (io_uring_get_sqe).
func (r *Ring) GetSQE() (sqe *SQE) {
	// This is small enough for the compiler to inline it; keep it so.
	if m := r.mem; m != nil && m.sq.sqeTail-m.loadSQHead() < m.sq.ringEntries {
		sqe = m.sqe(m.sq.sqeTail)
		m.sq.sqeTail++
		sqe.initialize()
	}
	return
}

// GetSQE128 returns a free big entry, of two places, for a request with 128 bytes, nil
// if there is no room (io_uring_get_sqe128). On a ring with SetupSQEMixed both sizes
// can be mixed, and the operation must be one that the kernel knows to be big; with
// SetupSQE128 every entry is big. Other rings have none.
//
// The end of the queue does not cut a big entry in two: where it would, a no-op first
// fills the last place, and is included in the counts of what is prepared, submitted
// and ready (SQReady, Submit, CQReady). Its completion has the user data 2^64-2, and
// the functions that return completions drop it. It belongs to the chain of the entry
// before, whose flags must be set by then, and unlike C's it leaves the ring able to
// drain (SQEIODrain).
func (r *Ring) GetSQE128() *SQE {
	m := r.mem
	switch {
	case m == nil:
		return nil
	case m.flags&SetupSQE128 != 0:
		return r.GetSQE()
	case !m.mixed():
		return nil
	}
	need := 2
	last := m.atLastPlace() // a big one does not fit there
	if last {
		need = 3
	}
	if m.sqSpace(m.loadSQHead()) < need {
		return nil
	}
	if last {
		m.fillPlace(r.linkAtTail())
	}
	sqe := m.nextSQE(2)
	r.bigEnd = m.sq.sqeTail
	return sqe
}

// linkAtTail returns how the entry that was prepared last is linked to the next.
func (r *Ring) linkAtTail() SQEFlags {
	m := r.mem
	if m.sq.sqeTail == m.sq.sqeHead {
		return 0 // a chain ends with the submission
	}
	before := m.sqe(m.sq.sqeTail - 1)
	if big := m.sqe(m.sq.sqeTail - 2); r.bigEnd == m.sq.sqeTail && big.Opcode.facts().big {
		before = big
	}
	return before.links()
}

// SubmitGetSQE returns an entry of the submission queue like GetSQE, and makes
// room by submitting if the queue is full. With SetupSQPoll the kernel may not
// have made room yet: then the error is EAGAIN (io_uring_submit,
// io_uring_get_sqe).
func (r *Ring) SubmitGetSQE() (*SQE, error) {
	if sqe := r.GetSQE(); sqe != nil {
		return sqe, nil
	}
	if r.mem == nil {
		return nil, ErrClosed
	}
	r.inspect()
	sqe, ret := cSubmitGetSQE(r.mem)
	r.submits.Crossed()
	switch {
	case sqe != nil:
		return sqe, nil
	case ret >= 0:
		ret = -int32(syscall.EAGAIN)
	}
	return nil, opError("io_uring_submit", ret)
}

// loadSQHead is io_uring_load_sq_head.
func (m *ringMem) loadSQHead() uint32 { return atomic.LoadUint32(m.sq.khead) }

// unsubmitted returns how many entries an enter would hand over. The kernel's
// head tells; but with SQPOLL it takes the entries in its own time, and what
// counts is what it has been told of.
func (m *ringMem) unsubmitted() uint32 {
	if m.flags&SetupSQPoll != 0 {
		return m.sq.sqeTail - m.sq.sqeHead
	}
	return m.sq.sqeTail - m.loadSQHead()
}

// SQReady returns how many entries are prepared and not submitted, or with
// SetupSQPoll not consumed (io_uring_sq_ready).
func (r *Ring) SQReady() int {
	if r.mem == nil {
		return 0
	}
	return int(r.mem.sq.sqeTail - r.mem.loadSQHead())
}

// SQSpaceLeft returns how many entries are free in the submission queue
// (io_uring_sq_space_left).
func (r *Ring) SQSpaceLeft() int {
	if r.mem == nil {
		return 0
	}
	return r.mem.sqSpace(r.mem.loadSQHead())
}

// sqSpace returns how many entries are free in the submission queue when the
// kernel has taken those before head.
func (m *ringMem) sqSpace(head uint32) int {
	return int(m.sq.ringEntries - (m.sq.sqeTail - head))
}

// CQReady returns how many completions are ready to be taken (io_uring_cq_ready).
func (r *Ring) CQReady() int {
	if r.mem == nil {
		return 0
	}
	return int(r.mem.cqReady())
}

func (m *ringMem) cqReady() uint32 {
	return atomic.LoadUint32(m.cq.ktail) - *m.cq.khead
}

// CQHasOverflow reports whether the kernel holds completions that found no room
// in the completion queue; the next wait or GetEvents brings them
// (io_uring_cq_has_overflow).
func (r *Ring) CQHasOverflow() bool {
	return r.mem != nil && r.mem.overflowed()
}

// SQFlags returns what the kernel says about the submission queue: that its thread is
// asleep and the next submission will wake it (SQNeedWakeup), that completions
// overflowed, or that task work is waiting. In C it is *ring->sq.kflags.
func (r *Ring) SQFlags() SQRingFlags {
	if r.mem == nil {
		return 0
	}
	return SQRingFlags(atomic.LoadUint32(r.mem.sq.kflags))
}

// Submit hands the prepared requests to the kernel and returns how many it took
// (io_uring_submit). Without SetupSubmitAll the kernel stops after a request that it
// refuses, which completes with an error; the rest, and after an error everything,
// stays in the queue for the next Submit.
func (r *Ring) Submit() (int, error) {
	if r.mem == nil {
		return 0, ErrClosed
	}
	if r.audit != nil {
		r.inspect()
	}
	var ret int32
	if n, quick := r.mem.isQuick(); quick {
		flags := r.mem.flushQuick()
		ret = r.mem.taken(n, r.mem.rawEnter(n, flags))
	} else {
		ret = cSubmit(r.mem)
	}
	r.submits.Crossed()
	if ret < 0 {
		return 0, submitError("io_uring_submit", ret)
	}
	return int(ret), nil
}

// SubmitRaw is Submit by a system call that Go's scheduler does not know of, as those of
// syscall.RawSyscall6, where that can be: of no more than 64 requests, without SetupSQPoll,
// SetupIOPoll, SetupSQRewind, SetupSQE128 and SetupSQEMixed. Otherwise it is Submit. It spares
// what the scheduler does about a call, but until it returns no other goroutine gets this
// processor, and a garbage collection waits for it. Submit does the same by itself with
// requests that it knows to hold nobody up, such as sends and receives; this is for who knows
// as much of others, such as reads of a file with O_DIRECT (io_uring_submit).
func (r *Ring) SubmitRaw() (int, error) {
	if r.mem == nil {
		return 0, ErrClosed
	}
	n, short := r.mem.isShort()
	if !short {
		return r.Submit()
	}
	if r.audit != nil {
		r.inspect()
	}
	flags := r.mem.flushQuick()
	ret := r.mem.taken(n, r.mem.rawEnter(n, flags))
	r.submits.Crossed()
	if ret < 0 {
		return 0, submitError("io_uring_submit", ret)
	}
	return int(ret), nil
}

// PeekCQE returns the next completion if there is one; otherwise the error is EAGAIN
// (io_uring_peek_cqe). It enters the kernel only if the kernel is holding completions
// back: an overflow, deferred work, polled I/O.
func (r *Ring) PeekCQE() (*CQE, error) {
	if r.mem == nil {
		return nil, ErrClosed
	}
	if cqe := r.mem.peekNoWait(); cqe != nil {
		return cqe, nil
	}
	if r.mem.needsFlush() {
		return r.WaitCQENr(0)
	}
	return nil, errPeekAgain
}

var errPeekAgain = opError("io_uring_peek_cqe", -int32(syscall.EAGAIN))

// overflowed reports whether the kernel holds completions that did not fit.
func (m *ringMem) overflowed() bool { return atomic.LoadUint32(m.sq.kflags)&uint32(SQCQOverflow) != 0 }

// needsFlush reports whether the kernel has completions that only an enter
// brings into the queue.
func (m *ringMem) needsFlush() bool {
	const held = uint32(SQCQOverflow | SQTaskrun)
	return m.flags&SetupIOPoll != 0 || atomic.LoadUint32(m.sq.kflags)&held != 0
}

// peekNoWait returns the entry at the head of the completion queue, nil if the
// queue is empty. It drops the fillers that the kernel leaves where a big entry
// would have been cut in two by the queue's end, and liburing's own timeouts.
func (m *ringMem) peekNoWait() *CQE {
	for {
		head := *m.cq.khead
		if atomic.LoadUint32(m.cq.ktail) == head {
			return nil
		}
		cqe := m.cqe(head)
		if !m.ignored(cqe) {
			return cqe
		}
		m.storeCQHead(head + m.placesOf(cqe))
	}
}

// own reports whether a completion belongs to no request of the caller's: to a
// timeout that liburing queued itself, for before FeatExtArg the kernel has no
// other way to wait for a limited time, or to what fills a place of the queue.
func (m *ringMem) own(cqe *CQE) bool {
	switch cqe.UserData {
	case UdataTimeout:
		return m.features&FeatExtArg == 0
	case udataFiller:
		return m.flags&SetupSQEMixed != 0
	}
	return false
}

// ignored reports whether a completion is not for the program. Only where entries
// are of both sizes are there fillers; elsewhere the flag came with a message.
func (m *ringMem) ignored(cqe *CQE) bool {
	return cqe.Flags&CQEFSkip != 0 && m.flags&SetupCQEMixed != 0 || m.own(cqe)
}

// placesOf returns how many places of the queue a completion takes. Only where
// entries are of both sizes does its flag count; elsewhere it came with a message.
func (m *ringMem) placesOf(cqe *CQE) uint32 {
	if m.flags&SetupCQEMixed == 0 {
		return 1
	}
	return uint32(cqe.Nr())
}

// PeekBatchCQE fills cqes with the completions that are there, without waiting,
// and returns their number (io_uring_peek_batch_cqe). Give them back with
// CQAdvance, or one by one with CQESeen.
func (r *Ring) PeekBatchCQE(cqes []*CQE) int {
	if r.mem == nil {
		return 0
	}
	n := r.peekBatch(cqes)
	if n == 0 && r.mem.needsFlush() && r.GetEvents() == nil {
		n = r.peekBatch(cqes)
	}
	return n
}

func (r *Ring) peekBatch(cqes []*CQE) int {
	if len(cqes) == 0 || r.mem.peekNoWait() == nil {
		return 0
	}
	m := r.mem
	tail := atomic.LoadUint32(m.cq.ktail)
	n := 0
	for head := *m.cq.khead; head != tail && n < len(cqes); n++ {
		cqe := m.cqe(head)
		if m.ignored(cqe) {
			break // only a filler at the head may be dropped
		}
		cqes[n] = cqe
		head += m.placesOf(cqe)
	}
	return n
}

// CQEs returns an iterator over the completions that are there, without waiting. They
// are marked as seen together when the loop ends, up to the one it ended at if by a
// break: the body must not do that itself, and must copy what it wants to keep. A body
// that closes the ring ends the loop (io_uring_for_each_cqe with io_uring_cq_advance).
func (r *Ring) CQEs() iter.Seq[*CQE] {
	// There is no defer here, so that the compiler can make a plain loop of it:
	// after a panic in the body the completions are still there.
	return func(yield func(*CQE) bool) {
		m := r.mem
		if m == nil {
			return
		}
		head, tail := *m.cq.khead, atomic.LoadUint32(m.cq.ktail)
		if head == tail {
			return
		}
		for head != tail {
			cqe := m.cqe(head)
			head++
			if cqe.Flags&(CQEF32|CQEFSkip) != 0 || cqe.UserData >= udataFiller {
				head += m.placesOf(cqe) - 1
				if m.ignored(cqe) {
					continue
				}
			}
			more := yield(cqe)
			if r.mem != m { // closed: the queue's memory is gone
				return
			}
			if !more {
				break
			}
		}
		m.storeCQHead(head)
	}
}

// CQESeen marks a completion as taken, so that the kernel can use its place
// (io_uring_cqe_seen). The entry must not be touched after that.
func (r *Ring) CQESeen(cqe *CQE) {
	if m := r.mem; m != nil && cqe != nil {
		m.storeCQHead(*m.cq.khead + m.placesOf(cqe))
	}
}

// CQAdvance marks n places of the completion queue as taken, no more than there
// are completions; a big entry of a ring with SetupCQEMixed takes two
// (io_uring_cq_advance).
func (r *Ring) CQAdvance(n int) {
	if m := r.mem; m != nil && n > 0 {
		m.storeCQHead(*m.cq.khead + uint32(min(n, int(m.cqReady()))))
	}
}

// storeCQHead gives places of the completion queue back to the kernel, which
// must not fill them before they have been read. With SetupDeferTaskrun it
// fills them in this thread's system calls only, so on amd64, which keeps the order of
// stores, a plain one does: Go's atomic one is a full barrier there. Elsewhere that
// costs nothing.
func (m *ringMem) storeCQHead(head uint32) {
	if runtime.GOARCH == "amd64" && m.flags&SetupDeferTaskrun != 0 {
		*m.cq.khead = head
		return
	}
	atomic.StoreUint32(m.cq.khead, head)
}

// GetEvents makes the kernel bring the completions that it holds back into the
// queue: deferred work, overflowed ones (io_uring_get_events). With SetupDeferTaskrun
// one call may bring only some of them, 20 on Linux 6.18: SQFlags tells by SQTaskrun, where
// SetupTaskrunFlag is set, that there are more.
func (r *Ring) GetEvents() error {
	r.waits.Crossed()
	return r.call("io_uring_get_events", cGetEvents)
}

// SubmitAndGetEvents submits and makes the kernel bring the completions that it
// holds back into the queue (io_uring_submit_and_get_events).
func (r *Ring) SubmitAndGetEvents() (int, error) {
	if r.mem == nil {
		return 0, ErrClosed
	}
	r.inspect()
	ret := cSubmitAndGetEvents(r.mem)
	r.submits.Crossed()
	if ret < 0 {
		return 0, submitError("io_uring_submit_and_get_events", ret)
	}
	return int(ret), nil
}

// SQRingWait waits until the submission queue of a ring with SetupSQPoll has
// room (io_uring_sqring_wait). Needs Linux 5.10.
func (r *Ring) SQRingWait() error {
	return r.call("io_uring_sqring_wait", func(m *ringMem) int32 {
		if m.flags&SetupSQPoll == 0 || r.SQSpaceLeft() != 0 {
			return 0
		}
		return cSQRingWait(m)
	})
}
