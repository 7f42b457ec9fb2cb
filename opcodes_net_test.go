//go:build linux && cgo

package liburing

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"path/filepath"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// do runs one request to its last completion and returns them all.
func do(t *testing.T, l *Loop, request func(cb Callback) Request) (all []Completion) {
	t.Helper()
	request(func(c Completion) { all = append(all, c) })
	run(t, l)
	require.NotEmpty(t, all)
	return all
}

// one is do for requests with one completion, which must succeed.
func one(t *testing.T, l *Loop, request func(cb Callback) Request) int {
	t.Helper()
	all := do(t, l, request)
	require.Len(t, all, 1)
	n, err := all[0].Result()
	require.NoError(t, err)
	return n
}

// socket makes one, with a request of the loop where the kernel knows that.
func socket(t *testing.T, l *Loop, domain int) (fd int) {
	t.Helper()
	const kind = unix.SOCK_STREAM | unix.SOCK_CLOEXEC
	if knows(t, OpSocket) {
		fd = one(t, l, func(cb Callback) Request { return l.Socket(domain, kind, 0, 0, cb) })
	} else {
		var err error
		fd, err = unix.Socket(domain, kind, 0)
		require.NoError(t, err)
		require.ErrorIs(t, do(t, l, func(cb Callback) Request { return l.Socket(domain, kind, 0, 0, cb) })[0].Err(), unix.EINVAL)
	}
	t.Cleanup(func() { unix.Close(fd) })
	return fd
}

// listen binds a socket and has it listen, with requests of the loop where the
// kernel knows them.
func listen(t *testing.T, l *Loop, fd int, addr *Sockaddr, old unix.Sockaddr) {
	t.Helper()
	if !knows(t, OpListen) {
		require.ErrorIs(t, do(t, l, func(cb Callback) Request { return l.Bind(fd, addr, cb) })[0].Err(), unix.EINVAL)
		require.ErrorIs(t, do(t, l, func(cb Callback) Request { return l.Listen(fd, 16, cb) })[0].Err(), unix.EINVAL)
		require.NoError(t, unix.Bind(fd, old))
		require.NoError(t, unix.Listen(fd, 16))
		return
	}
	one(t, l, func(cb Callback) Request { return l.Bind(fd, addr, cb) })
	one(t, l, func(cb Callback) Request { return l.Listen(fd, 16, cb) })
}

// listener makes a TCP listener.
func listener(t *testing.T, l *Loop, at string) (fd int, addr *Sockaddr) {
	t.Helper()
	ap := netip.MustParseAddrPort(at)
	domain, old := unix.AF_INET6, unix.Sockaddr(&unix.SockaddrInet6{Addr: ap.Addr().As16()})
	if ap.Addr().Is4() {
		domain, old = unix.AF_INET, &unix.SockaddrInet4{Addr: ap.Addr().As4()}
	}
	fd = socket(t, l, domain)
	listen(t, l, fd, SockaddrFrom(ap), old)
	sa, err := unix.Getsockname(fd)
	require.NoError(t, err)
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return fd, SockaddrFrom(netip.AddrPortFrom(ap.Addr(), uint16(sa.Port)))
	case *unix.SockaddrInet6:
		return fd, SockaddrFrom(netip.AddrPortFrom(ap.Addr(), uint16(sa.Port)))
	}
	t.Fatal("no address")
	return
}

// connect makes a client with requests of the loop; the accept is the caller's.
func connect(t *testing.T, l *Loop, to *Sockaddr) int {
	t.Helper()
	domain := unix.AF_INET
	if to.AddrPort().Addr().Is6() {
		domain = unix.AF_INET6
	}
	fd := socket(t, l, domain)
	l.Connect(fd, to, func(c Completion) { require.NoError(t, c.Err()) })
	return fd
}

func TestOpAcceptConnectSendRecv(t *testing.T) {
	for _, at := range []string{"127.0.0.1:0", "[::1]:0"} {
		overLoops(t, 8, func(t *testing.T, l *Loop) {
			lfd, addr := listener(t, l, at)
			client := connect(t, l, addr)
			peer := NewSockaddr()
			server := one(t, l, func(cb Callback) Request { return l.Accept(lfd, peer, unix.SOCK_CLOEXEC, cb) })
			defer unix.Close(server)
			require.Equal(t, addr.AddrPort().Addr(), peer.AddrPort().Addr())
			require.NotZero(t, peer.AddrPort().Port())

			require.Equal(t, 5, one(t, l, func(cb Callback) Request { return l.Send(client, []byte("hello"), unix.MSG_NOSIGNAL, cb) }))
			buf := make([]byte, 10)
			require.Equal(t, 5, one(t, l, func(cb Callback) Request { return l.Recv(server, buf, unix.MSG_PEEK, cb) }))
			require.Equal(t, 5, one(t, l, func(cb Callback) Request { return l.Recv(server, buf, 0, cb) }))
			require.Equal(t, "hello", string(buf[:5]))
			one(t, l, func(cb Callback) Request { return l.Shutdown(client, unix.SHUT_WR, cb) })
			require.Zero(t, one(t, l, func(cb Callback) Request { return l.Recv(server, buf, 0, cb) }), "the peer has closed")

			c := do(t, l, func(cb Callback) Request { return l.Connect(server, addr, cb) })
			require.ErrorIs(t, c[0].Err(), unix.EISCONN)
			c = do(t, l, func(cb Callback) Request { return l.Send(lfd, []byte("x"), unix.MSG_NOSIGNAL, cb) })
			require.ErrorIs(t, c[0].Err(), unix.EPIPE)
			c = do(t, l, func(cb Callback) Request { return l.Bind(lfd, addr, cb) })
			require.ErrorIs(t, c[0].Err(), unix.EINVAL)
			if knows(t, OpSocket) {
				c = do(t, l, func(cb Callback) Request { return l.Socket(9999, 0, 0, 0, cb) })
				require.ErrorIs(t, c[0].Err(), unix.EAFNOSUPPORT)
			}
		})
	}
}

func TestOpUnixSockets(t *testing.T) {
	l := newLoop(t, 8)
	path := filepath.Join(t.TempDir(), "sock")
	for _, name := range []string{path, fmt.Sprintf("@liburing-test-%d", unix.Getpid())} {
		addr, err := SockaddrUnix(name)
		require.NoError(t, err)
		require.Equal(t, name, addr.String())
		lfd := socket(t, l, unix.AF_UNIX)
		listen(t, l, lfd, addr, &unix.SockaddrUnix{Name: name})
		client := socket(t, l, unix.AF_UNIX)
		one(t, l, func(cb Callback) Request { return l.Connect(client, addr, cb) })
	}
	_, err := SockaddrUnix(string(make([]byte, 200)))
	require.ErrorIs(t, err, unix.EINVAL)
}

func TestOpMultishotAccept(t *testing.T) {
	needOps(t, OpSocket) // came with it, in Linux 5.19
	overLoops(t, 8, func(t *testing.T, l *Loop) {
		lfd, addr := listener(t, l, "127.0.0.1:0")
		const clients = 5
		var fds []int
		var end Completion
		var req Request
		req = l.MultishotAccept(lfd, nil, unix.SOCK_CLOEXEC, func(c Completion) {
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
		run(t, l)
		require.Len(t, fds, clients)
		for _, fd := range fds {
			unix.Close(fd)
		}
		require.ErrorIs(t, end.Err(), unix.ECANCELED)
	})
}

// Sockets that live in the table of registered files only.
func TestOpDirectSockets(t *testing.T) {
	needOps(t, OpSocket)
	overLoops(t, 8, func(t *testing.T, l *Loop) {
		require.NoError(t, l.Control(func(r *Ring) error { return r.RegisterFilesSparse(8) }))
		lfd, addr := listener(t, l, "127.0.0.1:0")
		one(t, l, func(cb Callback) Request { return l.SocketDirect(unix.AF_INET, unix.SOCK_STREAM, 0, 5, 0, cb) })
		l.Connect(5, addr, func(c Completion) { require.NoError(t, c.Err()) }).FixedFile()
		one(t, l, func(cb Callback) Request { return l.AcceptDirect(lfd, nil, 0, 6, cb) })
		l.Send(5, []byte("direct"), 0, func(c Completion) { require.EqualValues(t, 6, c.Res) }).FixedFile()
		run(t, l)
		buf := make([]byte, 6)
		require.Equal(t, 6, one(t, l, func(cb Callback) Request { return l.Recv(6, buf, 0, cb).FixedFile() }))
		require.Equal(t, "direct", string(buf))

		i := one(t, l, func(cb Callback) Request { return l.SocketDirectAlloc(unix.AF_INET, unix.SOCK_STREAM, 0, 0, cb) })
		var got []int
		l.Connect(i, addr, nil).FixedFile()
		var req Request
		req = l.MultishotAcceptDirect(lfd, nil, 0, func(c Completion) {
			if c.More() {
				got = append(got, int(c.Res))
				l.Cancel(req.Token(), 0, nil)
			}
		})
		run(t, l)
		require.Len(t, got, 1)
		require.Less(t, got[0], 8)
		for _, index := range []int{5, 6, i, got[0]} {
			one(t, l, func(cb Callback) Request { return l.CloseDirect(Fixed(index), cb) })
		}
		c := do(t, l, func(cb Callback) Request { return l.CloseDirect(5, cb) })
		require.ErrorIs(t, c[0].Err(), unix.EBADF)
		c = do(t, l, func(cb Callback) Request { return l.SocketDirect(unix.AF_INET, unix.SOCK_STREAM, 0, 99, 0, cb) })
		require.ErrorIs(t, c[0].Err(), unix.EINVAL)
	})
}

// provideRing gives a loop's ring a group of n buffers of size bytes.
func provideRing(t *testing.T, l *Loop, bgid uint16, n, size int, flags BufRingFlags) (br *BufRing, mem []byte) {
	t.Helper()
	needOps(t, OpSocket) // came with rings of buffers, in Linux 5.19
	mem = make([]byte, n*size)
	require.NoError(t, l.Control(func(r *Ring) (err error) {
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
	overLoops(t, 8, func(t *testing.T, l *Loop) {
		br, mem := provideRing(t, l, 3, 4, 16, 0)
		fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET, 0)
		require.NoError(t, err)
		defer unix.Close(fds[0])
		defer unix.Close(fds[1])
		for i := range 6 {
			unix.Write(fds[0], []byte{byte(i), byte(i)})
		}
		recv := func() (messages []byte, end error) {
			all := do(t, l, func(cb Callback) Request {
				req := l.RecvMultishot(fds[1], nil, 0, cb).Flags(SQEBufferSelect)
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
	l := newLoop(t, 8)
	var features Features
	l.Control(func(r *Ring) error { features = r.Features(); return nil })
	if features&FeatRecvSendBundle == 0 {
		t.Skip("this kernel has no FeatRecvSendBundle")
	}
	_, out := provideRing(t, l, 1, 4, 8, 0)
	_, in := provideRing(t, l, 2, 8, 8, 0)
	copy(out, pattern(len(out), 3))
	lfd, addr := listener(t, l, "127.0.0.1:0")
	client := connect(t, l, addr)
	server := one(t, l, func(cb Callback) Request { return l.Accept(lfd, nil, 0, cb) })
	defer unix.Close(server)
	n := one(t, l, func(cb Callback) Request {
		req := l.SendBundle(client, 0, 0, cb).Flags(SQEBufferSelect)
		req.SQE().SetBufGroup(1)
		return req
	})
	require.Equal(t, len(out), n, "all four buffers in one go")
	n = one(t, l, func(cb Callback) Request {
		req := l.Recv(server, nil, 0, cb).Flags(SQEBufferSelect)
		req.SQE().SetBufGroup(2)
		req.SQE().IOPrio |= uint16(RecvSendBundle)
		return req
	})
	require.Equal(t, len(out), n)
	require.Equal(t, out, in[:n])
}

// udpPair returns two UDP sockets on loopback and their addresses.
func udpPair(t *testing.T) (a, b int, addrA, addrB *Sockaddr) {
	t.Helper()
	open := func() (int, *Sockaddr) {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		require.NoError(t, err)
		t.Cleanup(func() { unix.Close(fd) })
		require.NoError(t, unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
		sa, err := unix.Getsockname(fd)
		require.NoError(t, err)
		port := uint16(sa.(*unix.SockaddrInet4).Port)
		return fd, SockaddrFrom(netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), port))
	}
	a, addrA = open()
	b, addrB = open()
	return
}

func TestOpSendtoAndMessages(t *testing.T) {
	overLoops(t, 8, func(t *testing.T, l *Loop) {
		a, b, addrA, addrB := udpPair(t)
		sendto := func(cb Callback) Request { return l.Sendto(a, []byte("one"), 0, addrB, cb) }
		if knows(t, OpSendmsgZC) { // came with it, in Linux 6.1
			require.Equal(t, 3, one(t, l, sendto))
		} else {
			require.ErrorIs(t, do(t, l, sendto)[0].Err(), unix.EINVAL)
			to := &unix.SockaddrInet4{Port: int(addrB.AddrPort().Port()), Addr: [4]byte{127, 0, 0, 1}}
			require.NoError(t, unix.Sendto(a, []byte("one"), 0, to))
		}
		in := make([]byte, 10)
		from := NewSockaddr()
		iov := Iovec{Base: &in[0], Len: 10}
		msg := &Msghdr{Name: &from.raw[0], Namelen: uint32(len(from.raw)), Iov: &iov, Iovlen: 1}
		require.Equal(t, 3, one(t, l, func(cb Callback) Request { return l.Recvmsg(b, msg, 0, cb) }))
		require.Equal(t, "one", string(in[:3]))
		require.Equal(t, addrA.String(), from.String())

		out := []byte("two")
		iovOut := Iovec{Base: &out[0], Len: 3}
		send := &Msghdr{Name: &addrB.raw[0], Namelen: addrB.len, Iov: &iovOut, Iovlen: 1}
		require.Equal(t, 3, one(t, l, func(cb Callback) Request { return l.Sendmsg(a, send, 0, cb) }))
		require.Equal(t, 3, one(t, l, func(cb Callback) Request { return l.Recv(b, in, 0, cb) }))
		require.Equal(t, "two", string(in[:3]))
	})
}

// A multishot recvmsg: sender, control message and payload in a buffer each.
func TestOpRecvmsgMultishot(t *testing.T) {
	overLoops(t, 8, func(t *testing.T, l *Loop) {
		_, mem := provideRing(t, l, 4, 2, 256, 0)
		a, b, addrA, addrB := udpPair(t)
		require.NoError(t, unix.SetsockoptInt(b, unix.SOL_SOCKET, unix.SO_TIMESTAMP, 1))
		for i := range 2 {
			sa := &unix.SockaddrInet4{Port: int(addrB.AddrPort().Port()), Addr: [4]byte{127, 0, 0, 1}}
			require.NoError(t, unix.Sendto(a, []byte{'m', byte('0' + i)}, 0, sa))
		}
		msg := &Msghdr{Namelen: 16}
		msg.SetControllen(64)
		all := do(t, l, func(cb Callback) Request {
			req := l.RecvmsgMultishot(b, msg, 0, cb).Flags(SQEBufferSelect)
			req.SQE().SetBufGroup(4)
			return req
		})
		require.Len(t, all, 3)
		for i, c := range all[:2] {
			require.True(t, c.More())
			bid, _ := c.BufferID()
			buf := mem[int(bid)*256:][:c.Res]
			out := RecvmsgValidate(buf, msg)
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
			require.Nil(t, RecvmsgValidate(buf[:20], msg))
			require.Nil(t, RecvmsgValidate(nil, msg))
		}
		require.ErrorIs(t, all[2].Err(), unix.ENOBUFS)
	})
}

// Walking control messages stays inside of the buffer, whatever their lengths
// say.
func TestCmsgNexthdrOnBadLengths(t *testing.T) {
	buf := make([]byte, 16+64)
	binary.NativeEndian.PutUint32(buf[4:], 64)
	msg := &Msghdr{}
	msg.SetControllen(64)
	header := func(at, length int) { binary.NativeEndian.PutUint64(buf[16+at:], uint64(length)) }
	header(0, 24)
	header(24, 40)
	out := RecvmsgValidate(buf, msg)
	first := out.CmsgFirsthdr()
	second := out.CmsgNexthdr(first)
	require.Equal(t, unsafe.Pointer(&buf[16+24]), unsafe.Pointer(second))
	require.Nil(t, out.CmsgNexthdr(second))
	for _, bad := range []int{0, 15, 1 << 40, -1} {
		header(0, bad)
		require.Nil(t, out.CmsgNexthdr(first), "%d", bad)
	}
	header(0, 24)
	header(24, 1000)
	require.Nil(t, out.CmsgNexthdr(first))
}

// Zero-copy: the result with more to come, then the notification, and the usage
// if asked for.
func TestOpZeroCopySends(t *testing.T) {
	needOps(t, OpSendZC)
	overLoops(t, 8, func(t *testing.T, l *Loop) {
		lfd, addr := listener(t, l, "127.0.0.1:0")
		client := connect(t, l, addr)
		server := one(t, l, func(cb Callback) Request { return l.Accept(lfd, nil, 0, cb) })
		defer unix.Close(server)
		pool, err := NewBufferPool(1, 4096)
		require.NoError(t, err)
		require.NoError(t, l.Control(func(r *Ring) error { return r.RegisterBuffers(pool.Buffers()) }))
		b, _ := pool.Get()
		fixed := b.Bytes[:1000]
		copy(fixed, pattern(1000, 1))
		iov := Iovec{Base: &fixed[0], Len: 1000}
		msg := &Msghdr{Iov: &iov, Iovlen: 1}
		got := make([]byte, 1000)
		for name, send := range map[string]func(cb Callback) Request{
			"send_zc":          func(cb Callback) Request { return l.SendZC(client, pattern(1000, 1), 0, SendZCReportUsage, cb) },
			"send_zc_fixed":    func(cb Callback) Request { return l.SendZCFixed(client, fixed, 0, SendZCReportUsage, 0, cb) },
			"sendmsg_zc":       func(cb Callback) Request { return l.SendmsgZC(client, msg, 0, cb) },
			"sendmsg_zc_fixed": func(cb Callback) Request { return l.SendmsgZCFixed(client, msg, 0, 0, cb) },
		} {
			if name == "sendmsg_zc_fixed" && kernelBefore(6, 15) {
				require.ErrorIs(t, do(t, l, send)[0].Err(), unix.EINVAL)
				continue
			}
			l.Recv(server, got, unix.MSG_WAITALL, nil)
			all := do(t, l, send)
			require.Len(t, all, 2, name)
			require.EqualValues(t, 1000, all[0].Res, name)
			require.True(t, all[0].More(), name)
			require.NotZero(t, all[1].Flags&CQEFNotif, name)
			require.False(t, all[1].More(), name)
			require.Equal(t, pattern(1000, 1), got, name)
			if all[1].Res != 0 { // loopback copies
				require.EqualValues(t, uint32(NotifUsageZCCopied), uint32(all[1].Res), name)
			}
			require.NoError(t, all[1].Err(), "that the bytes were copied is no error")
			require.NoError(t, (&CQE{Res: all[1].Res, Flags: all[1].Flags}).Err())
			clear(got)
		}
		c := do(t, l, func(cb Callback) Request { return l.SendZC(lfd, []byte("x"), unix.MSG_NOSIGNAL, 0, cb) })
		require.ErrorIs(t, c[0].Err(), unix.EPIPE)
		closeLoop(t, l)
		require.NoError(t, pool.Put(b))
		require.NoError(t, pool.Close())
	})
}

func TestOpSocketCommands(t *testing.T) {
	needOps(t, OpURingCmd)
	overLoops(t, 8, func(t *testing.T, l *Loop) {
		lfd, addr := listener(t, l, "127.0.0.1:0")
		client := connect(t, l, addr)
		server := one(t, l, func(cb Callback) Request { return l.Accept(lfd, nil, 0, cb) })
		defer unix.Close(server)
		unix.Write(client, []byte("12345"))
		one(t, l, func(cb Callback) Request { return l.PollAdd(server, unix.POLLIN, cb) })
		if kernelBefore(6, 5) {
			c := do(t, l, func(cb Callback) Request { return l.CmdSock(SocketOpSIOCINQ, server, 0, 0, nil, cb) })
			require.ErrorIs(t, c[0].Err(), unix.EOPNOTSUPP)
			return
		}
		require.Equal(t, 5, one(t, l, func(cb Callback) Request { return l.CmdSock(SocketOpSIOCINQ, server, 0, 0, nil, cb) }))
		require.Zero(t, one(t, l, func(cb Callback) Request { return l.CmdSock(SocketOpSIOCOUTQ, server, 0, 0, nil, cb) }))

		val := make([]byte, 4)
		binary.NativeEndian.PutUint32(val, 1)
		if kernelBefore(6, 7) {
			c := do(t, l, func(cb Callback) Request {
				return l.CmdSock(SocketOpSetsockopt, server, unix.SOL_SOCKET, unix.SO_KEEPALIVE, val, cb)
			})
			require.ErrorIs(t, c[0].Err(), unix.EOPNOTSUPP)
			return
		}
		one(t, l, func(cb Callback) Request {
			return l.CmdSock(SocketOpSetsockopt, server, unix.SOL_SOCKET, unix.SO_KEEPALIVE, val, cb)
		})
		on, err := unix.GetsockoptInt(server, unix.SOL_SOCKET, unix.SO_KEEPALIVE)
		require.NoError(t, err)
		require.Equal(t, 1, on)
		clear(val)
		require.Equal(t, 4, one(t, l, func(cb Callback) Request {
			return l.CmdSock(SocketOpGetsockopt, server, unix.SOL_SOCKET, unix.SO_KEEPALIVE, val, cb)
		}))
		require.EqualValues(t, 1, binary.NativeEndian.Uint32(val))

		name := NewSockaddr()
		c := do(t, l, func(cb Callback) Request { return l.CmdGetsockname(server, name, false, cb) })
		if c[0].Err() != nil { // before Linux 6.19
			require.ErrorIs(t, c[0].Err(), unix.EOPNOTSUPP)
		} else {
			require.Equal(t, addr.String(), name.String())
			c = do(t, l, func(cb Callback) Request { return l.CmdGetsockname(server, name, true, cb) })
			require.NoError(t, c[0].Err())
			require.NotEqual(t, addr.String(), name.String(), "the peer's")
		}
		c = do(t, l, func(cb Callback) Request { return l.CmdSock(99, server, 0, 0, nil, cb) })
		require.ErrorIs(t, c[0].Err(), unix.EOPNOTSUPP)
	})
}

// The kernel tells when a message was handed to the device, in completions with
// a second half.
func TestOpSocketTimestamps(t *testing.T) {
	for name, flags := range map[string]SetupFlags{"CQE32": SetupCQE32, "CQEMixed": SetupCQEMixed} {
		t.Run(name, func(t *testing.T) {
			l := newLoop(t, 8, WithFlags(flags))
			lfd, addr := listener(t, l, "127.0.0.1:0")
			client := connect(t, l, addr)
			server := one(t, l, func(cb Callback) Request { return l.Accept(lfd, nil, 0, cb) })
			defer unix.Close(server)
			const wanted = unix.SOF_TIMESTAMPING_SOFTWARE | unix.SOF_TIMESTAMPING_OPT_CMSG | unix.SOF_TIMESTAMPING_OPT_ID |
				unix.SOF_TIMESTAMPING_OPT_TSONLY | unix.SOF_TIMESTAMPING_TX_SOFTWARE
			require.NoError(t, unix.SetsockoptInt(client, unix.SOL_SOCKET, unix.SO_TIMESTAMPING, wanted))
			before := time.Now()
			require.Equal(t, 10, one(t, l, func(cb Callback) Request { return l.Send(client, pattern(10, 1), 0, cb) }))
			// The acknowledgement frees the message, and its time is there.
			one(t, l, func(cb Callback) Request { return l.Recv(server, make([]byte, 10), unix.MSG_WAITALL, cb) })

			var times []time.Time
			var ids []int32
			var end error
			var req Request
			req = l.URingCmd(uint32(SocketOpTXTimestamp), client, func(c Completion) {
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
			if isAny(end, unix.EOPNOTSUPP, unix.EINVAL) { // before Linux 6.17
				t.Skip("this kernel does not tell timestamps through io_uring: ", end)
			}
			require.ErrorIs(t, end, unix.ECANCELED)
			require.Equal(t, []int32{9}, ids, "a stream counts bytes: the last one's number")
			require.WithinRange(t, times[0], before, time.Now())
		})
	}
}
