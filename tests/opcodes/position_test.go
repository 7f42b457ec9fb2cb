//go:build linux

package opcodes_test

import (
	"fmt"
	"testing"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// The current position is the offset that is right for every kind of descriptor.
func TestCurrentPosition(t *testing.T) {
	l := ringtest.NewLoop(t, 8)
	rd, wr := ringtest.Pipe(t)
	a, b := ringtest.SocketPair(t)
	ours, theirs := terminal(t)
	for name, fds := range map[string][2]int{"pipe": {wr, rd}, "socket": {a, b}, "terminal": {ours, theirs}} {
		for _, text := range []string{"one", "two"} {
			buf := make([]byte, 9)
			require.Equal(t, 3, ringtest.One(t, l, func(cb liburing.Callback) liburing.Request {
				return l.Write(fds[0], []byte(text), liburing.CurrentPosition, cb)
			}), name)
			require.Equal(t, 3, ringtest.One(t, l, func(cb liburing.Callback) liburing.Request { return l.Read(fds[1], buf, liburing.CurrentPosition, cb) }), name)
			require.Equal(t, text, string(buf[:3]), name)
			bufs := [][]byte{[]byte(text[:1]), []byte(text[1:])}
			require.Equal(t, 3, ringtest.One(t, l, func(cb liburing.Callback) liburing.Request {
				return l.Writev(fds[0], bufs, liburing.CurrentPosition, cb)
			}), name)
			require.Equal(t, 3, ringtest.One(t, l, func(cb liburing.Callback) liburing.Request {
				return l.Readv(fds[1], [][]byte{buf}, liburing.CurrentPosition, cb)
			}), name)
			require.Equal(t, text, string(buf[:3]), name)
		}
	}
	for flags, want := range map[int]string{0: "abcd4567", unix.O_APPEND: "01234567abcd"} {
		f := ringtest.TempFile(t, []byte("01234567"))
		fd, err := unix.Open(f.Name(), unix.O_RDWR|flags, 0)
		require.NoError(t, err)
		for _, text := range []string{"ab", "cd"} {
			require.Equal(t, 2, ringtest.One(t, l, func(cb liburing.Callback) liburing.Request {
				return l.Write(fd, []byte(text), liburing.CurrentPosition, cb)
			}))
		}
		require.Equal(t, want, content(t, f))
		buf := make([]byte, 2)
		for i := range 2 {
			require.Equal(t, 2, ringtest.One(t, l, func(cb liburing.Callback) liburing.Request {
				return l.Read(int(f.Fd()), buf, liburing.CurrentPosition, cb)
			}))
			require.Equal(t, want[2*i:2*i+2], string(buf))
		}
		require.NoError(t, unix.Close(fd))
	}
}

// terminal returns the two ends of a pseudo-terminal that passes bytes on as they
// are.
func terminal(t testing.TB) (ours, theirs int) {
	t.Helper()
	ours, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Skipf("no pseudo-terminals: %v", err)
	}
	t.Cleanup(func() { unix.Close(ours) })
	n, err := unix.IoctlGetInt(ours, unix.TIOCGPTN)
	require.NoError(t, err)
	require.NoError(t, unix.IoctlSetPointerInt(ours, unix.TIOCSPTLCK, 0))
	theirs, err = unix.Open(fmt.Sprintf("/dev/pts/%d", n), unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Skipf("no pseudo-terminals: %v", err)
	}
	t.Cleanup(func() { unix.Close(theirs) })
	mode, err := unix.IoctlGetTermios(theirs, unix.TCGETS)
	require.NoError(t, err)
	mode.Lflag &^= unix.ICANON | unix.ECHO
	require.NoError(t, unix.IoctlSetTermios(theirs, unix.TCSETS, mode))
	return ours, theirs
}
