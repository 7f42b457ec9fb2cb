//go:build linux

package ringio

import (
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// polled is how a connection waits in the runtime's poller, as one of net's does, while few
// have something to say (few_linux.go): by another descriptor of its socket, which spares
// it the pump.
type polled struct {
	engine  *engine
	file    *os.File // the socket's other descriptor
	raw     syscall.RawConn
	tryFunc func(fd uintptr) bool // try, made once

	reads  int       // since its last look
	waited int       // of these had to wait
	looked time.Time // when that was
	looks  uint64    // and how many there were of all by then
	window uint64    // the window of few's that it was in, + 1
	wrote  uint32    // and how many writes of the socket's, ever
	brisk  bool      // see look
	talks  bool      // see few.look
	waits  atomic.Bool
	used   atomic.Bool // see few.sweep

	p   []byte // what try reads to, nothing for who only waits, and what has come of it
	n   int
	err error
}

// newPolled returns how to wait for a socket, nil if it can't be.
func newPolled(e *engine, fd int) *polled {
	if e.few.full() {
		return nil
	}
	dup, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	l := &polled{engine: e, file: os.NewFile(uintptr(dup), "socket")}
	l.raw, err = l.file.SyscallConn()
	pollable := err == nil && l.file.SetReadDeadline(time.Time{}) == nil // no blocking one is
	if !pollable || !e.few.add(l) {
		l.file.Close()
		return nil
	}
	l.tryFunc = l.try
	return l
}

// expire has the reader look up, now or when it is about to wait.
func (l *polled) expire() { l.file.SetReadDeadline(longAgo) }

// try reads what is there, and reports whether there was something.
func (l *polled) try(fd uintptr) bool {
	if len(l.p) == 0 {
		l.n, l.err = 0, nil
		if readableNow(int(fd)) {
			return true
		}
	} else if l.receive(int(fd)); l.err != unix.EAGAIN {
		return true
	}
	l.waited++
	l.waits.Store(true)
	return false
}

// receive reads what is there. Where a request may have left the thread something to do the kernel
// is asked again, see recheck: in the poller nobody is looked after.
func (l *polled) receive(fd int) {
	requests := l.engine.present.Load() != 0 // before: it is done with at the first call's end
	l.n, l.err = receiveNow(fd, l.p, l.brisk)
	if l.err == unix.EAGAIN && requests {
		l.n, l.err = receiveNow(fd, l.p, l.brisk)
	}
}

// What a round trip takes at most of a connection whose peer waits for each answer.
const briskRound = 100 * time.Microsecond

// look counts a read, and from time to time looks at what it and others do.
//
// A single connection whose peer waits for each answer leaves both processors idle for
// a few microseconds at a time, and they take as long again to wake. Its reads are calls that
// the scheduler knows of then: these have its monitor look every 20 µs, and a processor that
// somebody uses so often wakes quicker. With many connections, or pauses, that only costs.
func (l *polled) look(s *socket) {
	if l.reads++; l.reads < fewReads {
		return
	}
	now, wrote := time.Now(), s.writes.Load()
	looks := s.engine.few.look(l, now, wrote-l.wrote > talkative*fewReads)
	l.brisk = looks-l.looks <= 2 && l.waited >= fewReads/4 && now.Sub(l.looked) < fewReads*briskRound
	l.reads, l.waited, l.looked, l.looks, l.wrote = 0, 0, now, looks, wrote
}

// bePolled has the socket wait in the poller from now on, if it can.
func (s *socket) bePolled() bool {
	l := newPolled(s.engine, s.fd)
	if l == nil {
		return false
	}
	s.leaveReadPoll()
	l.wrote = s.writes.Load()
	s.polled = l
	s.in.deadline.attach(l)
	return true
}

// leavePolled has the socket wait by the ring again.
func (s *socket) leavePolled() {
	if s.polled == nil {
		return
	}
	s.in.deadline.detach()
	s.engine.few.remove(s.polled)
	s.polled = nil
	s.warmth = 0
}

// recvPolled is recvOnce of a socket that waits in the poller. It is not done if that is over.
// With nothing to read to it waits until there is something.
func (s *socket) recvPolled(p []byte) (n int, done bool, err error) {
	l := s.polled
	for s.engine.few.are() {
		if len(p) > 0 {
			l.look(s)
		}
		l.p = p
		failed := l.raw.Read(l.tryFunc)
		l.p = nil
		if l.waits.Load() {
			l.waits.Store(false)
		}
		if failed == nil {
			if !l.used.Load() {
				l.used.Store(true)
			}
			return l.n, true, l.err
		}
		// The deadline or Close; or the descriptor is closed, because the engine is shut
		// down. Who has put the deadline off meanwhile waits on.
		if !os.IsTimeout(failed) || l.file.SetReadDeadline(time.Time{}) != nil {
			break
		}
		if why := s.ready(&s.in); why != nil {
			return 0, true, why
		}
	}
	s.leavePolled()
	return 0, false, nil
}
