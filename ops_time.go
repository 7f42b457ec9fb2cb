package liburing

// Timeouts, polling and cancelling.

// PrepTimeoutRemove takes the timeout with the given user data back
// (io_uring_prep_timeout_remove). The result is 0, ENOENT if there is none,
// EBUSY if it is firing; the timeout completes with ECANCELED. Least kernel: 5.5.
func (s *SQE) PrepTimeoutRemove(userData uint64, flags TimeoutFlags) {
	s.PrepRW(OpTimeoutRemove, -1, userData, 0, 0)
	s.OpFlags = uint32(flags)
}

// PrepTimeoutUpdate sets the timeout with the given user data to another time;
// with LinkTimeoutUpdate that of a linked one (io_uring_prep_timeout_update). ts
// needs to live until the request is submitted. Least kernel: 5.11.
func (s *SQE) PrepTimeoutUpdate(ts *Timespec, userData uint64, flags TimeoutFlags) {
	s.PrepRW(OpTimeoutRemove, -1, userData, 0, addr(ts))
	s.OpFlags = uint32(flags | TimeoutUpdate)
}

// PrepLinkTimeout cancels the request that is linked to it, the one before, if
// that has not completed when the time is over
// (io_uring_prep_link_timeout). Then the timeout's result is ETIME, otherwise
// ECANCELED. ts needs to live until the request is submitted. Least kernel: 5.5.
func (s *SQE) PrepLinkTimeout(ts *Timespec, flags TimeoutFlags) {
	s.PrepRW(OpLinkTimeout, -1, addr(ts), 1, 0)
	s.OpFlags = uint32(flags)
}

// PrepPollMultishot completes each time a descriptor becomes ready, with
// CQEFMore, until it is cancelled (io_uring_prep_poll_multishot). Least kernel:
// 5.13.
func (s *SQE) PrepPollMultishot(fd int, mask uint32) {
	s.PrepPollAdd(fd, mask)
	s.Len = uint32(PollAddMulti)
}

// PrepPollRemove takes the poll request with the given user data back
// (io_uring_prep_poll_remove). The result is 0, or ENOENT if there is none.
// Least kernel: 5.1.
func (s *SQE) PrepPollRemove(userData uint64) {
	s.PrepRW(OpPollRemove, -1, userData, 0, 0)
}

// PrepPollUpdate changes the poll request with the given user data: its
// events with PollUpdateEvents (io_uring_prep_poll_update), its user data with
// PollUpdateUserData. ENOENT if there is none. Least kernel: 5.13.
func (s *SQE) PrepPollUpdate(userData, newUserData uint64, mask uint32, flags PollFlags) {
	s.PrepRW(OpPollRemove, -1, userData, uint32(flags), newUserData)
	s.OpFlags = pollMask(mask)
}
