//go:build linux

package loop_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/go-liburing/liburing/loopio"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// The error of a request that was made for a path or an address tells it.
func TestErrorsTellNames(t *testing.T) {
	dir := t.TempDir()
	none, other := filepath.Join(dir, "none"), filepath.Join(dir, "a\nb")
	const cwd = unix.AT_FDCWD
	value := make([]byte, 10)
	for name, c := range map[string]struct {
		op      liburing.Op
		request func(l *liburing.Loop, cb liburing.Callback) liburing.Request
		text    string
	}{
		"Openat":     {liburing.OpOpenat, func(l *liburing.Loop, cb liburing.Callback) liburing.Request { return l.Openat(cwd, none, 0, 0, cb) }, `openat %q: no such file or directory`},
		"OpenDirect": {liburing.OpOpenat, func(l *liburing.Loop, cb liburing.Callback) liburing.Request { return l.OpenDirect(none, 0, 0, 0, cb) }, ``},
		"Openat2": {liburing.OpOpenat2, func(l *liburing.Loop, cb liburing.Callback) liburing.Request {
			return l.Openat2(cwd, none, &liburing.OpenHow{}, cb)
		}, `openat2 %q: no such file or directory`},
		"Statx": {liburing.OpStatx, func(l *liburing.Loop, cb liburing.Callback) liburing.Request {
			return l.Statx(cwd, none, 0, 0, new(liburing.Statx), cb)
		}, `statx %q: no such file or directory`},
		"Unlinkat": {liburing.OpUnlinkat, func(l *liburing.Loop, cb liburing.Callback) liburing.Request { return l.Unlinkat(cwd, none, 0, cb) }, `unlinkat %q: no such file or directory`},
		"Mkdir":    {liburing.OpMkdirat, func(l *liburing.Loop, cb liburing.Callback) liburing.Request { return l.Mkdir(none+"/x", 0o700, cb) }, `mkdirat "` + none + `/x": no such file or directory`},
		"Rename":   {liburing.OpRenameat, func(l *liburing.Loop, cb liburing.Callback) liburing.Request { return l.Rename(none, other, cb) }, `renameat %q ` + fmt.Sprintf("%q", other) + `: no such file or directory`},
		"Symlink":  {liburing.OpSymlinkat, func(l *liburing.Loop, cb liburing.Callback) liburing.Request { return l.Symlink(none, none+"/x", cb) }, `symlinkat %q "` + none + `/x": no such file or directory`},
		"Link":     {liburing.OpLinkat, func(l *liburing.Loop, cb liburing.Callback) liburing.Request { return l.Link(none, other, 0, cb) }, `linkat %q ` + fmt.Sprintf("%q", other) + `: no such file or directory`},
		"Getxattr": {liburing.OpGetxattr, func(l *liburing.Loop, cb liburing.Callback) liburing.Request {
			return l.Getxattr("user.x", value, none, cb)
		}, `getxattr %q: no such file or directory`},
		"Setxattr": {liburing.OpSetxattr, func(l *liburing.Loop, cb liburing.Callback) liburing.Request {
			return l.Setxattr("user.x", value, none, 0, cb)
		}, `setxattr %q: no such file or directory`},
		"of no name": {liburing.OpFsync, func(l *liburing.Loop, cb liburing.Callback) liburing.Request { return l.Fsync(-1, 0, cb) }, `fsync: bad file descriptor`},
		"an open path": {liburing.OpStatx, func(l *liburing.Loop, cb liburing.Callback) liburing.Request {
			return l.Statx(-1, "", unix.AT_EMPTY_PATH, 0, new(liburing.Statx), cb)
		}, `statx: bad file descriptor`},
	} {
		t.Run(name, func(t *testing.T) {
			ringtest.NeedsOps(t, c.op)
			ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
				err := ringtest.Do(t, l, func(cb liburing.Callback) liburing.Request { return c.request(l, cb) })[0].Err()
				want := c.text
				if fmt.Sprintf(want, none) != want+"%!(EXTRA string="+none+")" {
					want = fmt.Sprintf(want, none)
				}
				var op *liburing.OpError
				require.ErrorAs(t, err, &op)
				if name == "OpenDirect" { // there is no table
					require.Equal(t, none, op.Path)
					return
				}
				op.Hint = "" // another test's matter
				require.EqualError(t, op, want)
			})
		})
	}
	l := ringtest.NewLoop(t, 8)
	err := ringtest.Do(t, l, func(cb liburing.Callback) liburing.Request { return l.Open(none, 0, 0, cb) })[0].Err()
	require.ErrorIs(t, err, fs.ErrNotExist)
}

func TestErrorsTellAddresses(t *testing.T) {
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		bound, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		require.NoError(t, err)
		defer unix.Close(bound)
		require.NoError(t, unix.Bind(bound, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}})) // it does not listen
		at, err := unix.Getsockname(bound)
		require.NoError(t, err)
		addr := liburing.SockaddrFrom(netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(at.(*unix.SockaddrInet4).Port)))
		text := addr.String()
		var told error
		loopio.Dial(l, addr, func(_ int, err error) { told = err })
		ringtest.RunIdle(t, l)
		require.EqualError(t, told, "connect "+text+": connection refused")
		var op *liburing.OpError
		require.ErrorAs(t, told, &op)
		require.Equal(t, text, op.Addr)

		if ringtest.Knows(t, liburing.OpBind) {
			fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
			require.NoError(t, err)
			defer unix.Close(fd)
			err = ringtest.Do(t, l, func(cb liburing.Callback) liburing.Request { return l.Bind(fd, addr, cb) })[0].Err()
			require.EqualError(t, err, "bind "+text+": address already in use")
		}

		udp, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		require.NoError(t, err)
		defer unix.Close(udp)
		v6 := liburing.SockaddrFrom(netip.MustParseAddrPort("[::1]:9"))
		err = ringtest.Do(t, l, func(cb liburing.Callback) liburing.Request { return l.Send(udp, []byte("x"), 0, cb).To(v6) })[0].Err()
		if !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.EDESTADDRREQ) { // before Linux 6.1
			require.EqualError(t, err, "send [::1]:9: address family not supported by protocol")
		}
		err = ringtest.Do(t, l, func(cb liburing.Callback) liburing.Request {
			return l.Sendmsg(udp, liburing.NewMsghdr(v6, nil, []byte("x")), 0, cb)
		})[0].Err()
		require.EqualError(t, err, "sendmsg [::1]:9: address family not supported by protocol")
	})
}

// What a deadline or a context ends tells it too.
func TestErrorsOfDeadlinesTellNames(t *testing.T) {
	l := ringtest.NewLoop(t, 8)
	path := filepath.Join(t.TempDir(), "fifo")
	require.NoError(t, unix.Mkfifo(path, 0o600))
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	err := ringtest.Do(t, l, func(cb liburing.Callback) liburing.Request {
		return l.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0, cb).Flags(liburing.SQEAsync).WithContext(ctx)
	})[0].Err()
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorContains(t, err, fmt.Sprintf("openat %q: context deadline exceeded: ", path))
}

// Requests that succeed allocate no more than their path's bytes.
func TestNamesAreForErrors(t *testing.T) {
	ringtest.NeedsOps(t, liburing.OpStatx)
	l := ringtest.NewLoop(t, 8)
	statx, failed := new(liburing.Statx), 0
	cb := func(c liburing.Completion) {
		if c.Res < 0 || c.Err() != nil {
			failed++
		}
	}
	const n = 1000
	var next liburing.Callback
	left := n
	next = func(c liburing.Completion) {
		cb(c)
		if left--; left > 0 {
			l.Statx(unix.AT_FDCWD, "/", 0, 0, statx, next)
		}
	}
	l.Statx(unix.AT_FDCWD, "/", 0, 0, statx, next)
	got := ringtest.Mallocs(func() { ringtest.RunIdle(t, l) })
	require.Zero(t, failed)
	require.Less(t, got, n+n/2)
}
