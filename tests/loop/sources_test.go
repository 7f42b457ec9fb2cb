//go:build linux

package loop_test

import (
	"testing"

	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// source is what a receive gets its bytes from.
type source struct {
	name    string
	packets bool // what was written at once comes at once
	socket  bool
	open    func(t *testing.T) (w, r int)
}

var sources = []source{
	{"pipe", false, false, func(t *testing.T) (int, int) { r, w := ringtest.Pipe(t); return w, r }},
	{"unix stream", false, true, func(t *testing.T) (int, int) { return socketsOf(t, unix.SOCK_STREAM) }},
	{"tcp", false, true, tcpConnection},
	{"unix datagram", true, true, func(t *testing.T) (int, int) { return socketsOf(t, unix.SOCK_DGRAM) }},
	{"seqpacket", true, true, func(t *testing.T) (int, int) { return socketsOf(t, unix.SOCK_SEQPACKET) }},
	{"udp", true, true, udpSockets},
}

func socketsOf(t *testing.T, kind int) (w, r int) {
	fds, err := unix.Socketpair(unix.AF_UNIX, kind|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	closeLater(t, fds[:]...)
	return fds[0], fds[1]
}

func closeLater(t *testing.T, fds ...int) {
	t.Cleanup(func() {
		for _, fd := range fds {
			unix.Close(fd)
		}
	})
}

// bound returns a socket at a port of the loopback, and where that is.
func bound(t *testing.T, kind int) (fd int, at unix.Sockaddr) {
	fd, err := unix.Socket(unix.AF_INET, kind|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	closeLater(t, fd)
	require.NoError(t, unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	at, err = unix.Getsockname(fd)
	require.NoError(t, err)
	return fd, at
}

func udpSockets(t *testing.T) (w, r int) {
	r, at := bound(t, unix.SOCK_DGRAM)
	w, _ = bound(t, unix.SOCK_DGRAM)
	require.NoError(t, unix.Connect(w, at))
	return w, r
}

func tcpConnection(t *testing.T) (w, r int) {
	door, at := bound(t, unix.SOCK_STREAM)
	require.NoError(t, unix.Listen(door, 1))
	w, _ = bound(t, unix.SOCK_STREAM)
	require.NoError(t, unix.Connect(w, at))
	r, _, err := unix.Accept4(door, unix.SOCK_CLOEXEC)
	require.NoError(t, err)
	closeLater(t, r)
	return w, r
}
