package uringtest

import (
	"slices"
	"time"

	"github.com/go-liburing/liburing"
	"golang.org/x/sys/unix"
)

// A request: how it begins, waits, is cancelled and ends.

type request struct {
	ring *ring
	sqe  liburing.SQE
	fd   int32    // the file, a registered one's descriptor too
	held int32    // a descriptor of its own, of one that waits; -1: none
	next *request // of its chain

	ended      bool
	cancelled  bool
	delay      int       // how many times it is left for later
	when       time.Time // a timeout's
	count      uint64    // with how many completions it ends, a timeout's
	of         *request  // whose timeout it is (LinkTimeout)
	limit      *request  // its timeout
	done       int       // bytes so far, of one that is to have all
	connecting bool
	epoll      int // of a multishot poll, which is told of changes
	tried      bool
	told       bool // its completion was told
	notifies   bool // it tells of memory that is free
}

func (q *request) drains() bool { return q.sqe.Flags&liburing.SQEIODrain != 0 }

// begin makes a request active, and its link timeout.
func (q *request) begin() {
	r := q.ring
	r.active = append(r.active, q)
	if q.next != nil && q.next.sqe.Opcode == liburing.OpLinkTimeout {
		q.limit = q.next
		q.next, q.limit.next = q.limit.next, nil
		q.limit.of = q
		q.limit.when = time.Now().Add(durationAt(q.limit.sqe.Addr))
		r.active = append(r.active, q.limit)
	}
	if bad := q.resolve(); bad != 0 {
		q.end(-int32(bad), 0)
		return
	}
	if q.sqe.Opcode == liburing.OpLinkTimeout { // of no request
		q.end(-int32(unix.EINVAL), 0)
		return
	}
	q.setTime()
	if q.leaveForLater(); q.delay == 0 && !(q.waits() && r.chance(r.faults.Reorder)) {
		q.run()
	}
	q.hold()
}

// hold keeps the file of a request that waits: the program may close its descriptor.
func (q *request) hold() {
	if q.ended || q.held >= 0 || operations[q.sqe.Opcode].events == 0 && !q.connecting || q.of != nil {
		return
	}
	if fd, err := unix.FcntlInt(uintptr(q.fd), unix.F_DUPFD_CLOEXEC, 0); err == nil {
		q.held, q.fd = int32(fd), int32(fd)
	}
}

// sameFile reports whether a descriptor is still that of the request's file.
func (q *request) sameFile(fd int32) bool {
	var a, b unix.Stat_t
	return unix.Fstat(int(q.fd), &a) == nil && unix.Fstat(int(fd), &b) == nil && a.Dev == b.Dev && a.Ino == b.Ino
}

// waits reports whether the request may have to wait for something, and so can be
// cancelled.
func (q *request) waits() bool {
	switch q.sqe.Opcode {
	case liburing.OpTimeout, liburing.OpConnect, liburing.OpSplice, liburing.OpTee, liburing.OpOpenat:
		return true
	}
	return operations[q.sqe.Opcode].events != 0 || q.notifies || q.of != nil
}

// leaveForLater has the request wait if the kernel is slow.
func (q *request) leaveForLater() {
	for q.waits() && q.delay < 10 && q.ring.chance(q.ring.faults.Late) {
		q.delay++
	}
}

// resolve finds the request's file.
func (q *request) resolve() unix.Errno {
	q.fd = q.sqe.FD
	if q.sqe.Flags&liburing.SQEFixedFile == 0 {
		if q.fd < 0 && int(q.sqe.Opcode) < len(operations) && operations[q.sqe.Opcode].events != 0 {
			return unix.EBADF
		}
		return 0
	}
	if int(q.fd) >= len(q.ring.files) || q.fd < 0 || q.ring.files[q.fd] < 0 {
		return unix.EBADF
	}
	q.fd = q.ring.files[q.fd]
	return 0
}

// valid reports whether the request is one that the kernel knows: it looks before it
// begins any of a chain.
func (q *request) valid() bool {
	const flags = liburing.SQEFixedFile | liburing.SQEIODrain | liburing.SQEIOLink | liburing.SQEIOHardlink |
		liburing.SQEAsync | liburing.SQEBufferSelect | liburing.SQECQESkipSuccess
	s := &q.sqe
	if int(s.Opcode) >= len(operations) || operations[s.Opcode].run == nil || s.Flags&^flags != 0 {
		return false
	}
	selects, transfer := s.Flags&liburing.SQEBufferSelect != 0, liburing.RecvSendFlags(s.IOPrio)
	switch s.Opcode {
	case liburing.OpAccept:
		return liburing.AcceptFlags(s.IOPrio)&^(liburing.AcceptMultishot|liburing.AcceptPollFirst|liburing.AcceptDontwait) == 0
	case liburing.OpRecv:
		plain := transfer&liburing.RecvMultishot == 0
		return transfer&^(liburing.RecvMultishot|liburing.RecvSendPollFirst) == 0 && (plain || selects && s.Len == 0 && s.FileIndex == 0)
	case liburing.OpRecvmsg:
		return transfer&^(liburing.RecvMultishot|liburing.RecvSendPollFirst) == 0 && (selects || transfer&liburing.RecvMultishot == 0)
	case liburing.OpSendmsg:
		return transfer&^liburing.RecvSendPollFirst == 0 && !selects
	case liburing.OpSend, liburing.OpSendZC, liburing.OpSendmsgZC:
		return transfer&^(liburing.RecvSendPollFirst|liburing.RecvSendFixedBuf|liburing.SendZCReportUsage) == 0 && !selects
	case liburing.OpPollAdd:
		return liburing.PollFlags(s.Len)&^liburing.PollAddMulti == 0
	case liburing.OpPollRemove:
		return s.Len == 0 // no updates
	case liburing.OpTimeout:
		const known = liburing.TimeoutAbs | liburing.TimeoutEtimeSuccess | liburing.TimeoutBoottime | liburing.TimeoutRealtime
		return liburing.TimeoutFlags(s.OpFlags)&^known == 0 || liburing.TimeoutFlags(s.OpFlags) == liburing.TimeoutMultishot
	case liburing.OpReadMultishot:
		return selects
	case liburing.OpReadv, liburing.OpWritev:
		return s.OpFlags == 0 && !selects
	}
	return true
}

// setTime says when a timeout is over.
func (q *request) setTime() {
	if q.sqe.Opcode != liburing.OpTimeout {
		return
	}
	q.when = time.Now().Add(durationAt(q.sqe.Addr) - passed(liburing.TimeoutFlags(q.sqe.OpFlags)))
	if q.sqe.Off != 0 && !q.isTicker() {
		q.count = q.ring.posted + q.sqe.Off
	}
}

// isTicker reports whether the request is a timeout that goes on.
func (q *request) isTicker() bool {
	return q.sqe.Opcode == liburing.OpTimeout && liburing.TimeoutFlags(q.sqe.OpFlags)&liburing.TimeoutMultishot != 0
}

// run carries the request out, if it can be.
func (q *request) run() {
	if q.cancelled {
		q.endCancelled()
		return
	}
	if q.of != nil {
		q.runLimit()
		return
	}
	if q.notifies {
		q.end(0, liburing.CQEFNotif)
		return
	}
	if first := !q.tried; first && q.sqe.Flags&liburing.SQEBufferSelect != 0 && q.lacksBuffer() {
		q.end(-int32(unix.ENOBUFS), 0) // whether there is anything to put into one or not
		return
	}
	q.tried = true
	op := &operations[q.sqe.Opcode]
	if op.events != 0 && !q.isReady(op.events) {
		if q.sqe.Opcode == liburing.OpAccept && liburing.AcceptFlags(q.sqe.IOPrio)&liburing.AcceptDontwait != 0 {
			q.end(-int32(unix.EAGAIN), 0)
		}
		return
	}
	op.run(q)
}

// runLimit ends the request whose time is up.
func (q *request) runLimit() {
	if time.Now().Before(q.when) {
		return
	}
	of := q.of
	q.end(-int32(unix.ETIME), 0)
	of.limit = nil
	of.cancel()
}

// waitsFor returns a descriptor and what the request waits for there.
func (q *request) waitsFor() (fd int32, events int16) {
	if q.of != nil || q.ended {
		return -1, 0
	}
	events = operations[q.sqe.Opcode].events
	if events == pollsItself {
		if q.epoll >= 0 {
			return int32(q.epoll), unix.POLLIN
		}
		return q.fd, int16(q.sqe.OpFlags)
	}
	switch {
	case q.connecting:
		return q.fd, unix.POLLOUT
	case q.sqe.Opcode == liburing.OpSplice, q.sqe.Opcode == liburing.OpTee:
		return q.spliceFrom(), unix.POLLIN
	}
	return q.fd, events
}

// isReady reports whether the file is ready, or has an error to tell.
func (q *request) isReady(events int16) bool {
	if events == pollsItself {
		return true
	}
	return pollNow(q.fd, events) != 0
}

func pollNow(fd int32, events int16) int16 {
	fds := []unix.PollFd{{Fd: fd, Events: events}}
	for {
		if _, err := unix.Poll(fds, 0); err != unix.EINTR {
			return fds[0].Revents
		}
	}
}

// more tells a completion of a request that goes on, or ends it if chance has it so.
func (q *request) more(res int32, flags liburing.CQEFlags) {
	if q.ring.chance(q.ring.faults.EndMultishot) {
		q.end(res, flags)
		return
	}
	q.ring.post(q.sqe.Opcode, liburing.CQE{UserData: q.sqe.UserData, Res: res, Flags: flags | liburing.CQEFMore})
	q.leaveForLater()
}

// end tells the last completion, and has the chain go on.
func (q *request) end(res int32, flags liburing.CQEFlags) {
	r := q.ring
	q.ended = true
	r.active = slices.DeleteFunc(r.active, func(other *request) bool { return other == q })
	q.forget()
	failed := q.fails(res)
	if !q.told && (failed || q.sqe.Flags&liburing.SQECQESkipSuccess == 0) {
		r.post(q.sqe.Opcode, liburing.CQE{UserData: q.sqe.UserData, Res: res, Flags: flags})
	}
	if q.limit != nil && !q.limit.ended {
		q.limit.of = nil
		q.limit.end(-int32(unix.ECANCELED), 0)
	}
	if q.of != nil {
		q.of.limit = nil
	}
	next := q.next
	switch {
	case next == nil:
	case failed && q.sqe.Flags&liburing.SQEIOHardlink == 0:
		silent := q.sqe.Flags&liburing.SQECQESkipSuccess != 0
		for ; next != nil; next = next.next {
			next.ended = true
			if !silent {
				r.post(next.sqe.Opcode, liburing.CQE{UserData: next.sqe.UserData, Res: -int32(unix.ECANCELED)})
			}
		}
	default:
		next.begin()
	}
}

// fails reports whether a result breaks the chain.
func (q *request) fails(res int32) bool {
	switch q.sqe.Opcode {
	case liburing.OpRead, liburing.OpWrite, liburing.OpReadFixed, liburing.OpWriteFixed:
		return res < 0 || uint32(res) != q.sqe.Len
	case liburing.OpSend, liburing.OpRecv:
		return res < 0 || q.sqe.OpFlags&unix.MSG_WAITALL != 0 && uint32(res) != q.sqe.Len
	case liburing.OpTimeout:
		const success = liburing.TimeoutEtimeSuccess
		return res < 0 && (res != -int32(unix.ETIME) || liburing.TimeoutFlags(q.sqe.OpFlags)&success == 0)
	}
	return res < 0
}

// forget closes what the request has opened for itself.
func (q *request) forget() {
	if q.epoll >= 0 {
		unix.Close(q.epoll)
		q.epoll = -1
	}
	if q.held >= 0 {
		unix.Close(int(q.held))
		q.held = -1
	}
}

// cancel ends the request with ECANCELED, now or later.
func (q *request) cancel() {
	q.cancelled = true
	if q.leaveForLater(); q.delay == 0 {
		q.endCancelled()
	}
}

// endCancelled ends a request that was cancelled: one that has a part of its bytes tells
// of them.
func (q *request) endCancelled() {
	if q.done > 0 {
		q.end(int32(q.done), 0)
		return
	}
	q.end(-int32(unix.ECANCELED), 0)
}

// cancelMatching cancels requests that are in flight, one or all, and returns what the
// cancel's result is.
func (r *ring) cancelMatching(flags liburing.CancelFlags, userData uint64, fd int32, op liburing.Op, self *request) int32 {
	all := flags&(liburing.AsyncCancelAll|liburing.AsyncCancelAny) != 0
	n := int32(0)
	for _, q := range slices.Clone(r.active) { // what waits behind a drain is not found
		if q == self || q.ended || q.cancelled || q.notifies || !q.matches(flags, userData, fd, op, self) {
			continue
		}
		n++
		if !all && r.chance(r.faults.Late) && q.isAboutToEnd() {
			return -int32(unix.EALREADY)
		} else {
			q.cancel()
		}
		if !all {
			return 0
		}
	}
	if n == 0 && !all {
		return -int32(unix.ENOENT)
	}
	return n
}

// isAboutToEnd reports whether the request is one that will end without being cancelled.
func (q *request) isAboutToEnd() bool {
	switch q.sqe.Opcode {
	case liburing.OpRead, liburing.OpWrite, liburing.OpReadv, liburing.OpWritev:
		return q.isReady(operations[q.sqe.Opcode].events)
	}
	return false
}

func (q *request) matches(flags liburing.CancelFlags, userData uint64, fd int32, op liburing.Op, self *request) bool {
	if flags&liburing.AsyncCancelAny != 0 {
		return true
	}
	byOther := flags&(liburing.AsyncCancelFD|liburing.AsyncCancelOp) != 0
	if (!byOther || flags&liburing.AsyncCancelUserdata != 0) && q.sqe.UserData != userData {
		return false
	}
	if flags&liburing.AsyncCancelFD != 0 {
		fixed := flags&liburing.AsyncCancelFDFixed != 0 || self != nil && self.sqe.Flags&liburing.SQEFixedFile != 0
		if fixed != (q.sqe.Flags&liburing.SQEFixedFile != 0) || q.sqe.FD != fd || operations[q.sqe.Opcode].events == 0 || !fixed && !q.sameFile(fd) {
			return false
		}
	}
	return flags&liburing.AsyncCancelOp == 0 || q.sqe.Opcode == op
}

// durationAt reads a struct __kernel_timespec.
func durationAt(at uint64) time.Duration {
	if at == 0 {
		return 0
	}
	ts := (*liburing.Timespec)(pointer(at))
	return time.Duration(ts.Sec)*time.Second + time.Duration(ts.Nsec)
}

// passed returns what the clock of an absolute timeout says.
func passed(flags liburing.TimeoutFlags) time.Duration {
	if flags&liburing.TimeoutAbs == 0 {
		return 0
	}
	clock := int32(unix.CLOCK_MONOTONIC)
	switch {
	case flags&liburing.TimeoutRealtime != 0:
		clock = unix.CLOCK_REALTIME
	case flags&liburing.TimeoutBoottime != 0:
		clock = unix.CLOCK_BOOTTIME
	}
	var ts unix.Timespec
	unix.ClockGettime(clock, &ts)
	return time.Duration(ts.Nano())
}
