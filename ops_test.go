//go:build linux

package liburing_test

import (
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"unsafe"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/optable"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// A length that the entry's field cannot hold is cut, it never wraps around.
func TestPrepsCutLengths(t *testing.T) {
	huge := ringtest.Wide(t, 5<<30)
	p, err := unix.MmapPtr(-1, 0, nil, uintptr(huge), unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_NORESERVE)
	require.NoError(t, err)
	defer unix.MunmapPtr(p, uintptr(huge))
	b := unsafe.Slice((*byte)(p), huge)
	length := func(s *liburing.SQE) uint64 { return uint64(s.Len) }
	for name, test := range map[string]struct {
		prep func(s *liburing.SQE)
		in   func(s *liburing.SQE) uint64
		want uint64
	}{
		"read":      {func(s *liburing.SQE) { s.PrepRead(0, b, 0) }, length, liburing.MaxRW},
		"write":     {func(s *liburing.SQE) { s.PrepWrite(0, b, 0) }, length, liburing.MaxRW},
		"fixed":     {func(s *liburing.SQE) { s.PrepReadFixed(0, b, 0, 0) }, length, liburing.MaxRW},
		"send":      {func(s *liburing.SQE) { s.PrepSend(0, b, 0) }, length, liburing.MaxRW},
		"sendto":    {func(s *liburing.SQE) { s.PrepSendto(0, b, 0, nil) }, length, liburing.MaxRW},
		"send_zc":   {func(s *liburing.SQE) { s.PrepSendZC(0, b, 0, 0) }, length, liburing.MaxRW},
		"recv":      {func(s *liburing.SQE) { s.PrepRecv(0, b, 0) }, length, liburing.MaxRW},
		"getxattr":  {func(s *liburing.SQE) { s.PrepFgetxattr(0, nil, b) }, length, liburing.MaxRW},
		"setxattr":  {func(s *liburing.SQE) { s.PrepSetxattr(nil, b, nil, 0) }, length, liburing.MaxRW},
		"madvise":   {func(s *liburing.SQE) { s.PrepMadvise(b, 0) }, length, 4<<30 - 64<<10},
		"madvise64": {func(s *liburing.SQE) { s.PrepMadvise64(b, 0) }, func(s *liburing.SQE) uint64 { return s.Off }, uint64(huge)},
		"cmd_sock":  {func(s *liburing.SQE) { s.PrepCmdSock(0, 0, 0, 0, b) }, func(s *liburing.SQE) uint64 { return uint64(s.FileIndex) }, liburing.MaxRW},
	} {
		s := new(liburing.SQE)
		test.prep(s)
		require.Equal(t, test.want, test.in(s), name)
	}
}

// The index of a registered buffer that does not fit names none, rather than
// another one.
func TestPrepsKeepBufferIndexes(t *testing.T) {
	for index, want := range map[int]uint16{0: 0, 7: 7, 65535: 65535, 65536: 65535, 65543: 65535, -1: 65535, -70000: 65535} {
		var s liburing.SQE
		s.PrepReadFixed(0, nil, 0, index)
		require.Equal(t, want, s.BufIndex, "%d", index)
	}
}

// A descriptor that does not fit names none, rather than another one.
func TestPrepsKeepDescriptors(t *testing.T) {
	for fd, want := range map[int64]int32{0: 0, -1: -1, unix.AT_FDCWD: unix.AT_FDCWD, math.MaxInt32: math.MaxInt32,
		1 << 32: math.MinInt32, 1<<40 + 3: math.MinInt32, -1 << 40: math.MinInt32} {
		var s liburing.SQE
		s.PrepRead(ringtest.Wide(t, fd), nil, 0)
		require.Equal(t, want, s.FD, "%d", fd)
	}
	c := ringtest.SubmitOne(t, ringtest.NewRing(t, 1), func(s *liburing.SQE) { s.PrepRead(ringtest.Wide(t, 1<<32), make([]byte, 1), 0) })
	require.ErrorIs(t, c.Err(), unix.EBADF)
}

// Buffers that do not lie in the memory are not handed to the kernel.
func TestProvideBuffersStaysInMemory(t *testing.T) {
	const group = 3
	mem := make([]byte, 1000)
	r := ringtest.NewRing(t, 8)
	for _, test := range []struct {
		length, nr int
		errno      unix.Errno
	}{
		{100, 10, 0},
		{100, 11, unix.E2BIG},
		{1001, 1, unix.E2BIG},
		{1 << (strconv.IntSize - 2), 4, unix.E2BIG}, // the product is 0 in an int
		{-1, 1, unix.E2BIG},
		{-100, -10, unix.E2BIG},
		{100, -1, unix.E2BIG},
		{100, 0, unix.E2BIG},
	} {
		c := ringtest.SubmitOne(t, r, func(s *liburing.SQE) { s.PrepProvideBuffers(mem, test.length, test.nr, group, 0) })
		if test.errno == 0 {
			require.NoError(t, c.Err())
			continue
		}
		require.ErrorIs(t, c.Err(), test.errno, "%d × %d", test.nr, test.length)
	}
	c := ringtest.SubmitOne(t, r, func(s *liburing.SQE) { s.PrepRemoveBuffers(100, group) })
	require.EqualValues(t, 10, c.Res, "the ten of the good request are there")
}

// A buffer that is too short for what the request asked to have in front of the
// payload is none.
func TestRecvmsgValidateRefuses(t *testing.T) {
	buf := make([]byte, 100)
	require.Nil(t, liburing.RecvmsgValidate(nil, &liburing.Msghdr{}))
	require.Nil(t, liburing.RecvmsgValidate(buf[:15], &liburing.Msghdr{}))
	require.NotNil(t, liburing.RecvmsgValidate(buf[:16], &liburing.Msghdr{}))
	require.Nil(t, liburing.RecvmsgValidate(buf, nil))
	require.NotNil(t, liburing.RecvmsgValidate(buf, &liburing.Msghdr{Namelen: 44, Controllen: 40}))
	require.Nil(t, liburing.RecvmsgValidate(buf, &liburing.Msghdr{Namelen: 45, Controllen: 40}))
	most := &liburing.Msghdr{Namelen: 84}
	most.SetControllen(-1)
	require.Nil(t, liburing.RecvmsgValidate(buf, most))

	// A header that promises more than there is room for.
	for i := range 16 {
		buf[i] = 0xff
	}
	o := liburing.RecvmsgValidate(buf[:30], &liburing.Msghdr{Namelen: 4, Controllen: 6})
	require.Len(t, o.Name(), 4)
	require.Len(t, o.Control(), 6)
	require.Len(t, o.Payload(), 4)
	require.Nil(t, o.CmsgFirsthdr())
	require.Nil(t, o.CmsgNexthdr(nil))
}

// A driver's command has the bytes from the entry's attr_ptr on: 16, or 80 of a
// big entry.
func TestCmdBytes(t *testing.T) {
	s := new([2]liburing.SQE)
	at := unsafe.Pointer(&s[0].Addr3)
	for big, length := range map[bool]int{false: 16, true: 80} {
		b := s[0].CmdBytes(big)
		require.Len(t, b, length)
		require.Equal(t, at, unsafe.Pointer(&b[0]))
	}
}

// The byte order that is chosen by the machine's name is the one that it has.
func TestByteOrder(t *testing.T) {
	require.Equal(t, binary.NativeEndian.Uint16([]byte{0, 1}) == 1, liburing.BigEndian)
}

// The table has a row for each operation of the header, and what reads its text
// finds them all.
func TestEveryOperationHasARow(t *testing.T) {
	for op := range liburing.OpLast {
		require.NotEmpty(t, op.Kernel(), "optable.go has no row for %v", op)
	}
	rows, err := optable.Read(".")
	require.NoError(t, err)
	require.Len(t, rows, int(liburing.OpLast))
	require.Equal(t, optable.Row{Kernel: "5.11", Quick: true, Worker: true, Fixed: "fixedByFlag"}, rows["OpShutdown"])
	require.Empty(t, liburing.OpBad.Kernel())
}

// The kernel takes buffers of a group for those operations alone that the table
// names.
func TestOperationsThatTakeBuffers(t *testing.T) {
	ringtest.NeedsKernel(t, 6, 18) // earlier ones do for fewer
	r := ringtest.NewRing(t, 8, liburing.WithFlags(liburing.SetupSQE128))
	for op := range liburing.OpLast {
		if !ringtest.Knows(t, op) {
			continue
		}
		c := ringtest.SubmitOne(t, r, func(s *liburing.SQE) {
			s.PrepRW(op, -1, 0, 0, 0)
			s.Flags = liburing.SQEBufferSelect
			s.SetBufGroup(77)
		})
		require.Equal(t, !op.TakesBuffers(), c.Res == -int32(unix.EOPNOTSUPP), "%v: %v", op, c.Err())
	}
}

// What the table says always takes a worker thread does, and what most programs
// do most does not.
func TestOperationsThatTakeAWorker(t *testing.T) {
	ringtest.NeedsOps(t, liburing.OpMkdirat) // before Linux 5.12 workers were no threads of the process
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	f := ringtest.TempFile(t, make([]byte, 1<<16))
	fd := int(f.Fd())
	require.NoError(t, os.WriteFile(path("a"), []byte("a"), 0o600))
	rd, wr := ringtest.Pipe(t)
	_, wr2 := ringtest.Pipe(t)
	a, b := ringtest.SocketPair(t)
	mem, err := unix.Mmap(-1, 0, 1<<16, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	require.NoError(t, err)
	defer unix.Munmap(mem)
	value := []byte("value")
	run := map[liburing.Op]func(l *liburing.Loop, cb liburing.Callback) liburing.Request{
		liburing.OpNop:   func(l *liburing.Loop, cb liburing.Callback) liburing.Request { return l.Nop(cb) },
		liburing.OpWrite: func(l *liburing.Loop, cb liburing.Callback) liburing.Request { return l.Write(a, value, 0, cb) }, // pipes take one before 6.4
		liburing.OpSend:  func(l *liburing.Loop, cb liburing.Callback) liburing.Request { return l.Send(a, value, 0, cb) },
		liburing.OpRecv: func(l *liburing.Loop, cb liburing.Callback) liburing.Request {
			return l.Recv(b, make([]byte, 9), 0, cb)
		},
		liburing.OpPollAdd: func(l *liburing.Loop, cb liburing.Callback) liburing.Request { return l.PollAdd(wr, unix.POLLOUT, cb) },
		liburing.OpTimeout: func(l *liburing.Loop, cb liburing.Callback) liburing.Request { return l.Timeout(0, 0, 0, cb) },
		liburing.OpFsync:   func(l *liburing.Loop, cb liburing.Callback) liburing.Request { return l.Fsync(fd, 0, cb) },
		liburing.OpSyncFileRange: func(l *liburing.Loop, cb liburing.Callback) liburing.Request {
			return l.SyncFileRange(fd, 10, 0, 0, cb)
		},
		liburing.OpFallocate: func(l *liburing.Loop, cb liburing.Callback) liburing.Request { return l.Fallocate(fd, 0, 0, 10, cb) },
		liburing.OpFtruncate: func(l *liburing.Loop, cb liburing.Callback) liburing.Request { return l.Ftruncate(fd, 1<<16, cb) },
		liburing.OpMadvise: func(l *liburing.Loop, cb liburing.Callback) liburing.Request {
			return l.Madvise(mem, unix.MADV_NORMAL, cb)
		},
		liburing.OpStatx: func(l *liburing.Loop, cb liburing.Callback) liburing.Request {
			return l.Statx(unix.AT_FDCWD, path("a"), 0, 0, new(liburing.Statx), cb)
		},
		liburing.OpMkdirat:   func(l *liburing.Loop, cb liburing.Callback) liburing.Request { return l.Mkdir(path("d"), 0o700, cb) },
		liburing.OpSymlinkat: func(l *liburing.Loop, cb liburing.Callback) liburing.Request { return l.Symlink("a", path("s"), cb) },
		liburing.OpLinkat: func(l *liburing.Loop, cb liburing.Callback) liburing.Request {
			return l.Link(path("a"), path("l"), 0, cb)
		},
		liburing.OpRenameat: func(l *liburing.Loop, cb liburing.Callback) liburing.Request {
			return l.Rename(path("none"), path("b"), cb)
		},
		liburing.OpUnlinkat: func(l *liburing.Loop, cb liburing.Callback) liburing.Request { return l.Unlink(path("none"), 0, cb) },
		liburing.OpGetxattr: func(l *liburing.Loop, cb liburing.Callback) liburing.Request {
			return l.Getxattr("user.a", mem, path("a"), cb)
		},
		liburing.OpSetxattr: func(l *liburing.Loop, cb liburing.Callback) liburing.Request {
			return l.Setxattr("user.a", value, path("a"), 0, cb)
		},
		liburing.OpFgetxattr: func(l *liburing.Loop, cb liburing.Callback) liburing.Request {
			return l.Fgetxattr(fd, "user.a", mem, cb)
		},
		liburing.OpFsetxattr: func(l *liburing.Loop, cb liburing.Callback) liburing.Request {
			return l.Fsetxattr(fd, "user.a", value, 0, cb)
		},
		liburing.OpSplice: func(l *liburing.Loop, cb liburing.Callback) liburing.Request {
			return l.Splice(fd, 0, wr, -1, 5, 0, cb)
		},
		liburing.OpTee:      func(l *liburing.Loop, cb liburing.Callback) liburing.Request { return l.Tee(rd, wr2, 2, 0, cb) },
		liburing.OpShutdown: func(l *liburing.Loop, cb liburing.Callback) liburing.Request { return l.Shutdown(a, unix.SHUT_RD, cb) },
	}
	_, err = unix.Write(wr, value) // for the tee
	require.NoError(t, err)
	for op := range liburing.OpLast {
		f := run[op]
		require.True(t, f != nil || !op.TakesWorker(), "there is no request that shows %v to take a worker", op)
		if f == nil || !ringtest.Knows(t, op) {
			continue
		}
		l, before := ringtest.NewLoop(t, 8), ringtest.Workers(t)
		ringtest.Do(t, l, func(cb liburing.Callback) liburing.Request { return f(l, cb) })
		require.Equal(t, op.TakesWorker(), hasWorkerBeside(t, before), "%v", op)
	}
}

// hasWorkerBeside reports whether the kernel has made a worker thread. Their names, with
// the number of the loop's thread, tell nothing in a container, which has its own numbers.
func hasWorkerBeside(t testing.TB, before map[string]string) bool {
	t.Helper()
	for task := range ringtest.Workers(t) {
		if _, old := before[task]; !old {
			return true
		}
	}
	return false
}
