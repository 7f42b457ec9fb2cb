//go:build linux

package loop_test

import (
	"fmt"
	"reflect"
	"slices"
	"testing"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// A connection from its accept to its close without a descriptor.
func TestFixedConnection(t *testing.T) {
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		ringtest.SparseFiles(t, l, 8)
		lfd, addr := ringtest.Listener(t)
		client := liburing.Fixed(ringtest.One(t, l, func(cb liburing.Callback) liburing.Request {
			return l.SocketDirectAlloc(unix.AF_INET, unix.SOCK_STREAM, 0, 0, cb)
		})).FD()
		l.Connect(client, addr, func(c liburing.Completion) { require.NoError(t, c.Err()) })
		server := liburing.Fixed(ringtest.One(t, l, func(cb liburing.Callback) liburing.Request {
			return l.AcceptDirect(lfd, nil, 0, liburing.FileIndexAlloc, cb)
		})).FD()

		got := make([]byte, 5)
		require.Equal(t, 5, ringtest.One(t, l, func(cb liburing.Callback) liburing.Request { return l.Send(client, []byte("hello"), 0, cb) }))
		require.Equal(t, 5, ringtest.One(t, l, func(cb liburing.Callback) liburing.Request { return l.Recv(server, got, unix.MSG_WAITALL, cb) }))
		require.Equal(t, "hello", string(got))

		c := liburing.Completion{}
		l.Recv(server, got, 0, func(r liburing.Completion) { c = r })
		l.Nop(func(liburing.Completion) {
			l.CancelFD(server, 0, func(c liburing.Completion) { require.NoError(t, c.Err()) })
		})
		ringtest.RunIdle(t, l)
		require.ErrorIs(t, c.Err(), unix.ECANCELED)

		for _, fd := range []int{client, server} {
			ringtest.One(t, l, func(cb liburing.Callback) liburing.Request { return l.CloseFD(fd, cb) })
			all := ringtest.Do(t, l, func(cb liburing.Callback) liburing.Request { return l.Send(fd, []byte("x"), 0, cb) })
			require.ErrorIs(t, all[0].Err(), unix.EBADF)
		}
	})
}

func TestFixedFile(t *testing.T) {
	l := ringtest.NewLoop(t, 8)
	ringtest.SparseFiles(t, l, 2)
	name := ringtest.TempFile(t, []byte("what a file has")).Name()
	f := liburing.Fixed(ringtest.One(t, l, func(cb liburing.Callback) liburing.Request {
		return l.OpenatDirect(unix.AT_FDCWD, name, unix.O_RDWR, 0, liburing.FileIndexAlloc, cb)
	}))
	got := make([]byte, 100)
	n := ringtest.One(t, l, func(cb liburing.Callback) liburing.Request { return l.Read(f.FD(), got, 0, cb) })
	require.Equal(t, "what a file has", string(got[:n]))
	rd, wr := ringtest.Pipe(t)
	require.Equal(t, 6, ringtest.One(t, l, func(cb liburing.Callback) liburing.Request { return l.Splice(f.FD(), 0, wr, -1, 6, 0, cb) }))
	n, err := unix.Read(rd, got)
	require.NoError(t, err)
	require.Equal(t, "what a", string(got[:n]))
	unix.Write(wr, []byte("WHAT"))
	require.Equal(t, 4, ringtest.One(t, l, func(cb liburing.Callback) liburing.Request { return l.Splice(rd, -1, f.FD(), 0, 4, 0, cb) }))
	n = ringtest.One(t, l, func(cb liburing.Callback) liburing.Request { return l.Read(f.FD(), got, 0, cb) })
	require.Equal(t, "WHAT a file has", string(got[:n]))

	// A Ring's requests and system calls refuse the number.
	_, err = unix.Read(f.FD(), got)
	require.ErrorIs(t, err, unix.EBADF)
	require.ErrorIs(t, (&liburing.CQE{Res: ringtest.SubmitOne(t, ringtest.NewRing(t, 1), func(s *liburing.SQE) { s.PrepRead(f.FD(), got, 0) }).Res}).Err(), unix.EBADF)
}

// Each request that takes a descriptor takes a registered file.
func TestFixedEverywhere(t *testing.T) {
	l := ringtest.NewLoop(t, 256)
	plain := []string{
		// The kernel takes no registered file for a directory, nor in an epoll.
		"Linkat 0", "Mkdirat 0", "Openat 0", "Openat2 0", "Openat2Direct 0", "OpenatDirect 0", "Renameat 0",
		"Statx 0", "Symlinkat 1", "Unlinkat 0", "EpollCtl 0", "EpollCtl 1", "EpollCtl 2",
		// These are other numbers.
		"ProvideBuffers 2", "RemoveBuffers 0", "Socket 0", "SocketDirect 0", "SocketDirectAlloc 0", "Waitid 1",
	}
	ringtest.RequestMethods(l, func(name string, method reflect.Value) {
		typ := method.Type()
		for j := range typ.NumIn() {
			if typ.In(j).Kind() != reflect.Int || slices.Contains(plain, fmt.Sprint(name, " ", j)) {
				continue
			}
			args := make([]reflect.Value, typ.NumIn())
			for k := range args {
				args[k] = reflect.Zero(typ.In(k))
			}
			args[j] = reflect.ValueOf(liburing.Fixed(1000).FD())
			sqe := *method.Call(args)[0].Interface().(liburing.Request).SQE()
			require.NotEqual(t, int32(liburing.Fixed(1000).FD()), sqe.FD, "%s, argument %d: a plain descriptor", name, j)
			if sqe.FD == 1000 {
				require.NotZero(t, sqe.Flags&liburing.SQEFixedFile, name)
			}
		}
	})
}
