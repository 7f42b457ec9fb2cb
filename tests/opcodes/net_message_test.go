//go:build linux

package opcodes_test

import (
	"encoding/binary"
	"math"
	"net/netip"
	"testing"
	"unsafe"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// udpPair returns two UDP sockets on loopback and their addresses.
func udpPair(t *testing.T) (a, b int, addrA, addrB *liburing.Sockaddr) {
	t.Helper()
	open := func() (int, *liburing.Sockaddr) {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		require.NoError(t, err)
		t.Cleanup(func() { unix.Close(fd) })
		require.NoError(t, unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
		sa, err := unix.Getsockname(fd)
		require.NoError(t, err)
		port := uint16(sa.(*unix.SockaddrInet4).Port)
		return fd, liburing.SockaddrFrom(netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), port))
	}
	a, addrA = open()
	b, addrB = open()
	return
}

func TestOpSendtoAndMessages(t *testing.T) {
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		a, b, addrA, addrB := udpPair(t)
		sendto := func(cb liburing.Callback) liburing.Request { return l.Sendto(a, []byte("one"), 0, addrB, cb) }
		if ringtest.Knows(t, liburing.OpSendmsgZC) { // came with it, in Linux 6.1
			require.Equal(t, 3, ringtest.One(t, l, sendto))
		} else {
			require.ErrorIs(t, ringtest.Do(t, l, sendto)[0].Err(), unix.EINVAL)
			to := &unix.SockaddrInet4{Port: int(addrB.AddrPort().Port()), Addr: [4]byte{127, 0, 0, 1}}
			require.NoError(t, unix.Sendto(a, []byte("one"), 0, to))
		}
		in := make([]byte, 10)
		from := new(unix.RawSockaddrInet4)
		iov := liburing.Iovec{Base: &in[0], Len: 10}
		msg := &liburing.Msghdr{Name: (*byte)(unsafe.Pointer(from)), Namelen: unix.SizeofSockaddrInet4, Iov: &iov, Iovlen: 1}
		require.Equal(t, 3, ringtest.One(t, l, func(cb liburing.Callback) liburing.Request { return l.Recvmsg(b, msg, 0, cb) }))
		require.Equal(t, "one", string(in[:3]))
		require.Equal(t, rawInet4(addrA.AddrPort()), *from)

		out := []byte("two")
		iovOut := liburing.Iovec{Base: &out[0], Len: 3}
		to := rawInet4(addrB.AddrPort())
		send := &liburing.Msghdr{Name: (*byte)(unsafe.Pointer(&to)), Namelen: unix.SizeofSockaddrInet4, Iov: &iovOut, Iovlen: 1}
		require.Equal(t, 3, ringtest.One(t, l, func(cb liburing.Callback) liburing.Request { return l.Sendmsg(a, send, 0, cb) }))
		require.Equal(t, 3, ringtest.One(t, l, func(cb liburing.Callback) liburing.Request { return l.Recv(b, in, 0, cb) }))
		require.Equal(t, "two", string(in[:3]))
	})
}

// A multishot recvmsg: sender, control message and payload in a buffer each.
func TestOpRecvmsgMultishot(t *testing.T) {
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		_, mem := provideRing(t, l, 4, 2, 256, 0)
		a, b, addrA, addrB := udpPair(t)
		require.NoError(t, unix.SetsockoptInt(b, unix.SOL_SOCKET, unix.SO_TIMESTAMP, 1))
		for i := range 2 {
			sa := &unix.SockaddrInet4{Port: int(addrB.AddrPort().Port()), Addr: [4]byte{127, 0, 0, 1}}
			require.NoError(t, unix.Sendto(a, []byte{'m', byte('0' + i)}, 0, sa))
		}
		msg := &liburing.Msghdr{Namelen: 16}
		msg.SetControllen(64)
		all := ringtest.Do(t, l, func(cb liburing.Callback) liburing.Request {
			req := l.RecvmsgMultishot(b, msg, 0, cb).Flags(liburing.SQEBufferSelect)
			req.SQE().SetBufGroup(4)
			return req
		})
		require.Len(t, all, 3)
		for i, c := range all[:2] {
			require.True(t, c.More())
			bid, _ := c.BufferID()
			buf := mem[int(bid)*256:][:c.Res]
			out := liburing.RecvmsgValidate(buf, msg)
			require.NotNil(t, out)
			require.Equal(t, []byte{'m', byte('0' + i)}, out.Payload())
			require.Equal(t, 2, out.PayloadLength())
			require.EqualValues(t, 2, out.Payloadlen)
			require.Len(t, out.Name(), 16)
			require.Equal(t, addrA.String(), out.Sockaddr().String())
			cmsg := out.CmsgFirsthdr()
			require.NotNil(t, cmsg)
			require.EqualValues(t, unix.SO_TIMESTAMP, cmsg.Type)
			require.Nil(t, out.CmsgNexthdr(cmsg))
			msgs, err := unix.ParseSocketControlMessage(out.Control())
			require.NoError(t, err)
			require.Len(t, msgs, 1)
			require.Nil(t, liburing.RecvmsgValidate(buf[:20], msg))
			require.Nil(t, liburing.RecvmsgValidate(nil, msg))
		}
		require.ErrorIs(t, all[2].Err(), unix.ENOBUFS)
	})
}

// Walking control messages stays inside of the buffer, whatever their lengths
// say.
func TestCmsgNexthdrOnBadLengths(t *testing.T) {
	const size = int(unsafe.Sizeof(unix.Cmsghdr{})) // 16, or 12 where a length has 32 bits
	const one, all = size + 8, 2*size + 32
	buf := make([]byte, liburing.RecvmsgOutSize+all)
	binary.NativeEndian.PutUint32(buf[4:], uint32(all))
	msg := &liburing.Msghdr{}
	msg.SetControllen(all)
	header := func(at, length int) {
		(*unix.Cmsghdr)(unsafe.Pointer(&buf[liburing.RecvmsgOutSize+at])).SetLen(length)
	}
	header(0, one)
	header(one, all-one)
	out := liburing.RecvmsgValidate(buf, msg)
	first := out.CmsgFirsthdr()
	second := out.CmsgNexthdr(first)
	require.Equal(t, unsafe.Pointer(&buf[liburing.RecvmsgOutSize+one]), unsafe.Pointer(second))
	require.Nil(t, out.CmsgNexthdr(second))
	for _, bad := range []int{0, size - 1, math.MaxInt, -1} {
		header(0, bad)
		require.Nil(t, out.CmsgNexthdr(first), "%d", bad)
	}
	header(0, one)
	header(one, 1000)
	require.Nil(t, out.CmsgNexthdr(first))
}
