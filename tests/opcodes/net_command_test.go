//go:build linux

package opcodes_test

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"
	"unsafe"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestOpSocketCommands(t *testing.T) {
	ringtest.NeedsOps(t, liburing.OpURingCmd)
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		lfd, addr := listener(t, l, "127.0.0.1:0")
		client := connect(t, l, addr)
		server := ringtest.One(t, l, func(cb liburing.Callback) liburing.Request { return l.Accept(lfd, nil, 0, cb) })
		defer unix.Close(server)
		unix.Write(client, []byte("12345"))
		ringtest.One(t, l, func(cb liburing.Callback) liburing.Request { return l.PollAdd(server, unix.POLLIN, cb) })
		if ringtest.KernelBefore(6, 5) {
			c := ringtest.Do(t, l, func(cb liburing.Callback) liburing.Request {
				return l.CmdSock(liburing.SocketOpSIOCINQ, server, 0, 0, nil, cb)
			})
			require.ErrorIs(t, c[0].Err(), unix.EOPNOTSUPP)
			return
		}
		require.Equal(t, 5, ringtest.One(t, l, func(cb liburing.Callback) liburing.Request {
			return l.CmdSock(liburing.SocketOpSIOCINQ, server, 0, 0, nil, cb)
		}))
		require.Zero(t, ringtest.One(t, l, func(cb liburing.Callback) liburing.Request {
			return l.CmdSock(liburing.SocketOpSIOCOUTQ, server, 0, 0, nil, cb)
		}))

		val := make([]byte, 4)
		binary.NativeEndian.PutUint32(val, 1)
		if ringtest.KernelBefore(6, 7) {
			c := ringtest.Do(t, l, func(cb liburing.Callback) liburing.Request {
				return l.CmdSock(liburing.SocketOpSetsockopt, server, unix.SOL_SOCKET, unix.SO_KEEPALIVE, val, cb)
			})
			require.ErrorIs(t, c[0].Err(), unix.EOPNOTSUPP)
			return
		}
		ringtest.One(t, l, func(cb liburing.Callback) liburing.Request {
			return l.CmdSock(liburing.SocketOpSetsockopt, server, unix.SOL_SOCKET, unix.SO_KEEPALIVE, val, cb)
		})
		on, err := unix.GetsockoptInt(server, unix.SOL_SOCKET, unix.SO_KEEPALIVE)
		require.NoError(t, err)
		require.Equal(t, 1, on)
		clear(val)
		require.Equal(t, 4, ringtest.One(t, l, func(cb liburing.Callback) liburing.Request {
			return l.CmdSock(liburing.SocketOpGetsockopt, server, unix.SOL_SOCKET, unix.SO_KEEPALIVE, val, cb)
		}))
		require.EqualValues(t, 1, binary.NativeEndian.Uint32(val))

		name := liburing.NewSockaddr()
		c := ringtest.Do(t, l, func(cb liburing.Callback) liburing.Request { return l.CmdGetsockname(server, name, false, cb) })
		if c[0].Err() != nil { // before Linux 6.19
			require.ErrorIs(t, c[0].Err(), unix.EOPNOTSUPP)
		} else {
			require.Equal(t, addr.String(), name.String())
			c = ringtest.Do(t, l, func(cb liburing.Callback) liburing.Request { return l.CmdGetsockname(server, name, true, cb) })
			require.NoError(t, c[0].Err())
			require.NotEqual(t, addr.String(), name.String(), "the peer's")
		}
		c = ringtest.Do(t, l, func(cb liburing.Callback) liburing.Request { return l.CmdSock(99, server, 0, 0, nil, cb) })
		require.ErrorIs(t, c[0].Err(), unix.EOPNOTSUPP)
	})
}

// The kernel tells when a message was handed to the device, in completions with
// a second half.
func TestOpSocketTimestamps(t *testing.T) {
	for name, flags := range map[string]liburing.SetupFlags{"CQE32": liburing.SetupCQE32, "CQEMixed": liburing.SetupCQEMixed} {
		t.Run(name, func(t *testing.T) {
			l := ringtest.NewLoop(t, 8, liburing.WithFlags(flags))
			lfd, addr := listener(t, l, "127.0.0.1:0")
			client := connect(t, l, addr)
			server := ringtest.One(t, l, func(cb liburing.Callback) liburing.Request { return l.Accept(lfd, nil, 0, cb) })
			defer unix.Close(server)
			const wanted = unix.SOF_TIMESTAMPING_SOFTWARE | unix.SOF_TIMESTAMPING_OPT_CMSG | unix.SOF_TIMESTAMPING_OPT_ID |
				unix.SOF_TIMESTAMPING_OPT_TSONLY | unix.SOF_TIMESTAMPING_TX_SOFTWARE
			require.NoError(t, unix.SetsockoptInt(client, unix.SOL_SOCKET, unix.SO_TIMESTAMPING, wanted))
			before := time.Now()
			require.Equal(t, 10, ringtest.One(t, l, func(cb liburing.Callback) liburing.Request { return l.Send(client, ringtest.Pattern(10, 1), 0, cb) }))
			// The acknowledgement frees the message, and its time is there.
			ringtest.One(t, l, func(cb liburing.Callback) liburing.Request {
				return l.Recv(server, make([]byte, 10), unix.MSG_WAITALL, cb)
			})

			var times []time.Time
			var ids []int32
			var end error
			var req liburing.Request
			req = l.URingCmd(uint32(liburing.SocketOpTXTimestamp), client, func(c liburing.Completion) {
				if !c.More() {
					end = c.Err()
					return
				}
				big := c.BigCQE()
				times = append(times, time.Unix(int64(big[0]), int64(big[1])))
				ids = append(ids, c.Res)
				l.Cancel(req.Token(), 0, nil) // it would go on for ever
			})
			require.NoError(t, l.RunUntilIdle(t.Context()))
			if ringtest.IsAny(end, unix.EOPNOTSUPP, unix.EINVAL) { // before Linux 6.17
				t.Skip("this kernel does not tell timestamps through io_uring: ", end)
			}
			require.ErrorIs(t, end, unix.ECANCELED)
			require.Equal(t, []int32{9}, ids, "a stream counts bytes: the last one's number")
			require.WithinRange(t, times[0], before, time.Now())
		})
	}
}

// rawInet4 returns an address as the kernel writes it.
func rawInet4(ap netip.AddrPort) (raw unix.RawSockaddrInet4) {
	raw.Family, raw.Addr = unix.AF_INET, ap.Addr().As4()
	binary.BigEndian.PutUint16((*[2]byte)(unsafe.Pointer(&raw.Port))[:], ap.Port())
	return raw
}
