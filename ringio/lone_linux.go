//go:build linux

package ringio

import (
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A connection that is the only busy one for long gets nothing from a ring: there is
// nothing to do together with. It waits in the runtime's poller as one of net's does, by
// another descriptor of its socket, which spares it the pump. When others have something
// to do, too, it comes back.

const (
	loneReads = 64 // by one stream and nobody else, until it is the lone one
	loneLooks = 32 // reads between two looks at what others do
	loneParks = 8  // so often the pump has gone to sleep meanwhile, then they do a lot
)

// lone is how the socket that is alone waits.
type lone struct {
	file *os.File // the socket's other descriptor
	raw  syscall.RawConn
	look func(fd uintptr) bool // try, made once

	reads int
	parks uint64 // the pump's at the last look
	waits atomic.Bool

	p   []byte // what try reads to, and what has come of it
	n   int
	err error
}

// newLone returns how to wait for a socket, nil if it can't be.
func newLone(e *engine, fd int) *lone {
	dup, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	l := &lone{file: os.NewFile(uintptr(dup), "socket"), parks: e.parks.Load()}
	l.raw, err = l.file.SyscallConn()
	if err != nil || l.file.SetReadDeadline(time.Time{}) != nil { // the poller does not know it
		l.file.Close()
		return nil
	}
	l.look = l.try
	e.lones.add(l)
	return l
}

// lones knows an engine's connection that is alone.
type lones struct {
	mu   sync.Mutex
	last *lone
}

// add has l be the one that is alone from now on.
func (s *lones) add(l *lone) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.close()
	s.last = l
}

// remove has l not be it any more, and closes its descriptor.
func (s *lones) remove(l *lone) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last == l {
		s.last = nil
	}
	l.file.Close() // if it is not
}

// end has none be alone.
func (s *lones) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.close()
	s.last = nil
}

// endUnread is end where nobody waits.
func (s *lones) endUnread() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last != nil && !s.last.waits.Load() {
		s.close()
		s.last = nil
	}
}

// close closes the descriptor, also if nobody is going to read for long: then who waits
// looks up.
func (s *lones) close() {
	if s.last != nil {
		s.last.file.Close()
	}
}

// none reports whether none is alone.
func (s *lones) none() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last == nil
}

// expire has the reader look up, now or when it is about to wait.
func (l *lone) expire() { l.file.SetReadDeadline(longAgo) }

// try reads what is there, and reports whether there was something.
func (l *lone) try(fd uintptr) bool {
	l.n, l.err = transferNow(unix.SYS_RECVFROM, int(fd), l.p, unix.MSG_DONTWAIT)
	if l.err != unix.EAGAIN {
		return true
	}
	l.waits.Store(true)
	return false
}

// company reports whether others have something to do.
func (l *lone) company(e *engine) bool {
	if l.reads++; l.reads < loneLooks {
		return false
	}
	parks := e.parks.Load()
	many := parks-l.parks > loneParks
	l.reads, l.parks = 0, parks
	return many
}

// beLone has the socket wait alone in place of its stream.
func (s *socket) beLone(r *stream) {
	l := newLone(s.engine, s.fd)
	if l == nil {
		r.alone.Store(false)
		return
	}
	s.cool(r)
	s.lone = l
	s.in.deadline.attach(l)
}

// leaveLone has the socket wait by the ring again.
func (s *socket) leaveLone() {
	if s.lone == nil {
		return
	}
	s.in.deadline.detach()
	s.engine.lones.remove(s.lone)
	s.lone = nil
	s.warmth = 0
}

// recvLone is recvOnce of the socket that is alone. It is not done if that is over.
func (s *socket) recvLone(p []byte) (n int, done bool, err error) {
	l := s.lone
	for !l.company(s.engine) {
		l.p = p
		failed := l.raw.Read(l.look)
		l.p = nil
		if l.waits.Load() {
			l.waits.Store(false)
		}
		if failed == nil {
			return l.n, true, l.err
		}
		// The deadline or Close; or the descriptor is closed, because another one is
		// alone. Who has put the deadline off meanwhile waits on.
		if !os.IsTimeout(failed) || l.file.SetReadDeadline(time.Time{}) != nil {
			break
		}
		if why := s.ready(&s.in); why != nil {
			return 0, true, why
		}
	}
	s.leaveLone()
	return 0, false, nil
}

// sawWake counts how often in a row the ring has woken one reader and nobody else, and
// tells it when that is often. Of others it is told nil. The ring is locked.
func (e *engine) sawWake(r *stream) {
	if only := where(r); e.only != only {
		e.only, e.onlyTimes = only, 0
	}
	if e.onlyTimes++; e.onlyTimes == loneReads && r != nil {
		r.alone.Store(true)
	}
}
