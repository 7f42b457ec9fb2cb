//go:build linux

package opcodes_test

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// socket makes one, with a request of the loop where the kernel knows that.
func socket(t *testing.T, l *liburing.Loop, domain int) (fd int) {
	t.Helper()
	const kind = unix.SOCK_STREAM | unix.SOCK_CLOEXEC
	if ringtest.Knows(t, liburing.OpSocket) {
		fd = ringtest.One(t, l, func(cb liburing.Callback) liburing.Request { return l.Socket(domain, kind, 0, 0, cb) })
	} else {
		var err error
		fd, err = unix.Socket(domain, kind, 0)
		require.NoError(t, err)
		require.ErrorIs(t, ringtest.Do(t, l, func(cb liburing.Callback) liburing.Request { return l.Socket(domain, kind, 0, 0, cb) })[0].Err(), unix.EINVAL)
	}
	t.Cleanup(func() { unix.Close(fd) })
	return fd
}

// listen binds a socket and has it listen, with requests of the loop where the
// kernel knows them.
func listen(t *testing.T, l *liburing.Loop, fd int, addr *liburing.Sockaddr, old unix.Sockaddr) {
	t.Helper()
	if !ringtest.Knows(t, liburing.OpListen) {
		require.ErrorIs(t, ringtest.Do(t, l, func(cb liburing.Callback) liburing.Request { return l.Bind(fd, addr, cb) })[0].Err(), unix.EINVAL)
		require.ErrorIs(t, ringtest.Do(t, l, func(cb liburing.Callback) liburing.Request { return l.Listen(fd, 16, cb) })[0].Err(), unix.EINVAL)
		require.NoError(t, unix.Bind(fd, old))
		require.NoError(t, unix.Listen(fd, 16))
		return
	}
	ringtest.One(t, l, func(cb liburing.Callback) liburing.Request { return l.Bind(fd, addr, cb) })
	ringtest.One(t, l, func(cb liburing.Callback) liburing.Request { return l.Listen(fd, 16, cb) })
}

// listener makes a TCP listener.
func listener(t *testing.T, l *liburing.Loop, at string) (fd int, addr *liburing.Sockaddr) {
	t.Helper()
	ap := netip.MustParseAddrPort(at)
	domain, old := unix.AF_INET6, unix.Sockaddr(&unix.SockaddrInet6{Addr: ap.Addr().As16()})
	if ap.Addr().Is4() {
		domain, old = unix.AF_INET, &unix.SockaddrInet4{Addr: ap.Addr().As4()}
	}
	fd = socket(t, l, domain)
	listen(t, l, fd, liburing.SockaddrFrom(ap), old)
	sa, err := unix.Getsockname(fd)
	require.NoError(t, err)
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return fd, liburing.SockaddrFrom(netip.AddrPortFrom(ap.Addr(), uint16(sa.Port)))
	case *unix.SockaddrInet6:
		return fd, liburing.SockaddrFrom(netip.AddrPortFrom(ap.Addr(), uint16(sa.Port)))
	}
	t.Fatal("no address")
	return
}

// connect makes a client with requests of the loop; the accept is the caller's.
func connect(t *testing.T, l *liburing.Loop, to *liburing.Sockaddr) int {
	t.Helper()
	domain := unix.AF_INET
	if to.AddrPort().Addr().Is6() {
		domain = unix.AF_INET6
	}
	fd := socket(t, l, domain)
	l.Connect(fd, to, func(c liburing.Completion) { require.NoError(t, c.Err()) })
	return fd
}

func TestOpAcceptConnectSendRecv(t *testing.T) {
	for _, at := range []string{"127.0.0.1:0", "[::1]:0"} {
		ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
			lfd, addr := listener(t, l, at)
			client := connect(t, l, addr)
			peer := liburing.NewSockaddr()
			server := ringtest.One(t, l, func(cb liburing.Callback) liburing.Request { return l.Accept(lfd, peer, unix.SOCK_CLOEXEC, cb) })
			defer unix.Close(server)
			require.Equal(t, addr.AddrPort().Addr(), peer.AddrPort().Addr())
			require.NotZero(t, peer.AddrPort().Port())

			require.Equal(t, 5, ringtest.One(t, l, func(cb liburing.Callback) liburing.Request {
				return l.Send(client, []byte("hello"), unix.MSG_NOSIGNAL, cb)
			}))
			buf := make([]byte, 10)
			require.Equal(t, 5, ringtest.One(t, l, func(cb liburing.Callback) liburing.Request { return l.Recv(server, buf, unix.MSG_PEEK, cb) }))
			require.Equal(t, 5, ringtest.One(t, l, func(cb liburing.Callback) liburing.Request { return l.Recv(server, buf, 0, cb) }))
			require.Equal(t, "hello", string(buf[:5]))
			ringtest.One(t, l, func(cb liburing.Callback) liburing.Request { return l.Shutdown(client, unix.SHUT_WR, cb) })
			require.Zero(t, ringtest.One(t, l, func(cb liburing.Callback) liburing.Request { return l.Recv(server, buf, 0, cb) }), "the peer has closed")

			c := ringtest.Do(t, l, func(cb liburing.Callback) liburing.Request { return l.Connect(server, addr, cb) })
			require.ErrorIs(t, c[0].Err(), unix.EISCONN)
			c = ringtest.Do(t, l, func(cb liburing.Callback) liburing.Request { return l.Send(lfd, []byte("x"), unix.MSG_NOSIGNAL, cb) })
			require.ErrorIs(t, c[0].Err(), unix.EPIPE)
			c = ringtest.Do(t, l, func(cb liburing.Callback) liburing.Request { return l.Bind(lfd, addr, cb) })
			require.ErrorIs(t, c[0].Err(), unix.EINVAL)
			if ringtest.Knows(t, liburing.OpSocket) {
				c = ringtest.Do(t, l, func(cb liburing.Callback) liburing.Request { return l.Socket(9999, 0, 0, 0, cb) })
				require.ErrorIs(t, c[0].Err(), unix.EAFNOSUPPORT)
			}
		})
	}
}

func TestOpUnixSockets(t *testing.T) {
	l := ringtest.NewLoop(t, 8)
	path := filepath.Join(t.TempDir(), "sock")
	for _, name := range []string{path, fmt.Sprintf("@liburing-test-%d", unix.Getpid())} {
		addr, err := liburing.SockaddrUnix(name)
		require.NoError(t, err)
		require.Equal(t, name, addr.String())
		lfd := socket(t, l, unix.AF_UNIX)
		listen(t, l, lfd, addr, &unix.SockaddrUnix{Name: name})
		client := socket(t, l, unix.AF_UNIX)
		ringtest.One(t, l, func(cb liburing.Callback) liburing.Request { return l.Connect(client, addr, cb) })
	}
	_, err := liburing.SockaddrUnix(string(make([]byte, 200)))
	require.ErrorIs(t, err, unix.EINVAL)
}

func TestOpMultishotAccept(t *testing.T) {
	ringtest.NeedsOps(t, liburing.OpSocket) // came with it, in Linux 5.19
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		lfd, addr := listener(t, l, "127.0.0.1:0")
		const clients = 5
		var fds []int
		var end liburing.Completion
		var req liburing.Request
		req = l.MultishotAccept(lfd, nil, unix.SOCK_CLOEXEC, func(c liburing.Completion) {
			if !c.More() {
				end = c
				return
			}
			require.NoError(t, c.Err())
			if fds = append(fds, int(c.Res)); len(fds) == clients {
				l.Cancel(req.Token(), 0, nil)
			}
		})
		for range clients {
			fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
			require.NoError(t, err)
			defer unix.Close(fd)
			l.Connect(fd, addr, nil)
		}
		ringtest.RunIdle(t, l)
		require.Len(t, fds, clients)
		for _, fd := range fds {
			unix.Close(fd)
		}
		require.ErrorIs(t, end.Err(), unix.ECANCELED)
	})
}

// Sockets that live in the table of registered files only.
func TestOpDirectSockets(t *testing.T) {
	ringtest.NeedsOps(t, liburing.OpSocket)
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		require.NoError(t, l.Control(func(r *liburing.Ring) error { return r.RegisterFilesSparse(8) }))
		lfd, addr := listener(t, l, "127.0.0.1:0")
		ringtest.One(t, l, func(cb liburing.Callback) liburing.Request {
			return l.SocketDirect(unix.AF_INET, unix.SOCK_STREAM, 0, 5, 0, cb)
		})
		l.Connect(5, addr, func(c liburing.Completion) { require.NoError(t, c.Err()) }).FixedFile()
		ringtest.One(t, l, func(cb liburing.Callback) liburing.Request { return l.AcceptDirect(lfd, nil, 0, 6, cb) })
		l.Send(5, []byte("direct"), 0, func(c liburing.Completion) { require.EqualValues(t, 6, c.Res) }).FixedFile()
		ringtest.RunIdle(t, l)
		buf := make([]byte, 6)
		require.Equal(t, 6, ringtest.One(t, l, func(cb liburing.Callback) liburing.Request { return l.Recv(6, buf, 0, cb).FixedFile() }))
		require.Equal(t, "direct", string(buf))

		i := ringtest.One(t, l, func(cb liburing.Callback) liburing.Request {
			return l.SocketDirectAlloc(unix.AF_INET, unix.SOCK_STREAM, 0, 0, cb)
		})
		var got []int
		l.Connect(i, addr, nil).FixedFile()
		var req liburing.Request
		req = l.MultishotAcceptDirect(lfd, nil, 0, func(c liburing.Completion) {
			if c.More() {
				got = append(got, int(c.Res))
				l.Cancel(req.Token(), 0, nil)
			}
		})
		ringtest.RunIdle(t, l)
		require.Len(t, got, 1)
		require.Less(t, got[0], 8)
		for _, index := range []int{5, 6, i, got[0]} {
			ringtest.One(t, l, func(cb liburing.Callback) liburing.Request { return l.CloseDirect(liburing.Fixed(index), cb) })
		}
		c := ringtest.Do(t, l, func(cb liburing.Callback) liburing.Request { return l.CloseDirect(5, cb) })
		require.ErrorIs(t, c[0].Err(), unix.EBADF)
		c = ringtest.Do(t, l, func(cb liburing.Callback) liburing.Request {
			return l.SocketDirect(unix.AF_INET, unix.SOCK_STREAM, 0, 99, 0, cb)
		})
		require.ErrorIs(t, c[0].Err(), unix.EINVAL)
	})
}

// provideRing gives a loop's ring a group of n buffers of size bytes.
func provideRing(t *testing.T, l *liburing.Loop, bgid uint16, n, size int, flags liburing.BufRingFlags) (br *liburing.BufRing, mem []byte) {
	t.Helper()
	ringtest.NeedsOps(t, liburing.OpSocket) // came with rings of buffers, in Linux 5.19
	mem = make([]byte, n*size)
	require.NoError(t, l.Control(func(r *liburing.Ring) (err error) {
		if br, err = r.SetupBufRing(n, bgid, flags); err != nil {
			return err
		}
		for i := range n {
			br.Add(mem[i*size:(i+1)*size], uint16(i), i)
		}
		br.Advance(n)
		return nil
	}))
	return br, mem
}

// A multishot receive takes a buffer for each message, ends with ENOBUFS when
// they have run dry, and goes on when it is made again.
func TestOpRecvMultishot(t *testing.T) {
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		br, mem := provideRing(t, l, 3, 4, 16, 0)
		fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET, 0)
		require.NoError(t, err)
		defer unix.Close(fds[0])
		defer unix.Close(fds[1])
		for i := range 6 {
			unix.Write(fds[0], []byte{byte(i), byte(i)})
		}
		recv := func() (messages []byte, end error) {
			all := ringtest.Do(t, l, func(cb liburing.Callback) liburing.Request {
				req := l.RecvMultishot(fds[1], nil, 0, cb).Flags(liburing.SQEBufferSelect)
				req.SQE().SetBufGroup(3)
				return req
			})
			for _, c := range all {
				if bid, ok := c.BufferID(); ok && c.Res > 0 {
					messages = append(messages, mem[int(bid)*16])
				}
			}
			return messages, all[len(all)-1].Err()
		}
		messages, end := recv()
		require.Equal(t, []byte{0, 1, 2, 3}, messages)
		require.ErrorIs(t, end, unix.ENOBUFS)
		for i := range 4 {
			br.Add(mem[i*16:(i+1)*16], uint16(i), i)
		}
		br.Advance(4)
		unix.Shutdown(fds[0], unix.SHUT_WR)
		messages, end = recv()
		require.Equal(t, []byte{4, 5}, messages)
		require.NoError(t, end, "the peer has closed")
	})
}

func TestOpBundles(t *testing.T) {
	l := ringtest.NewLoop(t, 8)
	ringtest.NeedsFeatures(t, liburing.FeatRecvSendBundle)
	_, out := provideRing(t, l, 1, 4, 8, 0)
	_, in := provideRing(t, l, 2, 8, 8, 0)
	copy(out, ringtest.Pattern(len(out), 3))
	lfd, addr := listener(t, l, "127.0.0.1:0")
	client := connect(t, l, addr)
	server := ringtest.One(t, l, func(cb liburing.Callback) liburing.Request { return l.Accept(lfd, nil, 0, cb) })
	defer unix.Close(server)
	n := ringtest.One(t, l, func(cb liburing.Callback) liburing.Request {
		req := l.SendBundle(client, 0, 0, cb).Flags(liburing.SQEBufferSelect)
		req.SQE().SetBufGroup(1)
		return req
	})
	require.Equal(t, len(out), n, "all four buffers in one go")
	n = ringtest.One(t, l, func(cb liburing.Callback) liburing.Request {
		req := l.Recv(server, nil, 0, cb).Flags(liburing.SQEBufferSelect)
		req.SQE().SetBufGroup(2)
		req.SQE().IOPrio |= uint16(liburing.RecvSendBundle)
		return req
	})
	require.Equal(t, len(out), n)
	require.Equal(t, out, in[:n])
}

// The other end of a direct descriptor is told of its end by a shutdown, also where the
// kernel lets go of the file only when older requests on other ones have ended.
func TestShutdownBeforeACloseDirect(t *testing.T) {
	ringtest.NeedsOps(t, liburing.OpLinkat) // came with direct descriptors, in Linux 5.15
	l := ringtest.NewLoop(t, 8)
	ringtest.SparseFiles(t, l, 2)
	var theirs [2]int
	require.NoError(t, l.Control(func(r *liburing.Ring) error {
		for i := range theirs {
			ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
			if err != nil {
				return err
			}
			theirs[i] = ends[1]
			t.Cleanup(func() { unix.Close(ends[1]) })
			defer unix.Close(ends[0])
			if _, err := r.RegisterFilesUpdate(i, ends[:1]); err != nil {
				return err
			}
		}
		return nil
	}))
	waits := l.Recv(liburing.Fixed(0).FD(), make([]byte, 1), 0, nil)
	ringtest.RunFor(t, l, time.Millisecond)
	l.Shutdown(liburing.Fixed(1).FD(), unix.SHUT_RDWR, nil).HardLinkNext()
	closed := false
	l.CloseDirect(1, func(c liburing.Completion) {
		require.NoError(t, c.Err())
		closed = true
	})
	ringtest.RunUntil(t, l, 10*time.Millisecond, func() bool { return closed })
	n, err := unix.Read(theirs[1], make([]byte, 1))
	require.NoError(t, err)
	require.Zero(t, n)
	l.Cancel(waits.Token(), 0, nil)
	ringtest.RunIdle(t, l)
}

// A send that takes its buffer from a group ignores that it should send iovecs: the bytes
// of the buffer go out, whatever they are.
func TestSendVectorizedFromAGroup(t *testing.T) {
	ringtest.NeedsKernel(t, 6, 17)
	l := ringtest.NewLoop(t, 8)
	_, out := provideRing(t, l, 1, 1, 16, 0)
	copy(out, ringtest.Pattern(len(out), 3))
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	defer unix.Close(ends[0])
	defer unix.Close(ends[1])
	n := ringtest.One(t, l, func(cb liburing.Callback) liburing.Request {
		req := l.Send(ends[0], nil, 0, cb).Flags(liburing.SQEBufferSelect)
		req.SQE().SetBufGroup(1)
		req.SQE().IOPrio |= uint16(liburing.SendVectorized)
		return req
	})
	require.Equal(t, len(out), n)
	in := make([]byte, 2*len(out))
	n, err = unix.Read(ends[1], in)
	require.NoError(t, err)
	require.Equal(t, out, in[:n])
}

// Zero-copy: the result with more to come, then the notification, and the usage
// if asked for.
func TestOpZeroCopySends(t *testing.T) {
	ringtest.NeedsOps(t, liburing.OpSendZC)
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		lfd, addr := listener(t, l, "127.0.0.1:0")
		client := connect(t, l, addr)
		server := ringtest.One(t, l, func(cb liburing.Callback) liburing.Request { return l.Accept(lfd, nil, 0, cb) })
		defer unix.Close(server)
		pool, err := liburing.NewBufferPool(1, 4096)
		require.NoError(t, err)
		require.NoError(t, l.Control(func(r *liburing.Ring) error { return r.RegisterBuffers(pool.Buffers()) }))
		b, _ := pool.Get()
		fixed := b.Bytes[:1000]
		copy(fixed, ringtest.Pattern(1000, 1))
		iov := liburing.Iovec{Base: &fixed[0], Len: 1000}
		msg := &liburing.Msghdr{Iov: &iov, Iovlen: 1}
		got := make([]byte, 1000)
		for name, send := range map[string]func(cb liburing.Callback) liburing.Request{
			"send_zc": func(cb liburing.Callback) liburing.Request {
				return l.SendZC(client, ringtest.Pattern(1000, 1), 0, liburing.SendZCReportUsage, cb)
			},
			"send_zc_fixed": func(cb liburing.Callback) liburing.Request {
				return l.SendZCFixed(client, fixed, 0, liburing.SendZCReportUsage, 0, cb)
			},
			"sendmsg_zc":       func(cb liburing.Callback) liburing.Request { return l.SendmsgZC(client, msg, 0, cb) },
			"sendmsg_zc_fixed": func(cb liburing.Callback) liburing.Request { return l.SendmsgZCFixed(client, msg, 0, 0, cb) },
		} {
			if name == "sendmsg_zc_fixed" && ringtest.KernelBefore(6, 15) {
				require.ErrorIs(t, ringtest.Do(t, l, send)[0].Err(), unix.EINVAL)
				continue
			}
			l.Recv(server, got, unix.MSG_WAITALL, nil)
			all := ringtest.Do(t, l, send)
			require.Len(t, all, 2, name)
			require.EqualValues(t, 1000, all[0].Res, name)
			require.True(t, all[0].More(), name)
			require.NotZero(t, all[1].Flags&liburing.CQEFNotif, name)
			require.False(t, all[1].More(), name)
			require.Equal(t, ringtest.Pattern(1000, 1), got, name)
			if all[1].Res != 0 { // loopback copies
				require.EqualValues(t, uint32(liburing.NotifUsageZCCopied), uint32(all[1].Res), name)
			}
			require.NoError(t, all[1].Err(), "that the bytes were copied is no error")
			require.NoError(t, (&liburing.CQE{Res: all[1].Res, Flags: all[1].Flags}).Err())
			clear(got)
		}
		c := ringtest.Do(t, l, func(cb liburing.Callback) liburing.Request {
			return l.SendZC(lfd, []byte("x"), unix.MSG_NOSIGNAL, 0, cb)
		})
		require.ErrorIs(t, c[0].Err(), unix.EPIPE)
		ringtest.CloseLoop(t, l)
		require.NoError(t, pool.Put(b))
		require.NoError(t, pool.Close())
	})
}
