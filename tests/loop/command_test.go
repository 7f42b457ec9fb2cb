//go:build linux

package loop_test

import (
	"bytes"
	"os"
	"testing"
	"unsafe"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// roomOf returns the bytes of a command's request that its driver reads.
func roomOf(l *liburing.Loop, r liburing.Request) []byte {
	return r.SQE().CmdBytes(ringtest.RingOfLoop(l).Flags()&liburing.SetupSQE128 != 0 || r.SQE().Opcode == liburing.OpURingCmd128 && ringtest.RingOfLoop(l).Flags()&liburing.SetupSQEMixed != 0)
}

// A command has the bytes that it was given and zeros behind them, also in an entry
// that was another's before, in the backlog, and on its way from there into the queue.
func TestCommandsHaveNothingOfOthers(t *testing.T) {
	ringtest.OverLoops(t, 4, func(t *testing.T, l *liburing.Loop) {
		fd := int(ringtest.TempFile(t, nil).Fd())
		for range 5 {
			for i := range 7 {
				r := l.URingCmd(1, fd, nil)
				if i%2 == 1 {
					r = l.URingCmd128(1, fd, nil)
				}
				room := roomOf(l, r)
				require.Equal(t, make([]byte, len(room)), room)
				r.CmdBytes(bytes.Repeat([]byte{0xaa}, len(room)))
				require.Equal(t, bytes.Repeat([]byte{0xaa}, len(room)), room)
				if i%3 == 0 {
					r.CmdBytes([]byte{1, 2, 3})
					require.Equal(t, append([]byte{1, 2, 3}, make([]byte, len(room)-3)...), room)
				}
				if i%3 == 1 {
					require.NoError(t, l.CmdDiscard(fd, 0, 0, nil).Err())
				}
			}
			ringtest.RunIdle(t, l)
		}
	})
}

// What there is no room for fails in its place; nothing of the next request's is touched.
func TestCommandsThatAreTooLong(t *testing.T) {
	ringtest.NeedsOps(t, liburing.OpURingCmd)
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		fd := int(ringtest.TempFile(t, nil).Fd())
		failure(t, l, unix.EOPNOTSUPP, func(cb liburing.Callback) liburing.Request { return l.URingCmd(1, fd, cb).CmdBytes(make([]byte, 16)) })
		c := ringtest.Finish(t, l, func(cb liburing.Callback) liburing.Request { return l.URingCmd(1, fd, cb).CmdBytes(make([]byte, 81)) })
		require.ErrorIs(t, c.Err(), unix.EINVAL)
		require.ErrorContains(t, c.Err(), "the command has 81 bytes, and the entry room for ")
		c = ringtest.Finish(t, l, func(cb liburing.Callback) liburing.Request { return l.URingCmd(1, fd, cb).CmdBytes(make([]byte, 17)) })
		if ringtest.RingOfLoop(l).Flags()&liburing.SetupSQE128 != 0 {
			require.ErrorIs(t, c.Err(), unix.EOPNOTSUPP)
		} else {
			require.ErrorContains(t, c.Err(), "room for 16")
		}

		var behind error
		l.URingCmd(1, fd, nil).CmdBytes(make([]byte, 81)).LinkNext()
		l.Nop(func(c liburing.Completion) { behind = c.Err() })
		ringtest.RunIdle(t, l)
		require.ErrorIs(t, behind, unix.ECANCELED)

		l.Nop(nil).CmdBytes(make([]byte, 81)) // no command
		done := l.URingCmd(1, fd, nil)
		ringtest.RunIdle(t, l)
		done.CmdBytes(make([]byte, 1)).FixedBuffer(1)
	})
}

// A chain with a command in it tells of all its requests: one that the device has
// refused is a success to the ring.
func TestCommandsAreNotSilent(t *testing.T) {
	l := ringtest.NewLoop(t, 8)
	a, b := ringtest.SocketPair(t)
	unix.Write(b, []byte("hello"))
	var res []int32
	note := func(c liburing.Completion) { res = append(res, c.Res) }
	l.Nop(note).LinkNext()
	l.CmdSock(liburing.SocketOpSIOCINQ, a, 0, 0, nil, note).LinkNext() // a positive result, as a status is
	l.Nop(note).SkipSuccess()
	ringtest.RunIdle(t, l)
	if ringtest.Knows(t, liburing.OpFixedFDInstall) && res[1] >= 0 { // no probe tells of the command; sockets of older kernels refuse it
		require.Equal(t, []int32{0, 5, 0}, res)
	}
	require.Len(t, res, 3)
}

func TestFixedBufferOfCommands(t *testing.T) {
	l := ringtest.NewLoop(t, 8)
	s := l.URingCmd(1, -1, nil).FixedBuffer(7).SQE()
	require.EqualValues(t, liburing.URingCmdFixed, s.OpFlags)
	require.EqualValues(t, 7, s.BufIndex)
	require.Zero(t, l.Nop(nil).FixedBuffer(7).SQE().OpFlags)
	ringtest.RunIdle(t, l)
}

// Ranges of a registered buffer, which are what the kernel makes of an address.
func TestFixedRanges(t *testing.T) {
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		buf := registered(t, l, 4096)
		want := ringtest.Pattern(512, 1)
		f := ringtest.TempFile(t, want)
		fd := int(f.Fd())
		at := liburing.Pointer(&buf[0])
		require.Equal(t, 512, ringtest.One(t, l, func(cb liburing.Callback) liburing.Request { return l.ReadFixedRange(fd, at+1024, 512, 0, 0, cb) }))
		require.Equal(t, want, buf[1024:1536])
		require.Equal(t, 100, ringtest.One(t, l, func(cb liburing.Callback) liburing.Request { return l.WriteFixedRange(fd, at+1024, 100, 512, 0, cb) }))
		require.Equal(t, string(want)+string(want[:100]), content(t, f))
		failure(t, l, unix.EFAULT, func(cb liburing.Callback) liburing.Request { return l.ReadFixedRange(fd, at+4000, 512, 0, 0, cb) })
		failure(t, l, unix.EFAULT, func(cb liburing.Callback) liburing.Request { return l.ReadFixedRange(fd, 0, 512, 0, 0, cb) })
		failure(t, l, unix.EFAULT, func(cb liburing.Callback) liburing.Request { return l.ReadFixedRange(fd, at, 512, 0, 1<<16, cb) })
		failure(t, l, unix.EINVAL, func(cb liburing.Callback) liburing.Request { return l.WriteFixedRange(fd, at, -1, 0, 0, cb) })
	})
}

// What an address is taken of is on the heap, so that it stays where it is.
func TestPointerEscapes(t *testing.T) {
	require.EqualValues(t, 1, testing.AllocsPerRun(100, func() {
		var x [64]byte
		if liburing.Pointer(&x[0]) == 0 {
			t.Fail()
		}
	}))
	x := new(int)
	require.Equal(t, uint64(uintptr(unsafe.Pointer(x))), liburing.Pointer(x))
	require.Zero(t, liburing.Pointer[int](nil))
}

// failure runs one request that must fail with errno.
func failure(t *testing.T, l *liburing.Loop, errno unix.Errno, request func(liburing.Callback) liburing.Request) {
	t.Helper()
	require.ErrorIs(t, ringtest.Finish(t, l, request).Err(), errno)
}

// registered returns a registered buffer, the loop's only one.
func registered(t *testing.T, l *liburing.Loop, size int) []byte {
	t.Helper()
	buf := ringtest.Memory(t, size)
	require.NoError(t, l.Control(func(r *liburing.Ring) error { return r.RegisterBuffers([][]byte{buf}) }))
	return buf
}

func content(t *testing.T, f *os.File) string {
	t.Helper()
	b, err := os.ReadFile(f.Name())
	require.NoError(t, err)
	return string(b)
}
