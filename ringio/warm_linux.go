//go:build linux

package ringio

import (
	"errors"
	"io"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// A TCP connection that is read again and again before there is anything to read gets a
// stream. One whose reads are large does not need one: each brings a lot. One that is
// used by its descriptor too must not have one, because bytes that came in advance are
// missing there.

const (
	warmReads  = 2       // in a row, until there is a stream: most connections are read once or very often
	shortReads = 1 << 10 // what such a read brings at most
	fullReads  = 4       // buffers that came full in a row, until there is none
)

// recvStream reads from the socket's stream. It is not done if the caller has to ask
// the kernel.
func (s *socket) recvStream(r *stream, p []byte) (n int, done bool, err error) {
	for {
		n, is, err := r.read(p)
		switch is {
		case hasRead:
			if s.exact.Load() || r.full.Load() >= fullReads && len(p) > sharedSize {
				s.cool(r)
			} else if s.engine.few.are() {
				s.bePolled()
			}
			if n == 0 && err == nil {
				err = io.EOF
			}
			return n, true, err
		case lookUp:
			if err := s.ready(&s.in); err != nil {
				return 0, true, err
			}
		default:
			if s.exact.Load() {
				s.cool(r)
			}
			s.dry = false // as a rule there is something, if only the end
			return 0, false, nil
		}
	}
}

// warm notes a read that had to wait and brought n bytes, or a wait for some.
func (s *socket) warm(n int) {
	if s.kind != unix.SOCK_STREAM {
		return
	}
	if n > shortReads {
		s.warmth = 0
		return
	}
	if s.warmth++; s.warmth < warmReads || s.stream.Load() != nil || s.polled != nil {
		return
	}
	if s.engine.few.are() && s.bePolled() || s.family == unix.AF_UNIX || s.exact.Load() {
		return
	}
	r := newStream(s.engine, s.fd)
	if r == nil {
		s.exact.Store(true)
		return
	}
	s.in.deadline.attach(r)
	r.near.to(s)
	s.stream.Store(r)
	if s.exact.Load() { // File has come meanwhile
		s.cool(r)
	}
}

// cool ends the stream. What has come in advance is read first.
func (s *socket) cool(r *stream) {
	s.left = r.retire()
	s.leaves.Store(len(s.unread()) > 0)
	s.in.deadline.detach()
	s.stream.Store(nil)
	s.warmth = 0
}

// unread returns the bytes that a stream has left.
func (s *socket) unread() []byte {
	if s.left == nil {
		return nil
	}
	return s.left.bytes
}

// leftover is what a stream has left: bytes, and how it has ended, as in
// stream.end.
type leftover struct {
	bytes []byte
	end   int32
}

// any reports whether there is something for a read.
func (l *leftover) any() bool { return l != nil && (len(l.bytes) > 0 || l.end != 0) }

// readLeft is a read of what is left.
func (s *socket) readLeft(p []byte) (n int, err error) {
	if l := s.left; len(l.bytes) > 0 {
		n = copy(p, l.bytes)
		l.bytes = l.bytes[n:]
		s.leaves.Store(len(l.bytes) > 0)
	} else {
		err = unix.Errno(-l.end) // and then the kernel tells the end
		l.end = 0
	}
	if !s.left.any() {
		s.left = nil
	}
	return n, err
}

// bare has the socket receive nothing in advance from now on, for one who uses its
// descriptor.
func (s *socket) bare() {
	s.exact.Store(true)
	if r := s.stream.Load(); r != nil {
		s.cool(r)
	}
}

// errAhead is why a connection with bytes that were received in advance gives no File.
var errAhead = errors.New("bytes were received in advance, which another descriptor would not get: read them first, or call SyscallConn's Read or Write before the connection is busy")

// bareFile is bare for File. A reader who waits goes on by a request that takes no more than
// it has memory for.
func (s *socket) bareFile() error {
	s.exact.Store(true)
	if !s.in.mu.TryLock() {
		r := s.stream.Load()
		if r != nil && r.bar() || s.leaves.Load() {
			return errAhead
		}
		return nil
	}
	defer s.in.mu.Unlock()
	s.bare()
	if len(s.unread()) > 0 {
		return errAhead
	}
	return nil
}

// lend calls f with a descriptor that has what is left, in place of the socket's, whose
// bytes they are: so a look at whether there is something unread sees it.
func (s *socket) lend(f func(fd uintptr) bool) (done bool, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return false, os.NewSyscallError("socketpair", err)
	}
	defer unix.Close(fds[0])
	defer unix.Close(fds[1])
	n, err := unix.Write(fds[1], s.left.bytes)
	if err != nil {
		return false, os.NewSyscallError("write", err)
	}
	done = f(uintptr(fds[0]))
	rest := make([]byte, n)
	unread, _ := unix.Read(fds[0], rest)
	s.left.bytes = append(rest[:max(unread, 0)], s.left.bytes[n:]...)
	s.leaves.Store(len(s.left.bytes) > 0)
	return done, nil
}

// mostLent is how much is lent at once: as much as the stand-in has room for.
const mostLent = 128 << 10

// addLeft adds all that the socket has to what is left, as far as it can be lent.
func (s *socket) addLeft() {
	buf := make([]byte, sharedSize)
	for len(s.left.bytes) < mostLent {
		n, err := receiveNow(s.fd, buf, false)
		if errno, failed := err.(syscall.Errno); failed && errno != unix.EAGAIN {
			s.left.end = -int32(errno) // which the kernel tells once
		}
		if n == 0 || err != nil {
			return
		}
		s.left.bytes = append(s.left.bytes, buf[:n]...)
	}
}

// closeWrite sends the end behind what has been written, whatever the deadline is now: that
// has been told to be written. As at Close it is on its way then, as far as the peer reads: the
// process may end. Who writes meanwhile sees to that itself.
func (s *socket) closeWrite() error {
	if err := s.use(); err != nil {
		return err
	}
	defer s.done()
	if b := s.box.Load(); b != nil {
		behind, err := b.endBehind()
		if behind && s.out.mu.TryLock() {
			b.flushes(boxPatience)
			s.out.mu.Unlock()
		}
		if behind || err != nil {
			return err
		}
	}
	return s.shutdown(unix.SHUT_WR)
}
