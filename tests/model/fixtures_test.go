//go:build linux

package model_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/go-liburing/liburing"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// newModel opens what programs work on.
func newModel(t *reporter, l *liburing.Loop, p program) *model {
	m := &model{t: t, l: l, program: p, closed: make(chan error, 1)}
	require.NoError(t, l.Control(func(r *liburing.Ring) error {
		m.features, m.flags = r.Features(), r.Flags()
		return nil
	}))
	file, err := os.Create(filepath.Join(t.TempDir(), "file"))
	require.NoError(t, err)
	m.file = file
	m.ends = append(m.ends, func() { file.Close() })
	m.silent, _ = m.pipe()
	m.other, _ = m.pipe()

	if !oldKernel() {
		m.openConduits()
		m.openSlots()
	}
	m.datagrams.r, m.datagrams.w = m.pair(unix.SOCK_DGRAM)

	m.poll.fd, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	require.NoError(t, err)
	m.own(m.poll.fd)
	name := m.abstract("accept")
	m.accept.fd = m.listen(unix.AF_UNIX, &unix.SockaddrUnix{Name: name})
	m.accept.addr, err = liburing.SockaddrUnix(name)
	require.NoError(t, err)
	return m
}

// abstract returns an address of this model's own.
func (m *model) abstract(what string) string {
	return fmt.Sprintf("@liburing-model-%d-%d-%s", os.Getpid(), names.Add(1), what)
}

var names atomic.Int64

// own has a descriptor closed with the fixtures.
func (m *model) own(fd int) int {
	m.ends = append(m.ends, func() { unix.Close(fd) })
	return fd
}

func (m *model) pipe() (r, w int) {
	var fds [2]int
	require.NoError(m.t, unix.Pipe2(fds[:], unix.O_CLOEXEC))
	return m.own(fds[0]), m.own(fds[1])
}

func (m *model) listen(domain int, at unix.Sockaddr) int {
	fd, err := unix.Socket(domain, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	require.NoError(m.t, err)
	require.NoError(m.t, unix.Bind(fd, at))
	require.NoError(m.t, unix.Listen(fd, 64))
	return m.own(fd)
}

// tcp returns the two ends of a connection.
func (m *model) tcp() (r, w int) {
	lfd := m.listen(unix.AF_INET, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}})
	at, err := unix.Getsockname(lfd)
	require.NoError(m.t, err)
	w, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	require.NoError(m.t, err)
	require.NoError(m.t, unix.Connect(m.own(w), at))
	r, _, err = unix.Accept4(lfd, unix.SOCK_CLOEXEC)
	require.NoError(m.t, err)
	return m.own(r), w
}

func (m *model) closeFixtures() {
	for _, end := range m.ends {
		end()
	}
	m.ends = nil
}

// abandon ends a program that has failed.
func (m *model) abandon() {
	if !m.broken() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	m.l.Close(ctx)
	m.closeFixtures()
}

func (m *model) pair(kind int) (a, b int) {
	fds, err := unix.Socketpair(unix.AF_UNIX, kind|unix.SOCK_CLOEXEC, 0)
	require.NoError(m.t, err)
	return m.own(fds[0]), m.own(fds[1])
}
