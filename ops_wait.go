package liburing

import (
	"math"
	"time"
)

// Timeouts, polling and cancelling.

// PrepTimeout completes when the time ts has passed, with ETIME, or with 0 once count
// other requests of the ring have completed, whichever comes first; with count 0 the
// time alone counts (io_uring_prep_timeout). With TimeoutAbs ts is a point in time on
// the clock that flags name, by default CLOCK_MONOTONIC. With TimeoutMultishot (Linux
// 6.4) it fires each time ts has passed, count times or with 0 without end, with one
// completion with ETIME and CQEFMore each. With TimeoutEtimeSuccess ETIME does not end
// a chain. Needs Linux 5.4.
//
// ts needs to live until the request is submitted. With TimeoutImmediateArg set
// SQE.Addr to nanoseconds instead of the address.
//
//loop:doc A Loop's own requests do not count, except in a chain. The end by count comes
//loop:doc after the callbacks of what has completed by then.
func (s *SQE) PrepTimeout(ts *Timespec, count uint32, flags TimeoutFlags) {
	s.PrepRW(OpTimeout, -1, addr(ts), 1, uint64(count))
	s.OpFlags = uint32(flags)
}

// PrepTimeoutRemove removes the timeout that userData names
// (io_uring_prep_timeout_remove). The result is 0, ENOENT if there is none, EBUSY or
// EALREADY if it is firing. The timeout itself completes with ECANCELED. flags must be
// 0. Needs Linux 5.5.
//
// With TimeoutUpdate in flags it would be PrepTimeoutUpdate, and SQE.Off the
// address of the time.
func (s *SQE) PrepTimeoutRemove(userData uint64, flags TimeoutFlags) {
	s.PrepRW(OpTimeoutRemove, -1, userData, 0, 0)
	s.OpFlags = uint32(flags)
}

// PrepTimeoutUpdate sets the timeout that userData names to another time, ts from now;
// with LinkTimeoutUpdate that timeout is a linked one, with TimeoutAbs ts is a point in
// time (io_uring_prep_timeout_update). The result is 0, ENOENT if there is none,
// EALREADY if it is firing. Needs Linux 5.11.
//
// ts needs to live until the request is submitted. With TimeoutImmediateArg set SQE.Off
// to nanoseconds instead of the address.
func (s *SQE) PrepTimeoutUpdate(ts *Timespec, userData uint64, flags TimeoutFlags) {
	s.PrepRW(OpTimeoutRemove, -1, userData, 0, addr(ts))
	s.OpFlags = uint32(flags | TimeoutUpdate)
}

// PrepLinkTimeout cancels the request before it, which must be linked to it, if that
// has not completed when the time ts has passed (io_uring_prep_link_timeout). Then the
// timeout's result is ETIME (on Linux 6.16 to 7.2 it is 1 if a waitid or a wait for
// futexes was cancelled), or EALREADY if it came too late to cancel; otherwise it is
// ECANCELED. It does not end what a worker thread is blocked in, such as a splice from an empty
// pipe. With TimeoutAbs ts is a point in time. Needs Linux 5.5.
//
// ts needs to live until the request is submitted. With TimeoutImmediateArg set
// SQE.Addr to nanoseconds instead of the address.
//
//loop:doc Request.Deadline makes one of these.
func (s *SQE) PrepLinkTimeout(ts *Timespec, flags TimeoutFlags) {
	s.PrepRW(OpLinkTimeout, -1, addr(ts), 1, 0)
	s.OpFlags = uint32(flags)
}

// PrepPollAdd waits until a descriptor is ready; mask and the result hold events of
// poll(2) (io_uring_prep_poll_add). Regular files and directories are always ready.
// Needs Linux 5.1.
func (s *SQE) PrepPollAdd(fd int, mask uint32) {
	s.PrepRW(OpPollAdd, fd, 0, 0, 0)
	s.OpFlags = pollMask(mask)
}

// PrepPollMultishot is PrepPollAdd that completes each time the descriptor
// becomes ready, with CQEFMore, until it is cancelled or fails
// (io_uring_prep_poll_multishot). Needs Linux 5.13.
func (s *SQE) PrepPollMultishot(fd int, mask uint32) {
	s.PrepPollAdd(fd, mask)
	s.Len = uint32(PollAddMulti)
}

// PrepPollRemove removes the poll request that userData names
// (io_uring_prep_poll_remove). The result is 0, ENOENT if there is none, EALREADY if it
// is completing. The poll request itself completes with ECANCELED. Needs Linux 5.1.
func (s *SQE) PrepPollRemove(userData uint64) {
	s.PrepRW(OpPollRemove, -1, userData, 0, 0)
}

// PrepPollUpdate changes the events of the poll request that userData names to those of
// mask (io_uring_prep_poll_update). flags must have PollUpdateEvents; adding
// PollAddMulti makes it complete again and again. The result is 0, ENOENT if there is
// none, EALREADY if it is completing. Needs Linux 5.13.
//
// With PollUpdateUserData the request gets newUserData. Without either of the
// two flags it is PrepPollRemove.
func (s *SQE) PrepPollUpdate(userData, newUserData uint64, mask uint32, flags PollFlags) {
	s.PrepRW(OpPollRemove, -1, userData, uint32(flags), newUserData)
	s.OpFlags = pollMask(mask)
}

// PrepCancel64 cancels the request that userData names, or with AsyncCancelAny
// whichever is in flight, and with AsyncCancelAll all of them (io_uring_prep_cancel64);
// the flags came with Linux 5.19. The result is 0 if it was found and cancelled, ENOENT
// if not found, EALREADY if it is too late to stop it; with AsyncCancelAll the number
// of those cancelled. The cancelled request completes too, as a rule with ECANCELED, or
// with EINTR if a worker thread was blocked in it. Drivers' commands can't be cancelled
// as a rule (ENOENT). Needs Linux 5.5.
//
// With AsyncCancelOp set SQE.Len to the operation.
//
//loop:doc CancelFD cancels what is in flight on a descriptor, CancelOp the requests of an
//loop:doc operation.
func (s *SQE) PrepCancel64(userData uint64, flags CancelFlags) {
	s.PrepRW(OpAsyncCancel, -1, userData, 0, 0)
	s.OpFlags = uint32(flags)
}

// PrepCancelFD cancels a request that is in flight on a descriptor, with
// AsyncCancelAll every one (io_uring_prep_cancel_fd). Results are those of
// PrepCancel64. With AsyncCancelFDFixed fd is a place of the registered files.
// Needs Linux 5.19.
//
// With AsyncCancelOp set SQE.Len to the operation, with AsyncCancelUserdata set
// SQE.Addr to the user data that has to match as well.
func (s *SQE) PrepCancelFD(fd int, flags CancelFlags) {
	s.PrepRW(OpAsyncCancel, fd, 0, 0, 0)
	s.OpFlags = uint32(flags | AsyncCancelFD)
}

// Timespec is struct __kernel_timespec: a point in time, or a length of time.
type Timespec struct {
	Sec  int64
	Nsec int64
}

// NoTimeout is a timeout that never ends.
var NoTimeout = Timespec{Sec: -1, Nsec: -1}

// NewTimespec returns d as a Timespec.
func NewTimespec(d time.Duration) Timespec {
	return Timespec{Sec: int64(d / time.Second), Nsec: int64(d % time.Second)}
}

// without returns what is left of a timeout when some of it has passed.
func (ts Timespec) without(passed time.Duration) Timespec {
	if ts == NoTimeout {
		return ts
	}
	left := Timespec{Sec: ts.Sec - int64(passed/time.Second), Nsec: ts.Nsec - int64(passed%time.Second)}
	if left.Nsec < 0 {
		left.Sec--
		left.Nsec += int64(time.Second)
	}
	if left.Sec < 0 {
		return Timespec{}
	}
	return left
}

// duration returns a length of time, as long as a Duration can be.
func (ts Timespec) duration() time.Duration {
	return time.Duration(min(max(ts.Sec, 0), math.MaxInt64/int64(time.Second)-1))*time.Second + time.Duration(ts.Nsec)
}

// Waiting for processes, futexes and epoll.

// PrepWaitid waits for a child to change state, as waitid(2) does, and stores what
// happened in info, which may be nil (io_uring_prep_waitid). The result is 0. ECHILD if
// there is no such child. flags must be 0. Needs Linux 6.7.
//
// info needs to live until the completion.
func (s *SQE) PrepWaitid(idType, id int, info *Siginfo, options int, flags uint32) {
	s.PrepRW(OpWaitid, id, 0, uint32(idType), 0)
	s.OpFlags = flags
	s.FileIndex = uint32(options)
	s.Off = addr(info)
}

// PrepFutexWake wakes at most val waiters of a futex whose masks have a bit in
// common with mask; the result is their number (io_uring_prep_futex_wake).
// futexFlags are the futex's size, Futex2SizeU32, and Futex2Private if it is
// the process's own; flags must be 0. Needs Linux 6.7.
//
// With Futex2NUMA the futex is two words, of which futex is the first.
func (s *SQE) PrepFutexWake(futex *uint32, val, mask uint64, futexFlags Futex2Flags, flags uint32) {
	s.PrepRW(OpFutexWake, int(int32(futexFlags)), addr(futex), 0, val)
	s.OpFlags = flags
	s.Addr3 = mask
}

// PrepFutexWait waits until a futex is woken with a mask that has a bit in
// common with mask (io_uring_prep_futex_wait). EAGAIN if its value is not val.
// futexFlags are the futex's size, Futex2SizeU32, and Futex2Private if it is
// the process's own; flags must be 0. Needs Linux 6.7.
//
// The futex needs to live until the completion. With Futex2NUMA it is two
// words, of which futex is the first.
func (s *SQE) PrepFutexWait(futex *uint32, val, mask uint64, futexFlags Futex2Flags, flags uint32) {
	s.PrepRW(OpFutexWait, int(int32(futexFlags)), addr(futex), 0, val)
	s.OpFlags = flags
	s.Addr3 = mask
}

// PrepFutexWaitv waits until one of several futexes, at most 128, is woken; the
// result is its place in the list (io_uring_prep_futex_waitv). EAGAIN if the
// value of one is not what the list says. flags must be 0. Needs Linux 6.7.
//
// The list needs to live until the request is submitted, the futexes until the
// completion.
func (s *SQE) PrepFutexWaitv(futexes []FutexWaitv, flags uint32) {
	s.PrepRW(OpFutexWaitv, 0, data(futexes), rwLen(futexes), 0)
	s.OpFlags = flags
}

// PrepEpollCtl adds, changes or removes what an epoll instance watches, as
// epoll_ctl(2) does (io_uring_prep_epoll_ctl). Neither of the two descriptors
// can be a registered file. Regular files can't be watched (EPERM). Needs Linux
// 5.6.
//
// event needs to live until the request is submitted.
func (s *SQE) PrepEpollCtl(epfd, fd, op int, event *EpollEvent) {
	s.PrepRW(OpEpollCtl, epfd, addr(event), uint32(op), uint64(uint32(fd)))
}

// PrepEpollWait waits until an epoll instance has events and stores them in events; the
// result is how many (io_uring_prep_epoll_wait). flags must be 0. Needs Linux 6.15.
func (s *SQE) PrepEpollWait(epfd int, events []EpollEvent, flags uint32) {
	s.PrepRW(OpEpollWait, epfd, data(events), rwLen(events), 0)
	s.OpFlags = flags
}
