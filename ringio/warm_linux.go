//go:build linux

package ringio

import "golang.org/x/sys/unix"

// A TCP connection whose reads have to wait again and again gets a readPoll.

// warmReads is from how many on: most connections are read once or very often.
const warmReads = 2

// warm notes a read that had to wait.
func (s *socket) warm() {
	if s.kind != unix.SOCK_STREAM {
		return
	}
	if s.warmth++; s.warmth < warmReads || s.readPoll.Load() != nil || s.polled != nil {
		return
	}
	if s.engine.few.are() && s.bePolled() || s.family == unix.AF_UNIX || !s.engine.polls {
		return
	}
	r := newReadPoll(s.engine, s.fd)
	s.in.deadline.attach(r)
	r.near.to(s)
	s.readPoll.Store(r)
	r.noteLeast() // behind that: Control may have come meanwhile
}

// leaveReadPoll ends it. Whoever calls has the half.
func (s *socket) leaveReadPoll() {
	r := s.readPoll.Load()
	if r == nil {
		return
	}
	r.end()
	s.in.deadline.detach()
	s.readPoll.Store(nil)
	s.warmth = 0
}

// recvTold is recvOnce of a socket that has a readPoll. It is not done if the caller has to ask
// the kernel.
func (s *socket) recvTold(r *readPoll, p []byte) (n int, done bool, err error) {
	r.leaveShut()
	for {
		switch r.wait(p) {
		case hasNews:
			n, err := s.receiveThere(p)
			if err == unix.EAGAIN { // the news is older than the last read
				continue
			}
			s.dry = drained(n, p)
			if s.engine.few.are() {
				s.bePolled()
			}
			return n, true, err
		case lookUp:
			if err := s.ready(&s.in); err != nil {
				s.dry = false // who waits so briefly is not looked after
				return 0, true, err
			}
		default:
			return 0, false, nil
		}
	}
}

// drained reports whether a read of n bytes to p has found all there is.
func drained(n int, p []byte) bool {
	return 0 < n && n < len(p)
}

// receiveThere receives what is there. Where something may be behind an urgent byte the kernel
// is asked again, see recheck: by then the thread has done what there was for it to do.
func (s *socket) receiveThere(p []byte) (int, error) {
	n, err := receiveNow(s.fd, p, false)
	if r := s.readPoll.Load(); err == unix.EAGAIN && r != nil && r.unsure.Load() {
		return receiveNow(s.fd, p, false)
	}
	return n, err
}

// awaitTold waits until a socket that has a readPoll has something to read. It is not done if
// the caller has to ask the kernel.
func (s *socket) awaitTold(r *readPoll) (done bool, err error) {
	r.leaveShut()
	for {
		switch r.wait(nil) {
		case hasNews:
			if readableNow(s.fd) {
				s.dry = false
				return true, nil
			}
		case lookUp:
			if err := s.ready(&s.in); err != nil {
				s.dry = false // as in recvTold
				return true, err
			}
		default:
			return false, nil
		}
	}
}
