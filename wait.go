package liburing

import (
	"fmt"
	"math"
	"sync/atomic"
	"syscall"
	"time"
)

// Waiting. One rule holds for all waits: they end when n completions are there, with
// an error, or when their time is up.
//
// The kernel's waits end earlier, and liburing's with them:
//
//   - at a signal, of which Go's runtime sends its threads many. The kernel says
//     EINTR only if there is no completion yet, or else that all is well; after a
//     submission it tells how many requests it took, in both cases;
//   - when a timeout completes, whatever else is waited for;
//   - when the time is up, of which it says nothing after a submission;
//   - when n places of the queue are taken, where a big completion has two and a
//     filler none is waited for;
//   - with SetupIOPoll when its thread is to let another run.
//
// So what a wait returns is looked at, then the queue and the clock, and it goes on
// with what is left of its time: await.

// waitLimit is how long a wait may take.
type waitLimit struct {
	end    time.Duration // the clock then; 0: no limit
	enough time.Duration // from then on one completion is enough; end, if not before
}

// clock is the time since the program began, which is cheaper to get than the time.
func clock() time.Duration { return time.Since(started) }

// limitOf begins a wait with a limit.
func limitOf(timeout time.Duration) waitLimit {
	now := clock()
	end := now + min(max(timeout, 0), math.MaxInt64-now)
	return waitLimit{end: end, enough: end}
}

// withMin has one completion be enough after minWait, unless that is 0.
func (l waitLimit) withMin(timeout, minWait time.Duration) waitLimit {
	if minWait > 0 && minWait < timeout {
		l.enough = l.end - (timeout - minWait)
	}
	return l
}

// await waits on until n completions are there, or one at the time when that is
// enough. ret is the result of the wait before.
func (r *Ring) await(op string, n uint32, ret int32, limit waitLimit) error {
	m := r.mem
	for ; ; r.waits.Crossed() {
		if ret < 0 && ret != -int32(syscall.EINTR) && ret != -int32(etime) {
			return opError(op, ret)
		}
		if m.enough(n) {
			return nil
		}
		if limit.end == 0 {
			ret = cWaitCQENr(m, m.placesFor(n))
			continue
		}
		now := clock()
		if now >= limit.enough {
			n = min(n, 1)
		}
		if m.enough(n) {
			return nil
		}
		if now >= limit.end {
			return opError(op, -int32(etime))
		}
		ret = m.waitUntil(n, limit, now)
	}
}

// waitUntil waits from now on as long as limit says.
func (m *ringMem) waitUntil(n uint32, limit waitLimit, now time.Duration) int32 {
	if limit.enough == limit.end || now >= limit.enough {
		return cWaitCQEs(m, m.placesFor(n), limit.end-now)
	}
	return cWaitCQEsMinTimeout(m, m.placesFor(n), limit.end-now, microseconds(limit.enough-now))
}

// enough reports whether a wait for n completions is over: they are there, or the
// queue holds no more. A place may be less or more than a completion; with SetupIOPoll
// the kernel does not look for more as long as one is there.
func (m *ringMem) enough(n uint32) bool {
	if m.plenty(n) {
		return true
	}
	there, places := m.count()
	return there >= n || places >= m.mostPlaces() || there != 0 && m.flags&SetupIOPoll != 0
}

// plenty is enough, where that is plain to see. It is small, so that the compiler puts
// it into its callers.
func (m *ringMem) plenty(n uint32) bool { return m.cqReady() >= n && !m.uneven }

// placesFor returns how many places the kernel has to see taken for n completions:
// those that are, and one for each that is missing.
func (m *ringMem) placesFor(n uint32) uint32 {
	if m.uneven {
		return m.placesUneven(n)
	}
	return n
}

func (m *ringMem) placesUneven(n uint32) uint32 {
	there, places := m.count()
	return min(places+n-min(n, there), m.mostPlaces())
}

// mostPlaces returns how many places can be waited for. Where entries are of both
// sizes that is one less than there are: a big one does not fit into the last, and a
// kernel that waits for it does so at full speed and heeds no signal.
func (m *ringMem) mostPlaces() uint32 {
	if m.flags&SetupCQEMixed != 0 {
		return max(m.cq.ringEntries-1, 1)
	}
	return m.cq.ringEntries
}

// count returns how many completions are there, and how many places of the queue
// they take with what lies between them; what lies before them it drops.
func (m *ringMem) count() (there, places uint32) {
	m.peekNoWait()
	head, tail := *m.cq.khead, atomic.LoadUint32(m.cq.ktail)
	for at := head; int32(tail-at) > 0; {
		cqe := m.cqe(at)
		at += m.placesOf(cqe)
		if !m.ignored(cqe) {
			there++
		}
	}
	return there, tail - head
}

// refusesWait returns the error of a wait on a closed ring, or for a number of
// completions that is none.
func (r *Ring) refusesWait(op string, n int) error {
	if r.mem == nil {
		return ErrClosed
	}
	r.inspect() // some waits submit
	return checkCount(op, n)
}

// SubmitAndWait submits like Submit and waits until there are n completions, or as many
// as the completion queue holds (io_uring_submit_and_wait). It makes one system call;
// the first wait, and one in 32, that comes with a few requests that are quick to
// submit takes a second call if there is something to wait for. It does not wait if the
// kernel stopped at a request that it refuses.
//
// This and the other waits go on after a signal, with what is left of their time, and
// count the completion of a Timeout like any other. They count completions, not places
// in the queue. With SetupIOPoll the kernel looks for more only when those that are
// there have been taken: there a wait ends with one.
func (r *Ring) SubmitAndWait(n int) (int, error) {
	const op = "io_uring_submit_and_wait"
	m := r.mem
	if m == nil || uint(n) > math.MaxInt32 {
		return 0, r.refusesWait(op, n)
	}
	if r.audit != nil {
		r.inspect()
	}
	var ret int32
	if submit, quick := r.isQuickWait(uint32(n)); quick {
		flags := m.flushQuick()
		ret = m.taken(submit, m.rawEnter(submit, flags|EnterGetEvents))
		if m.cqReady() < uint32(n) {
			r.slowWaits = waitsAfterMiss
		}
	} else {
		ret = cSubmitAndWait(m, m.placesFor(uint32(n)))
	}
	r.submits.Crossed()
	if ret >= 0 && (m.plenty(uint32(n)) || m.unsubmitted() != 0) {
		return int(ret), nil
	}
	return int(max(ret, 0)), r.await(op, uint32(n), ret, waitLimit{})
}

// waitsAfterMiss is how many waits leave the quick way alone after one that it did not
// do for: a wait that has to wait takes a system call more on it.
const waitsAfterMiss = 31

// isQuickWait reports whether to submit by a raw enter, which does not wait, and to
// look then whether there is something to wait for: if the last requests were done when
// they were submitted. Then it says how many there are now.
func (r *Ring) isQuickWait(n uint32) (queued uint32, quick bool) {
	if r.slowWaits > 0 {
		r.slowWaits--
		return 0, false
	}
	if n == 0 {
		return 0, false
	}
	return r.mem.isQuick()
}

// SubmitAndWaitTimeout submits and waits until there are n completions or the time is
// over, and returns the first completion, nil if there is none
// (io_uring_submit_and_wait_timeout). If the time ends without a completion the error
// is ETIME; requests were submitted all the same. A negative timeout waits without a
// limit. It does not wait if n is 0, or if the kernel stopped at a request that it
// refuses.
func (r *Ring) SubmitAndWaitTimeout(n int, timeout time.Duration) (*CQE, error) {
	const op = "io_uring_submit_and_wait_timeout"
	if timeout < 0 {
		if _, err := r.SubmitAndWait(n); err != nil {
			return nil, err
		}
		return r.mem.peekNoWait(), nil
	}
	if err := r.refusesWait(op, n); err != nil {
		return nil, err
	}
	limit := limitOf(timeout)
	ret := cSubmitAndWaitTimeout(r.mem, r.mem.placesFor(uint32(n)), timeout)
	return r.firstOf(op, n, ret, limit)
}

// SubmitAndWaitMinTimeout is SubmitAndWaitTimeout that returns with fewer than n
// completions, but at least one, once minWait is over
// (io_uring_submit_and_wait_min_timeout). EINVAL without FeatMinTimeout. Needs
// Linux 6.12.
func (r *Ring) SubmitAndWaitMinTimeout(n int, timeout, minWait time.Duration) (*CQE, error) {
	const op = "io_uring_submit_and_wait_min_timeout"
	if err := r.refusesWait(op, n); err != nil {
		return nil, err
	}
	timeout = orLong(timeout)
	limit := limitOf(timeout).withMin(timeout, minWait)
	ret := cSubmitAndWaitMinTimeout(r.mem, r.mem.placesFor(uint32(n)), timeout, microseconds(min(minWait, timeout)))
	return r.firstOf(op, n, ret, limit)
}

// SubmitAndWaitReg submits and waits as the registered wait index says, and returns the
// first completion, nil if there is none; if the time ends without one the error is
// ETIME (io_uring_submit_and_wait_reg). EFAULT if there is no such wait. Needs Linux
// 6.13.
func (r *Ring) SubmitAndWaitReg(n int, index int) (*CQE, error) {
	const op = "io_uring_submit_and_wait_reg"
	if err := r.refusesWait(op, n); err != nil {
		return nil, err
	}
	if uint(index) >= uint(len(r.regWaits)) {
		hint := fmt.Sprintf("there is no wait %d: RegisterWaitRegion made %d", index, len(r.regWaits))
		return nil, &OpError{Op: op, Err: syscall.EFAULT, Hint: hint}
	}
	limit := r.regWaits[index].limit()
	ret := cSubmitAndWaitReg(r.mem, r.mem.placesFor(uint32(n)), index)
	return r.firstOf(op, n, ret, limit)
}

// firstOf has a wait that has submitted go on, and returns the first completion.
func (r *Ring) firstOf(op string, n int, ret int32, limit waitLimit) (*CQE, error) {
	m := r.mem
	r.submits.Crossed()
	if ret < 0 || m.unsubmitted() == 0 {
		if err := r.await(op, uint32(n), ret, limit); err != nil {
			return nil, err
		}
	}
	return m.peekNoWait(), nil
}

// WaitCQE returns the next completion, waiting for it if there is none
// (io_uring_wait_cqe). Mark it with CQESeen when its fields have been read.
func (r *Ring) WaitCQE() (*CQE, error) { return r.WaitCQENr(1) }

// WaitCQENr waits until n completions are there, or as many as the completion queue
// holds, and returns the first (io_uring_wait_cqe_nr). It does not wait if n is 0:
// then the error is EAGAIN if there is none.
func (r *Ring) WaitCQENr(n int) (*CQE, error) {
	const op = "io_uring_wait_cqe_nr"
	m := r.mem
	if m == nil || uint(n) > math.MaxInt32 {
		return nil, r.refusesWait(op, n)
	}
	if n == 0 || !m.plenty(uint32(n)) {
		ret := cWaitCQENr(m, m.placesFor(uint32(n)))
		r.waits.Crossed()
		if err := r.await(op, uint32(n), ret, waitLimit{}); err != nil {
			return nil, err
		}
	}
	if cqe := m.peekNoWait(); cqe != nil {
		return cqe, nil
	}
	return nil, opError(op, -int32(syscall.EAGAIN))
}

// WaitCQEs waits until n completions are there or the time is over, and returns the
// first; the error is ETIME if there is none (io_uring_wait_cqes). A negative
// timeout waits without a limit.
func (r *Ring) WaitCQEs(n int, timeout time.Duration) (*CQE, error) {
	const op = "io_uring_wait_cqes"
	if timeout < 0 {
		return r.WaitCQENr(n)
	}
	if err := r.refusesWait(op, n); err != nil {
		return nil, err
	}
	m := r.mem
	if n == 0 || !m.plenty(uint32(n)) {
		limit := limitOf(timeout)
		ret := cWaitCQEs(m, m.placesFor(uint32(n)), timeout)
		r.waits.Crossed()
		if err := r.await(op, uint32(n), ret, limit); err != nil {
			return nil, err
		}
	}
	return m.peekNoWait(), nil
}

// WaitCQETimeout returns the next completion, waiting no longer than timeout; then
// the error is ETIME (io_uring_wait_cqe_timeout). A negative timeout waits without a
// limit.
func (r *Ring) WaitCQETimeout(timeout time.Duration) (*CQE, error) {
	return r.WaitCQEs(1, timeout)
}

// WaitCQEsMinTimeout is WaitCQEs that returns with fewer than n completions, but at
// least one, once minWait is over (io_uring_wait_cqes_min_timeout). EINVAL without
// FeatMinTimeout. Needs Linux 6.12.
func (r *Ring) WaitCQEsMinTimeout(n int, timeout, minWait time.Duration) (*CQE, error) {
	const op = "io_uring_wait_cqes_min_timeout"
	if err := r.refusesWait(op, n); err != nil {
		return nil, err
	}
	m := r.mem
	timeout = orLong(timeout)
	limit := limitOf(timeout).withMin(timeout, minWait)
	ret := cWaitCQEsMinTimeout(m, m.placesFor(uint32(n)), timeout, microseconds(min(minWait, timeout)))
	r.waits.Crossed()
	if err := r.await(op, uint32(n), ret, limit); err != nil {
		return nil, err
	}
	return m.peekNoWait(), nil
}

// orLong makes a very long time of one below zero, which means no limit: the kernel
// heeds minWait only if there is a limit.
func orLong(timeout time.Duration) time.Duration {
	if timeout < 0 {
		return 100 * 365 * 24 * time.Hour
	}
	return timeout
}

// microseconds rounds up, so that a short time does not become none.
func microseconds(d time.Duration) uint32 {
	if d <= 0 {
		return 0
	}
	return uint32(min((d-1)/time.Microsecond+1, math.MaxUint32))
}
