//go:build linux && cgo

package liburing

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func sparseFiles(t *testing.T, l *Loop, n int) {
	t.Helper()
	needOps(t, OpSocket) // came with sparse tables, in Linux 5.19
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
	plain := []string{
		// The kernel takes no registered file for a directory, nor in an epoll.
		"Linkat 0", "Mkdirat 0", "Openat 0", "Openat2 0", "Openat2Direct 0", "OpenatDirect 0", "Renameat 0",
		"Statx 0", "Symlinkat 1", "Unlinkat 0", "EpollCtl 0", "EpollCtl 1", "EpollCtl 2",
		// These are other numbers.
		"ProvideBuffers 2", "RemoveBuffers 0", "Socket 0", "SocketDirect 0", "SocketDirectAlloc 0", "Waitid 1",
	}
	requestMethods(l, func(name string, method reflect.Value) {
		typ := method.Type()
		for j := range typ.NumIn() {
			if typ.In(j).Kind() != reflect.Int || slices.Contains(plain, fmt.Sprint(name, " ", j)) {
				continue
			}
			args := make([]reflect.Value, typ.NumIn())
			for k := range args {
				args[k] = reflect.Zero(typ.In(k))
			}
			args[j] = reflect.ValueOf(Fixed(1000).FD())
			sqe := *method.Call(args)[0].Interface().(Request).SQE()
			require.NotEqual(t, int32(Fixed(1000).FD()), sqe.FD, "%s, argument %d: a plain descriptor", name, j)
			if sqe.FD == 1000 {
				require.NotZero(t, sqe.Flags&SQEFixedFile, name)
			}
		}
	})
}

// A table has no place as large, whatever number is made of it.
func TestFixedThatIsTooLarge(t *testing.T) {
	for _, f := range []Fixed{1<<30 - 1, 1 << 30, 1<<30 + 7, 1<<32 - 1} {
		require.EqualValues(t, 1<<30-1, f.FD()%fixedFD, f)
		require.True(t, isFixed(f.FD()), f)
	}
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
