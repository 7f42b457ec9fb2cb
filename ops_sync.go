package liburing

// Waiting for processes, futexes and epoll.

// PrepWaitid waits for a child to change its state, as waitid(2) does, and
// stores what happened in info, which may be nil (io_uring_prep_waitid). info
// needs to live until the completion. Least kernel: 6.7.
func (s *SQE) PrepWaitid(idType, id int, info *Siginfo, options int, flags uint32) {
	s.PrepRW(OpWaitid, id, 0, uint32(idType), 0)
	s.OpFlags = flags
	s.FileIndex = uint32(options)
	s.Off = addr(info)
}

// PrepFutexWake wakes at most val waiters of a futex whose masks have a bit in
// common with mask; the result is their number (io_uring_prep_futex_wake). Least
// kernel: 6.7.
func (s *SQE) PrepFutexWake(futex *uint32, val, mask uint64, futexFlags Futex2Flags, flags uint32) {
	s.PrepRW(OpFutexWake, int(int32(futexFlags)), addr(futex), 0, val)
	s.OpFlags = flags
	s.Addr3 = mask
}

// PrepFutexWait waits until a futex is woken, EAGAIN if its value is not val
// (io_uring_prep_futex_wait). The futex needs to live until the completion.
// Least kernel: 6.7.
func (s *SQE) PrepFutexWait(futex *uint32, val, mask uint64, futexFlags Futex2Flags, flags uint32) {
	s.PrepRW(OpFutexWait, int(int32(futexFlags)), addr(futex), 0, val)
	s.OpFlags = flags
	s.Addr3 = mask
}

// PrepFutexWaitv waits until one of several futexes is woken; the result is its
// place in the list (io_uring_prep_futex_waitv). The list needs to live until
// the request is submitted, the futexes until the completion. Least kernel: 6.7.
func (s *SQE) PrepFutexWaitv(futexes []FutexWaitv, flags uint32) {
	s.PrepRW(OpFutexWaitv, 0, data(futexes), rwLen(futexes), 0)
	s.OpFlags = flags
}

// PrepEpollCtl adds, changes or removes what an epoll instance watches, as
// epoll_ctl(2) does (io_uring_prep_epoll_ctl). event needs to live until the
// request is submitted. Least kernel: 5.6.
func (s *SQE) PrepEpollCtl(epfd, fd, op int, event *EpollEvent) {
	s.PrepRW(OpEpollCtl, epfd, addr(event), uint32(op), uint64(uint32(fd)))
}

// PrepEpollWait stores what an epoll instance has to tell in events; the result
// is their number (io_uring_prep_epoll_wait). flags must be 0. Least kernel: 6.15.
func (s *SQE) PrepEpollWait(epfd int, events []EpollEvent, flags uint32) {
	s.PrepRW(OpEpollWait, epfd, data(events), rwLen(events), 0)
	s.OpFlags = flags
}
