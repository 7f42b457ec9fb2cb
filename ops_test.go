//go:build linux

package liburing_test

import (
	"encoding/binary"
	"math"
	"strconv"
	"testing"
	"unsafe"

	"github.com/go-liburing/liburing"
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
