//go:build linux && cgo

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
	queue     [][]byte // that nobody has received
	receiving bool     // one at a time: the kernel need not do requests in their order
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
	g := m.conduits[0].group
	d.receiving = true
	m.request(expect{name: "datagram", check: func(c liburing.Completion) {
		d.receiving = false
		if errors.Is(c.Err(), unix.ENOBUFS) {
			return
		}
		require.NoError(m.t, c.Err())
		want := d.queue[0]
		d.queue = d.queue[1:]
		require.EqualValues(m.t, len(want), c.Res)
		require.Equal(m.t, want[:min(len(want), m.conduits[0].size)], c.Buffer())
	}}, func(cb liburing.Callback) liburing.Request { return m.l.Recv(d.r, nil, unix.MSG_TRUNC, cb).Buffers(g) })
}
