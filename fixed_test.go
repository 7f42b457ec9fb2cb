//go:build linux && cgo

package liburing

import (
	"math"
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func sparseFiles(t *testing.T, l *Loop, n uint32) {
	t.Helper()
	require.NoError(t, l.Control(func(r *Ring) error { return r.RegisterFilesSparse(n) }))
}

// A connection from its accept to its close without a descriptor.
func TestFixedConnection(t *testing.T) {
	overLoops(t, 8, func(t *testing.T, l *Loop) {
		sparseFiles(t, l, 8)
		lfd, addr := listener(t, l, "127.0.0.1:0")
		client := Fixed(one(t, l, func(cb Callback) Request {
			return l.SocketDirectAlloc(unix.AF_INET, unix.SOCK_STREAM, 0, 0, cb)
		})).FD()
		l.Connect(client, addr, func(c Completion) { require.NoError(t, c.Err()) })
		server := Fixed(one(t, l, func(cb Callback) Request { return l.AcceptDirect(lfd, nil, 0, FileIndexAlloc, cb) })).FD()

		got := make([]byte, 5)
		require.Equal(t, 5, one(t, l, func(cb Callback) Request { return l.Send(client, []byte("hello"), 0, cb) }))
		require.Equal(t, 5, one(t, l, func(cb Callback) Request { return l.Recv(server, got, unix.MSG_WAITALL, cb) }))
		require.Equal(t, "hello", string(got))

		c := Completion{}
		l.Recv(server, got, 0, func(r Completion) { c = r })
		l.Nop(func(Completion) { l.CancelFD(server, 0, func(c Completion) { require.NoError(t, c.Err()) }) })
		run(t, l)
		require.ErrorIs(t, c.Err(), unix.ECANCELED)

		for _, fd := range []int{client, server} {
			one(t, l, func(cb Callback) Request { return l.CloseFD(fd, cb) })
			all := do(t, l, func(cb Callback) Request { return l.Send(fd, []byte("x"), 0, cb) })
			require.ErrorIs(t, all[0].Err(), unix.EBADF)
		}
	})
}

func TestFixedFile(t *testing.T) {
	l := newLoop(t, 8)
	sparseFiles(t, l, 2)
	name := tempFile(t, []byte("what a file has")).Name()
	f := Fixed(one(t, l, func(cb Callback) Request {
		return l.OpenatDirect(unix.AT_FDCWD, name, unix.O_RDWR, 0, FileIndexAlloc, cb)
	}))
	got := make([]byte, 100)
	n := one(t, l, func(cb Callback) Request { return l.Read(f.FD(), got, 0, cb) })
	require.Equal(t, "what a file has", string(got[:n]))
	rd, wr := pipe(t)
	require.Equal(t, 6, one(t, l, func(cb Callback) Request { return l.Splice(f.FD(), 0, wr, -1, 6, 0, cb) }))
	n, err := unix.Read(rd, got)
	require.NoError(t, err)
	require.Equal(t, "what a", string(got[:n]))
	unix.Write(wr, []byte("WHAT"))
	require.Equal(t, 4, one(t, l, func(cb Callback) Request { return l.Splice(rd, -1, f.FD(), 0, 4, 0, cb) }))
	n = one(t, l, func(cb Callback) Request { return l.Read(f.FD(), got, 0, cb) })
	require.Equal(t, "WHAT a file has", string(got[:n]))

	// A Ring's requests and system calls refuse the number.
	_, err = unix.Read(f.FD(), got)
	require.ErrorIs(t, err, unix.EBADF)
	require.ErrorIs(t, (&CQE{Res: submitOne(t, newRing(t, 1), func(s *SQE) { s.PrepRead(f.FD(), got, 0) }).Res}).Err(), unix.EBADF)
}

// Each request that takes a descriptor takes a registered file.
func TestFixedEverywhere(t *testing.T) {
	l := newLoop(t, 256)
	n := 0
	requestMethods(l, func(name string, method reflect.Value) {
		typ := method.Type()
		args := make([]reflect.Value, typ.NumIn())
		for j := range args {
			args[j] = reflect.Zero(typ.In(j))
			if typ.In(j).Kind() == reflect.Int {
				args[j] = reflect.ValueOf(Fixed(1000 + j).FD())
			}
		}
		sqe := *method.Call(args)[0].Interface().(Request).SQE()
		if sqe.FD >= 1000 && sqe.FD < 1010 {
			n++
			require.True(t, sqe.Flags&SQEFixedFile != 0 || sqe.OpFlags&uint32(AsyncCancelFDFixed) != 0, name)
		}
	})
	require.Greater(t, n, 40)
}

func TestFixedNumbers(t *testing.T) {
	for _, index := range []uint32{0, 1, 1 << 20, 1<<30 - 1} {
		fd := Fixed(index).FD()
		require.True(t, isFixed(fd))
		var s SQE
		s.PrepRead(fd, nil, 0)
		s.useFixed(fd)
		require.EqualValues(t, index, s.FD)
		require.Equal(t, SQEFixedFile, s.Flags)
	}
	for _, fd := range []int{0, -1, unix.AT_FDCWD, 1 << 29, math.MinInt32, math.MinInt, math.MaxInt, 1 << 31} {
		require.False(t, isFixed(fd), "%d", fd)
	}
}
