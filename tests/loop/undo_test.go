//go:build linux

package loop_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"testing"
	"time"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// makers are the requests that make a descriptor, or take a place of the registered
// files, and what they need.
func makers(t *testing.T, l *liburing.Loop, cb liburing.Callback) map[string]func() liburing.Request {
	const path, alloc = "/dev/null", liburing.FileIndexAlloc
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { listener.Close() })
	at := liburing.FD(listener.(*net.TCPListener))
	call := func() { // somebody who waits to be let in
		conn, err := net.Dial("tcp", listener.Addr().String())
		require.NoError(t, err)
		conn.Close()
	}
	how := &liburing.OpenHow{Flags: unix.O_RDONLY | unix.O_CLOEXEC}
	ends := new([2]int)
	files := []int{at, at}
	return map[string]func() liburing.Request{
		"open":          func() liburing.Request { return l.Open(path, unix.O_CLOEXEC, 0, cb) },
		"openat":        func() liburing.Request { return l.Openat(unix.AT_FDCWD, path, unix.O_CLOEXEC, 0, cb) },
		"openat2":       func() liburing.Request { return l.Openat2(unix.AT_FDCWD, path, how, cb) },
		"accept":        func() liburing.Request { call(); return l.Accept(at, nil, unix.SOCK_CLOEXEC, cb) },
		"accept many":   func() liburing.Request { call(); return l.MultishotAccept(at, nil, unix.SOCK_CLOEXEC, cb) },
		"socket":        func() liburing.Request { return l.Socket(unix.AF_INET, unix.SOCK_STREAM, 0, 0, cb) },
		"pipe":          func() liburing.Request { return l.Pipe(ends, unix.O_CLOEXEC, cb) },
		"install":       func() liburing.Request { return l.FixedFDInstall(0, 0, cb) },
		"open direct":   func() liburing.Request { return l.OpenDirect(path, 0, 0, 3, cb) },
		"openat direct": func() liburing.Request { return l.OpenatDirect(unix.AT_FDCWD, path, 0, 0, alloc, cb) },
		"openat2 direct": func() liburing.Request {
			return l.Openat2Direct(unix.AT_FDCWD, path, &liburing.OpenHow{}, 3, cb)
		},
		"accept direct":      func() liburing.Request { call(); return l.AcceptDirect(at, nil, 0, alloc, cb) },
		"accept many direct": func() liburing.Request { call(); return l.MultishotAcceptDirect(at, nil, 0, cb) },
		"socket direct":      func() liburing.Request { return l.SocketDirect(unix.AF_INET, unix.SOCK_STREAM, 0, 3, 0, cb) },
		"socket direct alloc": func() liburing.Request {
			return l.SocketDirectAlloc(unix.AF_INET, unix.SOCK_STREAM, 0, 0, cb)
		},
		"pipe direct":       func() liburing.Request { return l.PipeDirect(ends, 0, 3, cb) },
		"pipe direct alloc": func() liburing.Request { return l.PipeDirect(ends, 0, alloc, cb) },
		"files update":      func() liburing.Request { return l.FilesUpdate(files, liburing.FileIndexAlloc, cb) },
	}
}

const places = 8 // of the table of registered files; the first is taken

// openFiles returns the descriptors that the process has, and the places that are taken
// of the loop's table.
func openFiles(t *testing.T, l *liburing.Loop) (all []string) {
	for place := range liburing.Fixed(places) {
		l.Read(place.FD(), nil, 0, func(c liburing.Completion) {
			if c.Res != -int32(unix.EBADF) {
				all = append(all, fmt.Sprint("place ", place))
			}
		})
	}
	ringtest.RunIdle(t, l)
	list, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	for _, entry := range list {
		if file, err := os.Readlink("/proc/self/fd/" + entry.Name()); err == nil {
			all = append(all, entry.Name()+" "+file)
		}
	}
	return all
}

// newTableLoop returns a loop with a table of registered files.
func newTableLoop(t *testing.T, opts ...liburing.Option) *liburing.Loop {
	l := ringtest.NewLoop(t, 8, opts...)
	ringtest.SparseFiles(t, l, places)
	null, err := os.Open(os.DevNull) // no read of it waits
	require.NoError(t, err)
	defer null.Close()
	require.NoError(t, l.Control(func(r *liburing.Ring) error {
		_, err := r.RegisterFilesUpdate(0, []int{liburing.FD(null)})
		return err
	}))
	return l
}

// A request that succeeds after its context's end leaves nothing behind, and its
// callback sees no success.
func TestSuccessAfterTheContextsEnd(t *testing.T) {
	for _, opts := range [][]liburing.Option{nil, {liburing.WithSQPoll(20 * time.Millisecond)}, {liburing.WithFlags(liburing.SetupCQE32)}} {
		l := newTableLoop(t, opts...)
		var told []liburing.Completion
		for name, request := range makers(t, l, func(c liburing.Completion) { told = append(told, c) }) {
			t.Run(name, func(t *testing.T) {
				told = nil
				before := openFiles(t, l)
				ctx, cancel := context.WithCancel(t.Context())
				request().Keep(t).WithContext(ctx)
				cancel()
				ringtest.RunIdle(t, l)
				require.NotEmpty(t, told)
				if told[0].Res == -int32(unix.EINVAL) {
					t.Skip("this kernel does not know it")
				}
				for _, c := range told {
					require.Equal(t, -int32(unix.ECANCELED), c.Res)
					require.ErrorIs(t, c.Err(), context.Canceled)
				}
				// Fewer may be there, when the collector closes what another test has dropped.
				require.Subset(t, before, openFiles(t, l))
			})
		}
	}
}

// What a request makes that was handed over before it got its context can't be
// known: it has succeeded, without an error.
func TestSuccessOfALateContext(t *testing.T) {
	ringtest.NeedsOps(t, liburing.OpSocket)
	l := ringtest.NewLoop(t, 8)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	var socket liburing.Request
	var told []liburing.Completion
	l.Nop(func(liburing.Completion) {
		for range 8 { // its entry is another request's from then on
			l.Nop(nil)
		}
		socket.WithContext(ended)
	})
	socket = l.Socket(unix.AF_INET, unix.SOCK_STREAM, 0, 0, func(c liburing.Completion) { told = append(told, c) })
	ringtest.RunIdle(t, l)
	require.Len(t, told, 1)
	fd, err := told[0].Result()
	require.NoError(t, err)
	require.NoError(t, unix.Close(fd))
}
