//go:build linux

package model_test

import (
	"bytes"
	"errors"
	"slices"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// conduit is a pipe or a connection whose bytes follow from their position.
type conduit struct {
	r, w    int
	pipe    bool
	zero    bool // zero-copy sends
	bundle  bool // several buffers at once
	msg     bool // as a message where it is no multishot
	salt    byte
	group   *liburing.BufGroup
	size    int // of the group's buffers
	sent    int
	got     int
	sending bool
	armed   bool // a request or a stream receives
	stream  *liburing.Stream
	token   liburing.Token // of the request that receives, if it is no stream
}

// at returns the bytes of a position.
func (c *conduit) at(pos, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		x := uint32(pos+i) * 2654435761
		b[i] = byte(x>>24) ^ byte(x>>13) ^ c.salt
	}
	return b
}

// send sends the next bytes of a conduit.
func (m *model) send(s step) {
	rnd := m.rnd(s)
	c := m.conduits[rnd.IntN(len(m.conduits))]
	most := min(1500, 16*c.size) // requests that take a byte each take their time
	if c.sending || c.sent-c.got > 10*most {
		return
	}
	c.sending = true
	buf := c.at(c.sent, 1+rnd.IntN(most))
	notified := false
	e := expect{name: "send", multi: c.zero, check: func(done liburing.Completion) {
		if done.Flags&liburing.CQEFNotif != 0 {
			require.True(m.t, notified, "a notification without a send")
			return
		}
		require.EqualValues(m.t, len(buf), done.Res, "%v", done.Err())
		notified = true
		c.sending = false
		c.sent += len(buf)
	}}
	m.request(e, func(cb liburing.Callback) liburing.Request {
		switch {
		case c.pipe:
			return m.l.Write(c.w, buf, 0, cb)
		case c.zero:
			return m.l.SendZC(c.w, buf, unix.MSG_WAITALL, 0, cb)
		}
		return m.l.Send(c.w, buf, unix.MSG_WAITALL, cb)
	})
}

// receive has a conduit received from, in one of the ways there are.
func (m *model) receive(s step) {
	rnd := m.rnd(s)
	m.arm(m.conduits[rnd.IntN(len(m.conduits))], rnd.IntN(3))
}

func (m *model) arm(c *conduit, how int) {
	if c.armed {
		return
	}
	c.armed = true
	e := expect{name: "receive", multi: how != 0, check: func(done liburing.Completion) { m.received(c, done) }}
	switch {
	case how == 2 && m.program.kind != plain:
		e.name, e.stream = "stream", true
		m.request(e, func(cb liburing.Callback) (first liburing.Request) {
			c.stream = m.l.Rearm(func(each liburing.Callback) liburing.Request {
				r := m.multishot(c, each)
				if first == (liburing.Request{}) {
					first = r
				}
				return r
			}, func(done liburing.Completion) {
				cb(done)
				m.settled(c, done)
			})
			return first
		})
	case how == 0:
		c.token = m.request(e, m.settling(c, func(cb liburing.Callback) liburing.Request {
			if c.pipe {
				return m.l.Read(c.r, nil, 0, cb).Buffers(c.group)
			}
			if c.msg {
				return m.l.Recvmsg(c.r, new(liburing.Msghdr), 0, cb).Buffers(c.group)
			}
			return c.bundled(m.l.Recv(c.r, nil, 0, cb).Buffers(c.group))
		})).Token()
	default:
		c.token = m.request(e, m.settling(c, func(cb liburing.Callback) liburing.Request { return m.multishot(c, cb) })).Token()
	}
}

// settling has a conduit free for the next request when this one has ended.
func (m *model) settling(c *conduit, do func(liburing.Callback) liburing.Request) func(liburing.Callback) liburing.Request {
	return func(cb liburing.Callback) liburing.Request {
		return do(func(done liburing.Completion) {
			m.settled(c, done)
			cb(done)
		})
	}
}

func (m *model) settled(c *conduit, done liburing.Completion) {
	if !done.More() {
		c.armed, c.stream, c.token = false, nil, 0
	}
}

// multishot receives for as long as the kernel likes: once from a pipe before
// Linux 6.7.
func (m *model) multishot(c *conduit, cb liburing.Callback) liburing.Request {
	switch {
	case c.pipe && ringtest.KernelBefore(6, 7):
		return m.l.Read(c.r, nil, 0, cb).Buffers(c.group)
	case c.pipe:
		return m.l.ReadMultishot(c.r, 0, 0, 0, cb).Buffers(c.group)
	}
	return c.bundled(m.l.RecvMultishot(c.r, nil, 0, cb).Buffers(c.group))
}

func (c *conduit) bundled(r liburing.Request) liburing.Request {
	if c.bundle {
		return r.Bundle()
	}
	return r
}

// received checks what has come, and keeps it at times.
func (m *model) received(c *conduit, done liburing.Completion) {
	if err := done.Err(); err != nil {
		if !errors.Is(err, unix.ENOBUFS) {
			m.cancelled(done)
		}
		require.False(m.t, done.More())
		require.Nil(m.t, done.Buffer())
		return
	}
	if done.Res == 0 {
		require.Empty(m.t, done.Buffer())
		return
	}
	parts := slices.Collect(done.Buffers())
	got := bytes.Join(parts, nil)
	require.Equal(m.t, c.at(c.got, int(done.Res)), got, "at %d", c.got)
	require.Equal(m.t, parts[0], done.Buffer())
	require.True(m.t, c.bundle || len(parts) == 1, "%d buffers without a bundle", len(parts))
	if (c.got+len(got))%3 == 0 {
		m.keep(c, done)
	}
	c.got += len(got)
}

// endReceive ends what receives from a conduit.
func (m *model) endReceive(s step) {
	m.disarm(m.conduits[m.rnd(s).IntN(len(m.conduits))])
}

func (m *model) disarm(c *conduit) {
	switch token := c.token; {
	case c.stream != nil:
		c.stream.Stop()
	case c.armed:
		m.request(expect{name: "cancel of a receive", check: m.cancelOfMany}, func(cb liburing.Callback) liburing.Request { return m.l.Cancel(token, 0, cb) })
	}
}
