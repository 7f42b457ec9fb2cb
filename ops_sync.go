package liburing

// Waiting for processes, futexes and epoll.

// PrepWaitid waits for a child to change its state, as waitid(2) does, and
// stores what happened in info, which may be nil (io_uring_prep_waitid). The
// result is 0. ECHILD if there is no such child. flags must be 0. Needs Linux
// 6.7.
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

// PrepEpollWait waits until an epoll instance has something to tell and stores
// it in events; the result is how many (io_uring_prep_epoll_wait). flags must
// be 0. Needs Linux 6.15.
func (s *SQE) PrepEpollWait(epfd int, events []EpollEvent, flags uint32) {
	s.PrepRW(OpEpollWait, epfd, data(events), rwLen(events), 0)
	s.OpFlags = flags
}
