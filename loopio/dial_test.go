//go:build linux

package loopio_test

import (
	"context"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/go-liburing/liburing/loopio"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// A connection from both sides, by all networks of streams.
func TestListenAndDial(t *testing.T) {
	path := filepath.Join(t.TempDir(), "socket")
	for network, address := range map[string]string{"tcp": "127.0.0.1:0", "tcp6": "[::1]:0", "unix": path} {
		t.Run(network, func(t *testing.T) {
			l := ringtest.NewLoop(t, 8)
			lfd, local, err := loopio.Listen(network, address)
			if network == "tcp6" && err != nil {
				t.Skip(err)
			}
			require.NoError(t, err)
			defer unix.Close(lfd)
			var to *liburing.Sockaddr
			if network == "unix" {
				to, err = liburing.SockaddrUnix(local.String())
				require.NoError(t, err)
			} else {
				to = liburing.SockaddrFrom(local.(*net.TCPAddr).AddrPort())
			}
			heard := ""
			l.Accept(lfd, nil, unix.SOCK_CLOEXEC, func(c liburing.Completion) {
				fd, err := c.Result()
				require.NoError(t, err)
				buf := make([]byte, 10)
				loopio.ReadFull(context.Background(), l, fd, buf[:5], liburing.CurrentPosition, func(n int, err error) {
					require.NoError(t, err)
					heard = string(buf[:n])
					l.CloseFD(fd, nil)
				})
			})
			loopio.Dial(l, to, func(fd int, err error) {
				require.NoError(t, err)
				w := loopio.NewWriter(l, fd, loopio.WriterOptions{})
				w.WriteString("hello")
				w.Close(nil)
			}).Deadline(10 * time.Second)
			ringtest.RunIdle(t, l)
			require.Equal(t, "hello", heard)
		})
	}
	_, err := os.Stat(path)
	require.NoError(t, err, "the socket's name stays as long as its owner wants")

	fd, _, err := loopio.Listen("tcp", "no address")
	require.Error(t, err)
	require.Equal(t, -1, fd)
	fd, _, err = loopio.ListenPacket("tcp", "127.0.0.1:0")
	require.Error(t, err)
	require.Equal(t, -1, fd)
}

// openFiles returns how many descriptors are open.
func openFiles(t *testing.T) int {
	list, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	return len(list)
}

// A dial that fails leaves no descriptor behind, whatever ends it.
func TestDialFails(t *testing.T) {
	l := ringtest.NewLoop(t, 8)
	dead, local, err := loopio.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	unix.Close(dead)
	alive, there, err := loopio.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer unix.Close(alive)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	before := openFiles(t)
	var errs []error
	note := func(fd int, err error) {
		require.Equal(t, -1, fd)
		errs = append(errs, err)
	}
	loopio.Dial(l, liburing.SockaddrFrom(local.(*net.TCPAddr).AddrPort()), note)
	ringtest.RunIdle(t, l)
	loopio.Dial(l, liburing.SockaddrFrom(there.(*net.TCPAddr).AddrPort()), note).WithContext(ended)
	ringtest.RunIdle(t, l)
	loopio.Dial(l, nil, note)
	loopio.Dial(l, liburing.NewSockaddr(), note)
	ringtest.RunIdle(t, l)
	loopio.Dial(l, liburing.SockaddrFrom(netip.AddrPort{}), nil)
	ringtest.RunIdle(t, l)
	require.Len(t, errs, 4)
	require.ErrorIs(t, errs[0], unix.ECONNREFUSED)
	require.ErrorIs(t, errs[1], context.Canceled)
	require.ErrorIs(t, errs[2], unix.EINVAL)
	require.ErrorIs(t, errs[3], unix.EAFNOSUPPORT)
	require.Equal(t, before, openFiles(t))
}

// Datagrams to an address, and a descriptor in a control message.
func TestNewMsghdr(t *testing.T) {
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		from, _, err := loopio.ListenPacket("udp", "127.0.0.1:0")
		require.NoError(t, err)
		defer unix.Close(from)
		to, local, err := loopio.ListenPacket("udp", "127.0.0.1:0")
		require.NoError(t, err)
		defer unix.Close(to)
		addr := liburing.SockaddrFrom(local.(*net.UDPAddr).AddrPort())
		l.Sendmsg(from, liburing.NewMsghdr(addr, nil, []byte("two "), []byte("parts")), 0, nil)
		peer, buf := liburing.NewSockaddr(), make([]byte, 20)
		in := liburing.NewMsghdr(peer, nil, buf[:3], buf[3:])
		n := ringtest.One(t, l, func(cb liburing.Callback) liburing.Request { return l.Recvmsg(to, in, 0, cb) })
		require.Equal(t, "two parts", string(buf[:n]))
		name, err := unix.Getsockname(from)
		require.NoError(t, err)
		require.Equal(t, name.(*unix.SockaddrInet4).Port, int(peer.AddrPort().Port()))
		require.Empty(t, liburing.Control(in))
		require.Empty(t, liburing.Control(nil))

		a, b := ringtest.SocketPair(t)
		f := ringtest.TempFile(t, []byte("handed over"))
		l.Sendmsg(a, liburing.NewMsghdr(nil, unix.UnixRights(liburing.FD(f)), []byte("x")), 0, nil).Keep(f)
		in = liburing.NewMsghdr(nil, make([]byte, unix.CmsgSpace(4)), buf)
		ringtest.One(t, l, func(cb liburing.Callback) liburing.Request { return l.Recvmsg(b, in, unix.MSG_CMSG_CLOEXEC, cb) })
		messages, err := unix.ParseSocketControlMessage(liburing.Control(in))
		require.NoError(t, err)
		require.Len(t, messages, 1)
		fds, err := unix.ParseUnixRights(&messages[0])
		require.NoError(t, err)
		defer unix.Close(fds[0])
		n, err = unix.Pread(fds[0], buf, 0)
		require.NoError(t, err)
		require.Equal(t, "handed over", string(buf[:n]))
	})
}

// A FileInfo tells what os.Lstat tells.
func TestFileInfo(t *testing.T) {
	dir := t.TempDir()
	file := ringtest.TempFile(t, ringtest.Pattern(1234, 1)).Name()
	require.NoError(t, os.Chmod(file, 0o640|os.ModeSetuid|os.ModeSetgid|os.ModeSticky))
	link, fifo, socket := filepath.Join(dir, "link"), filepath.Join(dir, "fifo"), filepath.Join(dir, "socket")
	require.NoError(t, os.Symlink(file, link))
	require.NoError(t, unix.Mkfifo(fifo, 0o600))
	fd, _, err := loopio.Listen("unix", socket)
	require.NoError(t, err)
	defer unix.Close(fd)
	l := ringtest.NewLoop(t, 8)
	for _, name := range []string{file, dir, dir + "/", link, fifo, socket, "/dev/null", "/", "."} {
		want, err := os.Lstat(name)
		require.NoError(t, err)
		statx := new(liburing.Statx)
		ringtest.One(t, l, func(cb liburing.Callback) liburing.Request {
			return l.Statx(unix.AT_FDCWD, name, unix.AT_SYMLINK_NOFOLLOW, liburing.StatxBasicStats, statx, cb)
		})
		got := liburing.FileInfo(name, statx)
		require.Equal(t, want.Mode(), got.Mode(), name)
		require.Equal(t, want.Name(), got.Name(), name)
		require.Equal(t, want.Size(), got.Size(), name)
		require.True(t, want.ModTime().Equal(got.ModTime()), name)
		require.Equal(t, want.IsDir(), got.IsDir(), name)
		require.Same(t, statx, got.Sys())
	}
	require.Zero(t, liburing.FileInfo("x", nil).Size())
}
