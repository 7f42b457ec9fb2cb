//go:build linux

package model_test

import (
	"math/rand/v2"
	"os"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// slot is a place among the registered files that the program picks itself: it
// holds nothing, a file, or one end of a connection.
type slot struct {
	liburing.Fixed
	m    *model
	busy bool // its last use has not ended
	file bool
	peer int // the other end of the connection, a descriptor
}

const (
	registered = 4096
	chosen     = 8 // places behind those that the kernel picks
)

func (m *model) openSlots() {
	ringtest.SparseFiles(m.t, m.l, registered)
	require.NoError(m.t, m.l.Control(func(r *liburing.Ring) error { return r.RegisterFileAllocRange(0, registered-chosen) }))
	for i := range liburing.Fixed(chosen) {
		m.slots = append(m.slots, &slot{Fixed: registered - chosen + i, m: m})
	}
	m.doorAddr = &unix.SockaddrUnix{Name: m.abstract("door")}
	m.door = m.listen(unix.AF_UNIX, m.doorAddr)
}

// slotsRest reports whether no slot is in use.
func (m *model) slotsRest() bool {
	for _, s := range m.slots {
		if s.busy {
			return false
		}
	}
	return true
}

// useSlot does something with a slot that what it holds allows.
func (m *model) useSlot(s step) {
	rnd := m.rnd(s)
	slot := m.slots[rnd.IntN(len(m.slots))]
	if slot.busy {
		return
	}
	slot.busy = true
	var uses []func(*rand.Rand)
	switch {
	case slot.file: // opening it again replaces the file
		uses = []func(*rand.Rand){slot.open, slot.writeAndRead, slot.writeAndRead, slot.writeReadClose, slot.close}
	case slot.peer != 0:
		uses = []func(*rand.Rand){slot.receive, slot.send, slot.close}
	default:
		uses = []func(*rand.Rand){slot.open, slot.accept, slot.missing}
	}
	uses[rnd.IntN(len(uses))](rnd)
}

// use makes a request, the last one of a use.
func (s *slot) use(name string, check func(liburing.Completion), do func(liburing.Callback) liburing.Request) {
	s.m.request(expect{name: name, check: func(c liburing.Completion) {
		check(c)
		s.busy = false
	}}, do)
}

func (s *slot) open(*rand.Rand) {
	name := s.m.file.Name()
	s.use("open of a slot", func(c liburing.Completion) {
		s.m.success(c)
		s.file = true
	}, func(cb liburing.Callback) liburing.Request {
		return s.m.l.OpenatDirect(unix.AT_FDCWD, name, os.O_RDWR, 0, s.Fixed, cb)
	})
}

// accept has a connection come into the slot; one at a time, to know which.
func (s *slot) accept(*rand.Rand) {
	m := s.m
	if m.accepting {
		s.busy = false
		return
	}
	m.accepting = true
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	require.NoError(m.t, err)
	require.NoError(m.t, unix.Connect(m.own(fd), m.doorAddr))
	s.use("accept into a slot", func(c liburing.Completion) {
		m.success(c)
		s.peer, m.accepting = fd, false
	}, func(cb liburing.Callback) liburing.Request { return m.l.AcceptDirect(m.door, nil, 0, s.Fixed, cb) })
}

// missing reads where nothing is.
func (s *slot) missing(*rand.Rand) {
	s.use("read of an empty slot", s.m.failed(unix.EBADF), s.m.readOf(s.FD()))
}

func (s *slot) writeAndRead(rnd *rand.Rand) {
	s.m.writeAndReadAt(step{seed: rnd.Uint64()}, s.FD(), func() { s.busy = false })
}

// writeReadClose is a chain that ends with an empty slot.
func (s *slot) writeReadClose(rnd *rand.Rand) {
	m := s.m
	if m.program.tight {
		s.close(rnd)
		return
	}
	want := ringtest.Pattern(1+rnd.IntN(2000), byte(rnd.Uint32()))
	got := make([]byte, len(want))
	off := m.region()
	m.request(expect{name: "linked write", check: m.count(len(want))},
		func(cb liburing.Callback) liburing.Request { return m.l.Write(s.FD(), want, off, cb) }).LinkNext()
	m.request(expect{name: "linked read", check: func(c liburing.Completion) {
		m.count(len(want))(c)
		require.Equal(m.t, want, got)
	}}, func(cb liburing.Callback) liburing.Request { return m.l.Read(s.FD(), got, off, cb) }).LinkNext()
	s.close(rnd)
}

// receive reads what the peer has sent, send has the peer read.
func (s *slot) receive(rnd *rand.Rand) {
	m := s.m
	want := ringtest.Pattern(1+rnd.IntN(1000), byte(rnd.Uint32()))
	got := make([]byte, len(want))
	unix.Write(s.peer, want)
	s.use("receive in a slot", func(c liburing.Completion) {
		m.count(len(want))(c)
		require.Equal(m.t, want, got)
	}, func(cb liburing.Callback) liburing.Request { return m.l.Recv(s.FD(), got, unix.MSG_WAITALL, cb) })
}

func (s *slot) send(rnd *rand.Rand) {
	m := s.m
	want := ringtest.Pattern(1+rnd.IntN(1000), byte(rnd.Uint32()))
	s.use("send from a slot", func(c liburing.Completion) {
		m.count(len(want))(c)
		got := make([]byte, len(want))
		n, err := unix.Read(s.peer, got)
		require.NoError(m.t, err)
		require.Equal(m.t, want, got[:n])
	}, func(cb liburing.Callback) liburing.Request { return m.l.Send(s.FD(), want, unix.MSG_WAITALL, cb) })
}

// close empties the slot; a peer learns of it.
func (s *slot) close(rnd *rand.Rand) {
	m := s.m
	do := func(cb liburing.Callback) liburing.Request { return m.l.CloseDirect(s.Fixed, cb) }
	if rnd.IntN(2) == 0 {
		do = func(cb liburing.Callback) liburing.Request { return m.l.CloseFD(s.FD(), cb) }
	}
	peer := s.peer
	s.use("close of a slot", func(c liburing.Completion) {
		m.success(c)
		s.file, s.peer = false, 0
		if peer != 0 {
			m.request(expect{name: "end of a connection", check: m.count(0)},
				func(cb liburing.Callback) liburing.Request { return m.l.Recv(peer, make([]byte, 1), 0, cb) })
		}
	}, do)
}
