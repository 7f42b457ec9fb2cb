//go:build linux

package model_test

import (
	"errors"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// datagrams are messages on a socket, some of them larger than the buffers they
// are received into.
type datagrams struct {
	r, w      int
	queue     [][]byte       // that nobody has received
	receiving bool           // one at a time: the kernel need not do requests in their order
	token     liburing.Token // of the request that waits for more
}

// datagram sends a message, or receives one and learns how long it was.
func (m *model) datagram(s step) {
	rnd := m.rnd(s)
	d := &m.datagrams
	if d.receiving || len(d.queue) == 0 || rnd.IntN(2) == 0 {
		if len(d.queue) < 5 {
			msg := ringtest.Pattern(1+rnd.IntN(1500), byte(s.seed))
			_, err := unix.Write(d.w, msg)
			require.NoError(m.t, err)
			d.queue = append(d.queue, msg)
		}
		return
	}
	ways := []func(m *model, way datagramWay){(*model).takeDatagram, (*model).takeDatagrams, (*model).takeNoDatagram}
	if m.program.kind == drains { // the second waits for more, the third does not wait for a drain
		ways = ways[:1]
	}
	ways[rnd.IntN(len(ways))](m, datagramWays[rnd.IntN(len(datagramWays))])
}

// datagramWay is a way to receive.
type datagramWay struct {
	msg   bool // as a message
	trunc bool // told how long it was
}

var datagramWays = []datagramWay{{false, true}, {false, false}, {true, true}, {true, false}}

func (w datagramWay) flags() (flags int) {
	if w.trunc {
		flags = unix.MSG_TRUNC
	}
	return flags
}

func (w datagramWay) request(l *liburing.Loop, fd int, cb liburing.Callback) liburing.Request {
	if w.msg {
		return l.Recvmsg(fd, new(liburing.Msghdr), w.flags(), cb)
	}
	return l.Recv(fd, nil, w.flags(), cb)
}

// takeDatagram receives one.
func (m *model) takeDatagram(way datagramWay) {
	d, g, size := &m.datagrams, m.conduits[0].group, m.conduits[0].size
	d.receiving = true
	m.request(expect{name: "datagram", check: func(c liburing.Completion) {
		d.receiving = false
		if errors.Is(c.Err(), unix.ENOBUFS) {
			return
		}
		require.NoError(m.t, c.Err())
		want := d.take()
		cut := want[:min(len(want), size)]
		if way.trunc {
			require.EqualValues(m.t, len(want), c.Res)
		} else {
			require.EqualValues(m.t, len(cut), c.Res)
		}
		require.Equal(m.t, cut, c.Buffer())
	}}, func(cb liburing.Callback) liburing.Request { return way.request(m.l, d.r, cb).Buffers(g) })
}

func (d *datagrams) take() (first []byte) {
	first, d.queue = d.queue[0], d.queue[1:]
	return first
}

// recvmsgOut is how many bytes a multishot recvmsg writes before a datagram.
const recvmsgOut = 16

// takeDatagrams receives one after the other, until there are two.
func (m *model) takeDatagrams(way datagramWay) {
	d, g, size := &m.datagrams, m.conduits[0].group, m.conduits[0].size
	if size <= recvmsgOut || ringtest.KernelBefore(6, 0) {
		return
	}
	d.receiving = true
	n, cancelled := 0, false
	msg := new(liburing.Msghdr)
	d.token = m.request(expect{name: "datagrams", multi: true, check: func(c liburing.Completion) {
		d.receiving = c.More()
		if c.Res < 0 {
			if !errors.Is(c.Err(), unix.ENOBUFS) {
				m.cancelled(c)
			}
			return
		}
		want := d.take()
		got := liburing.RecvmsgValidate(c.Buffer(), msg)
		require.NotNil(m.t, got)
		require.Equal(m.t, want[:min(len(want), size-recvmsgOut)], got.Payload())
		if way.trunc {
			require.EqualValues(m.t, len(want), got.Payloadlen)
		}
		if n++; n >= 2 && c.More() && !cancelled {
			cancelled = true
			m.request(expect{name: "cancel of datagrams", check: m.cancelOfMany}, func(cb liburing.Callback) liburing.Request { return m.l.Cancel(d.token, 0, cb) })
		}
	}}, func(cb liburing.Callback) liburing.Request {
		return m.l.RecvmsgMultishot(d.r, msg, way.flags(), cb).Buffers(g)
	}).Token()
}

// takeNoDatagram asks in ways that would hand out other bytes.
func (m *model) takeNoDatagram(way datagramWay) {
	d := &m.datagrams
	g, bundle := m.groups[1], false // an incremental one
	if ringtest.KernelBefore(6, 12) || way.msg {
		g, bundle, way = m.groups[0], true, datagramWay{trunc: true}
	}
	m.request(expect{name: "datagram that is refused", check: func(c liburing.Completion) {
		require.ErrorIs(m.t, c.Err(), unix.EINVAL)
		require.Nil(m.t, c.Buffer())
	}}, func(cb liburing.Callback) liburing.Request {
		r := way.request(m.l, d.r, cb)
		if bundle {
			r = r.Bundle()
		}
		return r.Buffers(g)
	})
}
