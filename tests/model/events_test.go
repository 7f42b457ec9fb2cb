//go:build linux

package model_test

import (
	"github.com/go-liburing/liburing"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// polled is a descriptor that a multishot poll watches.
type polled struct {
	fd    int
	armed bool
	token liburing.Token
	wants int // writes that no completion has told of
}

// pollOnce arms the poll, makes it fire, or cancels it.
func (m *model) pollOnce(s step) {
	p := &m.poll
	switch {
	case !p.armed:
		p.armed = true
		p.token = m.request(expect{name: "poll", multi: true, check: func(c liburing.Completion) {
			if !c.More() {
				p.armed = false
				// The end is a cancel, or a last event.
				require.True(m.t, c.Res == -int32(unix.ECANCELED) || c.Res&unix.POLLIN != 0, "%d", c.Res)
				return
			}
			require.EqualValues(m.t, unix.POLLIN, c.Res&unix.POLLIN)
			p.wants = 0
			unix.Read(p.fd, make([]byte, 8))
		}}, func(cb liburing.Callback) liburing.Request { return m.l.PollMultishot(p.fd, unix.POLLIN, cb) }).Token()
	case m.rnd(s).IntN(4) == 0:
		token := p.token
		m.request(expect{name: "cancel of the poll", check: m.cancelOfMany},
			func(cb liburing.Callback) liburing.Request { return m.l.Cancel(token, 0, cb) })
	default:
		p.wants++
		unix.Write(p.fd, []byte{1, 0, 0, 0, 0, 0, 0, 0})
	}
}

// accepted is a listener whose connections a multishot accept takes.
type accepted struct {
	fd         int
	addr       *liburing.Sockaddr
	armed      bool
	token      liburing.Token
	begun, got int
}

// connect connects to the listener, or ends the accept so that the next one
// arms it anew.
func (m *model) connect(s step) {
	a := &m.accept
	m.armAccept()
	if m.rnd(s).IntN(4) == 0 {
		token := a.token
		m.request(expect{name: "cancel of the accept", check: m.cancelOfMany},
			func(cb liburing.Callback) liburing.Request { return m.l.Cancel(token, 0, cb) })
		return
	}
	if a.begun-a.got > 8 {
		return
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	require.NoError(m.t, err)
	a.begun++
	m.request(expect{name: "connect", check: m.success}, func(cb liburing.Callback) liburing.Request {
		return m.l.Connect(fd, a.addr, func(c liburing.Completion) {
			cb(c)
			m.closeFD(fd)
		})
	})
}

// cancelOfMany is right for a cancel of a request that may end by itself.
func (m *model) cancelOfMany(c liburing.Completion) {
	if c.Res != -int32(unix.ENOENT) {
		m.found(c)
	}
}

func (m *model) armAccept() {
	a := &m.accept
	if a.armed {
		return
	}
	a.armed = true
	a.token = m.request(expect{name: "accept", multi: true, check: func(c liburing.Completion) {
		if !c.More() {
			a.armed = false
		}
		if c.Res < 0 {
			m.cancelled(c)
			return
		}
		a.got++
		m.closeFD(int(c.Res))
	}}, func(cb liburing.Callback) liburing.Request {
		return m.l.MultishotAccept(a.fd, nil, unix.SOCK_CLOEXEC, cb)
	}).Token()
}

// closeFD closes a descriptor on the loop, or without it if that is at its end.
func (m *model) closeFD(fd int) {
	m.request(expect{name: "close", check: m.success}, func(cb liburing.Callback) liburing.Request {
		return m.l.CloseFD(fd, func(c liburing.Completion) {
			if c.Res < 0 {
				unix.Close(fd)
			}
			cb(c)
		})
	})
}
