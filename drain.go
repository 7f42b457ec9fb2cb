package liburing

// A request with SQEIODrain begins when all before it have completed, and what
// comes behind it waits for it. The loop's own requests are no exception, so from
// the first such request on it does without: it waits for posts outside of the
// ring, and cancels by a register call.
//
// It stays so. Since Linux 6.16 the kernel lets go what it has held back, but holds
// what comes after that until all of it has completed, and so on until a request
// comes when the kernel has nothing else in hand. A loop can't know when that was:
// completions are told before the kernel is done with their requests.

// drain notes that a request drains the ring. The read of the waker would be one
// of those it waits for, so it is ended.
func (l *Loop) drain() {
	l.drains = true
	if l.armed {
		l.mail.wake.signal()
	}
}
