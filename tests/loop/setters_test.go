//go:build linux

package loop_test

import (
	"net"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// Len and Total limit what a multishot receive brings.
func TestLenAndTotal(t *testing.T) {
	ringtest.NeedsKernel(t, 6, 17)
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		g := ringtest.NewGroup(t, l, 8, 64, 0)
		a, b := ringtest.SocketPair(t)
		_, err := unix.Write(a, make([]byte, 200))
		require.NoError(t, err)
		var sizes []int
		l.RecvMultishot(b, nil, 0, func(c liburing.Completion) {
			n, err := c.Result()
			require.NoError(t, err)
			require.Len(t, c.Buffer(), n)
			sizes = append(sizes, n)
		}).Len(40).Total(100).Buffers(g)
		ringtest.RunIdle(t, l)
		require.Equal(t, []int{40, 40, 40}, sizes, "the one that reaches the total is whole")
	})
}

// What limits a receive is refused elsewhere, and in an incremental group in whatever
// order it is said.
func TestLenAndTotalRefused(t *testing.T) {
	ringtest.NeedsOps(t, liburing.OpSendZC)
	l := ringtest.NewLoop(t, 8)
	_, b := ringtest.SocketPair(t)
	refused := func(make func(cb liburing.Callback) liburing.Request) {
		t.Helper()
		var err error
		make(func(c liburing.Completion) { err = c.Err() })
		ringtest.RunIdle(t, l)
		require.ErrorIs(t, err, unix.EINVAL)
		require.ErrorContains(t, err, ": ")
	}
	refused(func(cb liburing.Callback) liburing.Request { return l.Nop(cb).Len(1) })
	refused(func(cb liburing.Callback) liburing.Request { return l.Recv(b, nil, 0, cb).Len(0) })
	refused(func(cb liburing.Callback) liburing.Request { return l.Recv(b, nil, 0, cb).Total(5) })
	refused(func(cb liburing.Callback) liburing.Request { return l.Nop(cb).To(liburing.NewSockaddr()) })
	refused(func(cb liburing.Callback) liburing.Request { return l.Send(b, []byte("x"), 0, cb).To(nil) })
	if ringtest.KernelBefore(6, 12) {
		return
	}
	g := ringtest.NewGroup(t, l, 2, 64, liburing.PbufRingInc)
	refused(func(cb liburing.Callback) liburing.Request { return l.Recv(b, nil, 0, cb).Buffers(g).Len(10) })
}

// The address of a send lives until it is sent, whoever holds it.
func TestSendTo(t *testing.T) {
	ringtest.NeedsKernel(t, 6, 1)
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
		require.NoError(t, err)
		defer conn.Close()
		to := netip.MustParseAddrPort(conn.LocalAddr().String())
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		require.NoError(t, err)
		defer unix.Close(fd)
		for _, send := range []func() liburing.Request{
			func() liburing.Request { return l.Send(fd, []byte("x"), 0, nil) },
			func() liburing.Request { return l.SendZC(fd, []byte("x"), 0, 0, nil) },
		} {
			send().To(liburing.SockaddrFrom(to))
			runtime.GC()
			for range 1000 { // what could take the address's place
				_ = liburing.NewSockaddr()
			}
			ringtest.RunIdle(t, l)
			require.NoError(t, conn.SetReadDeadline(time.Now().Add(10*time.Second)))
			n, _, err := conn.ReadFrom(make([]byte, 10))
			require.NoError(t, err)
			require.Equal(t, 1, n)
		}
	})
}
