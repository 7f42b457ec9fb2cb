//go:build linux

package model_test

import (
	"github.com/go-liburing/liburing"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// fixed opens a file without a descriptor, writes to it, reads, closes it, and
// finds it closed.
func (m *model) fixed(s step) {
	m.opens++
	m.opening++
	m.request(expect{name: "open", check: func(c liburing.Completion) {
		place, err := c.Result()
		require.NoError(m.t, err)
		fd := liburing.Fixed(place).FD()
		m.writeAndReadAt(s, fd, func() { m.closeFixed(fd) })
	}}, func(cb liburing.Callback) liburing.Request {
		return m.l.OpenatDirect(unix.AT_FDCWD, m.file.Name(), unix.O_RDWR, 0, liburing.FileIndexAlloc, func(c liburing.Completion) {
			m.opening--
			cb(c)
		})
	})
}

func (m *model) closeFixed(fd int) {
	alone, opens := m.opening == 0, m.opens
	m.request(expect{name: "close", check: m.success}, func(cb liburing.Callback) liburing.Request { return m.l.CloseFD(fd, cb) }).LinkNext()
	m.request(expect{name: "read of what was closed", check: func(c liburing.Completion) {
		if alone && opens == m.opens { // nobody has got the place since
			require.ErrorIs(m.t, c.Err(), unix.EBADF)
		}
	}}, m.readOf(fd))
}
