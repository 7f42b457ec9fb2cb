//go:build linux

package ringio

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// packetPair returns two sockets and what one has to say to reach the other.
func packetPair(t testing.TB, s stack, network string) (a, b net.PacketConn) {
	return s.mustListenPacket(t, network), s.mustListenPacket(t, network)
}

func TestDatagrams(t *testing.T) {
	onStacks(t, func(t *testing.T, s stack) {
		for _, network := range []string{"udp", "udp6", "unixgram"} {
			a, b := packetPair(t, s, network)
			for _, size := range []int{0, 1, 100, 9000} {
				sent := make([]byte, size)
				for i := range sent {
					sent[i] = byte(i)
				}
				n, err := a.WriteTo(sent, b.LocalAddr())
				require.NoError(t, err)
				require.Equal(t, size, n)
				buf := make([]byte, 20_000)
				n, from, err := b.ReadFrom(buf)
				require.NoError(t, err)
				require.Equal(t, sent, buf[:n])
				require.Equal(t, a.LocalAddr(), from)
			}
			// One that waits, one that is cut, one that is empty for want of room.
			done := waits(t, func() {
				buf := make([]byte, 4)
				n, from, err := b.ReadFrom(buf)
				require.NoError(t, err)
				require.Equal(t, "long", string(buf[:n]))
				require.Equal(t, a.LocalAddr(), from)
			})
			a.WriteTo([]byte("long one"), b.LocalAddr())
			<-done
			a.WriteTo([]byte("lost"), b.LocalAddr())
			n, _, err := b.ReadFrom(nil)
			require.NoError(t, err)
			require.Zero(t, n)
			a.WriteTo([]byte("next"), b.LocalAddr())
			n, err = b.(net.Conn).Read(make([]byte, 100))
			require.NoError(t, err)
			require.Equal(t, 4, n)
		}
	})
}

func TestAddressesOfDatagrams(t *testing.T) {
	var protocols [3][]string
	for i, s := range []stack{netStack, ringStack, fallbackStack(t)} {
		p := &protocol{t: t}
		four := s.mustListenPacket(t, "udp").(UDPConn)
		all, err := s.listenPacket("udp", "[::]:0")
		require.NoError(t, err)
		defer all.Close()
		port := all.LocalAddr().(*net.UDPAddr).Port
		buf := make([]byte, 10)
		n, err := four.WriteTo([]byte("x"), &net.UDPAddr{Port: port})
		p.result("to nowhere said", n, err)
		n, from, err := all.ReadFrom(buf)
		p.result("read", n, err)
		p.note("%#v %v", from.(*net.UDPAddr).IP, from)
		n, err = four.WriteToUDPAddrPort([]byte("x"), netip.AddrPortFrom(netip.MustParseAddr("::ffff:127.0.0.1"), uint16(port)))
		p.result("to a mapped address", n, err)
		n, at, err := all.(UDPConn).ReadFromUDPAddrPort(buf)
		p.result("read", n, err)
		p.note("%v", at)
		n, err = all.WriteTo([]byte("x"), four.LocalAddr())
		p.result("back", n, err)
		n, addr, err := four.ReadFromUDP(buf)
		p.result("read", n, err)
		p.note("%#v", addr.IP)
		n, _, err = all.(UDPConn).WriteMsgUDPAddrPort([]byte("y"), nil, four.LocalAddr().(*net.UDPAddr).AddrPort())
		p.result("message", n, err)
		n, oobn, flags, at, err := four.ReadMsgUDPAddrPort(buf[:0], nil)
		p.result("message", n, err)
		p.note("%d %#x %v", oobn, flags, at)
		connected := s.mustDial(t, four.LocalAddr()).(UDPConn)
		n, err = connected.Write([]byte("z"))
		p.result("connected", n, err)
		n, addr, err = four.ReadFromUDP(buf)
		p.result("read", n, err)
		n, oobn, err = four.WriteMsgUDP([]byte("answer"), nil, addr)
		p.result("answer", n+oobn, err)
		n, oobn, flags, addr, err = connected.ReadMsgUDP(buf, nil)
		p.result("read", n, err)
		p.note("%d %#x %v", oobn, flags, addr)
		n, _, err = connected.WriteMsgUDP([]byte("m"), nil, nil)
		p.result("connected message", n, err)
		protocols[i] = p.lines
	}
	require.Equal(t, protocols[0], protocols[1])
	require.Equal(t, protocols[0], protocols[2], "without a ring")
}

func TestControlMessages(t *testing.T) {
	onStacks(t, func(t *testing.T, s stack) {
		c := s.mustListenPacket(t, "udp").(UDPConn)
		rawControl(t, c, func(fd int) {
			require.NoError(t, unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_PKTINFO, 1))
		})
		done := waits(t, func() {
			oob := make([]byte, 100)
			n, oobn, flags, _, err := c.ReadMsgUDP(make([]byte, 10), oob)
			require.NoError(t, err)
			require.Equal(t, 5, n)
			require.Zero(t, flags)
			all, err := unix.ParseSocketControlMessage(oob[:oobn])
			require.NoError(t, err)
			require.Len(t, all, 1)
			require.EqualValues(t, unix.IP_PKTINFO, all[0].Header.Type)
		})
		_, err := c.WriteTo([]byte("hello"), c.LocalAddr())
		require.NoError(t, err)
		<-done
	})
}

// Descriptors go over a Unix socket, with bytes or without.
func TestDescriptorsAreHandedOver(t *testing.T) {
	onStacks(t, func(t *testing.T, s stack) {
		for _, network := range []string{"unix", "unixpacket"} {
			for _, text := range []string{"take it", ""} {
				ours, theirs := s.pair(t, network)
				r, w, err := os.Pipe()
				require.NoError(t, err)
				defer r.Close()
				var fd int
				rawControl(t, w, func(its int) { fd = its })
				done := waits(t, func() {
					buf, oob := make([]byte, len(text)), make([]byte, 100)
					n, oobn, flags, _, err := theirs.(UnixConn).ReadMsgUnix(buf, oob)
					require.NoError(t, err)
					require.Equal(t, max(len(text), 1), n, "net counts the byte that it sends for nothing")
					require.Equal(t, unix.MSG_CMSG_CLOEXEC, flags)
					all, err := unix.ParseSocketControlMessage(oob[:oobn])
					require.NoError(t, err)
					fds, err := unix.ParseUnixRights(&all[0])
					require.NoError(t, err)
					flags, err = unix.FcntlInt(uintptr(fds[0]), unix.F_GETFD, 0)
					require.NoError(t, err)
					require.NotZero(t, flags&unix.FD_CLOEXEC)
					got := os.NewFile(uintptr(fds[0]), "got")
					got.WriteString("through it")
					got.Close()
				})
				rights := unix.UnixRights(fd)
				n, oobn, err := ours.(UnixConn).WriteMsgUnix([]byte(text), rights, nil)
				require.NoError(t, err)
				require.Equal(t, len(text), n)
				require.Equal(t, len(rights), oobn)
				<-done
				w.Close()
				buf := make([]byte, 100)
				n, _ = r.Read(buf)
				require.Equal(t, "through it", string(buf[:n]))
			}
		}
	})
}

// Descriptors go over a pair of sockets for datagrams, which nobody has dialled.
func TestDescriptorsAreHandedOverAPair(t *testing.T) {
	onStacks(t, func(t *testing.T, s stack) {
		fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		require.NoError(t, err)
		var ends [2]UnixConn
		for i, fd := range fds {
			f := os.NewFile(uintptr(fd), "end")
			c, err := s.fileConn(f)
			require.NoError(t, err)
			require.NoError(t, f.Close())
			defer c.Close()
			ends[i] = c.(UnixConn)
		}
		rights := unix.UnixRights(0)
		n, oobn, err := ends[0].WriteMsgUnix([]byte("x"), rights, nil)
		require.NoError(t, err)
		require.Equal(t, 1, n)
		require.Equal(t, len(rights), oobn)
		oob := make([]byte, 100)
		_, oobn, _, _, err = ends[1].ReadMsgUnix(make([]byte, 8), oob)
		require.NoError(t, err)
		all, err := unix.ParseSocketControlMessage(oob[:oobn])
		require.NoError(t, err)
		got, err := unix.ParseUnixRights(&all[0])
		require.NoError(t, err)
		require.NoError(t, unix.Close(got[0]))
	})
}

// A connection of a file's may write to others than its peer. It waits for them, not for its
// peer.
func TestConnectedDatagramsWaitForTheirReceiver(t *testing.T) {
	onStacks(t, func(t *testing.T, s stack) {
		peer, other := packetPair(t, s, "unixgram")
		f, err := s.mustDial(t, peer.LocalAddr()).(filer).File()
		require.NoError(t, err)
		defer f.Close()
		conn, err := s.fileConn(f)
		require.NoError(t, err)
		defer conn.Close()
		c := conn.(UnixConn)
		c.SetWriteDeadline(time.Now().Add(50 * time.Millisecond))
		sent := 0
		for ; err == nil; sent++ {
			_, err = c.WriteTo([]byte("x"), other.LocalAddr())
		}
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		c.SetWriteDeadline(time.Time{})
		done := waits(t, func() {
			_, err := c.WriteTo([]byte("x"), other.LocalAddr())
			require.NoError(t, err)
		})
		for range sent {
			_, _, err := other.ReadFrom(make([]byte, 8))
			require.NoError(t, err)
		}
		within(t, func() { <-done })
		_, err = c.Write([]byte("x"))
		require.NoError(t, err, "its peer has room")
	})
}

// Who writes to a Unix socket that nobody reads waits, until its receiver reads, its deadline
// passes or it is closed.
func TestDatagramsWaitForTheirReceiver(t *testing.T) {
	onStacks(t, func(t *testing.T, s stack) {
		for name, write := range map[string]func(c UnixConn, p []byte, to net.Addr) error{
			"WriteTo": func(c UnixConn, p []byte, to net.Addr) error {
				_, err := c.WriteTo(p, to)
				return err
			},
			"WriteMsgUnix": func(c UnixConn, p []byte, to net.Addr) error {
				_, _, err := c.WriteMsgUnix(p, nil, to.(*net.UnixAddr))
				return err
			},
		} {
			a, b := packetPair(t, s, "unixgram")
			from := a.(UnixConn)
			from.SetWriteDeadline(time.Now().Add(50 * time.Millisecond))
			sent, err := 0, error(nil)
			for ; err == nil; sent++ {
				err = write(from, fmt.Append(nil, sent), b.LocalAddr())
			}
			require.ErrorIs(t, err, os.ErrDeadlineExceeded, name)
			from.SetWriteDeadline(time.Time{})
			const more = 3000
			go func() {
				for i := range more {
					if err := write(from, fmt.Append(nil, sent-1+i), b.LocalAddr()); err != nil {
						t.Error(err)
						return
					}
				}
			}()
			b.SetReadDeadline(time.Now().Add(time.Minute))
			buf := make([]byte, 10)
			for i := range sent - 1 + more {
				n, _, err := b.ReadFrom(buf)
				require.NoError(t, err, name)
				require.Equal(t, fmt.Sprint(i), string(buf[:n]), name)
			}
			ended := make(chan error)
			go func() {
				err := error(nil)
				for err == nil {
					err = write(from, buf, b.LocalAddr())
				}
				ended <- err
			}()
			time.Sleep(10 * time.Millisecond) // it waits by now
			from.Close()
			within(t, func() { require.ErrorIs(t, <-ended, net.ErrClosed, name) })
		}
	})
}

// A datagram that is there, or has room, allocates as little as in net.
func TestDatagramsDoNotAllocate(t *testing.T) {
	if raceEnabled {
		t.Skip("with the race detector pools forget at random")
	}
	allocations := func(s stack) map[string]float64 {
		udp, chat := s.mustListenPacket(t, "udp").(UDPConn), s.mustListenPacket(t, "unixgram").(UnixConn)
		dialled := s.mustDial(t, s.mustListenPacket(t, "udp").LocalAddr())
		to, name, buf := udp.LocalAddr().(*net.UDPAddr), chat.LocalAddr().(*net.UnixAddr), make([]byte, 64)
		at := to.AddrPort()
		write := func() error { _, err := udp.WriteToUDPAddrPort(buf, at); return err }
		read := func() error { _, _, err := udp.ReadFromUDPAddrPort(buf); return err }
		got := make(map[string]float64)
		for what, run := range map[string][2]func() error{
			"Write":               {func() error { _, err := dialled.Write(buf); return err }},
			"WriteTo":             {func() error { _, err := udp.WriteTo(buf, to); return err }, read},
			"WriteToUDP":          {func() error { _, err := udp.WriteToUDP(buf, to); return err }, read},
			"WriteToUDPAddrPort":  {write, read},
			"WriteMsgUDP":         {func() error { _, _, err := udp.WriteMsgUDP(buf, nil, to); return err }, read},
			"WriteMsgUDPAddrPort": {func() error { _, _, err := udp.WriteMsgUDPAddrPort(buf, nil, at); return err }, read},
			"Read":                {write, func() error { _, err := udp.(net.Conn).Read(buf); return err }},
			"ReadFrom":            {write, func() error { _, _, err := udp.ReadFrom(buf); return err }},
			"ReadFromUDP":         {write, func() error { _, _, err := udp.ReadFromUDP(buf); return err }},
			"ReadMsgUDP":          {write, func() error { _, _, _, _, err := udp.ReadMsgUDP(buf, nil); return err }},
			"ReadMsgUDPAddrPort":  {write, func() error { _, _, _, _, err := udp.ReadMsgUDPAddrPort(buf, nil); return err }},
			"to and from Unix":    {func() error { _, err := chat.WriteToUnix(buf, name); return err }, func() error { _, _, err := chat.ReadFromUnix(buf); return err }},
			"messages, Unix":      {func() error { _, _, err := chat.WriteMsgUnix(buf, nil, name); return err }, func() error { _, _, _, _, err := chat.ReadMsgUnix(buf, nil); return err }},
		} {
			once := func() {
				for _, f := range run {
					if f != nil && f() != nil {
						panic(what)
					}
				}
			}
			once()
			got[what] = testing.AllocsPerRun(200, once)
		}
		return got
	}
	theirs, ours := allocations(netStack), allocations(ringStack)
	for what, n := range theirs {
		require.LessOrEqual(t, ours[what], n, what)
	}
}

// TestPacketConn is what nettest has for connections, for datagrams.
func TestPacketConn(t *testing.T) {
	onStacks(t, func(t *testing.T, s stack) {
		for _, network := range []string{"udp", "unixgram"} {
			t.Run(network, func(t *testing.T) {
				for name, test := range map[string]func(t *testing.T, a, b net.PacketConn){
					"ping pong": packetPingPong, "present timeout": packetPresentTimeout, "past timeout": packetPastTimeout,
					"future timeout": packetFutureTimeout, "close timeout": packetCloseTimeout, "racy": packetRacy,
					"concurrent methods": packetConcurrentMethods,
				} {
					t.Run(name, func(t *testing.T) {
						a, b := packetPair(t, s, network)
						within(t, func() { test(t, a, b) })
					})
				}
			})
		}
	})
}

func packetPingPong(t *testing.T, a, b net.PacketConn) {
	var all sync.WaitGroup
	all.Go(func() {
		buf := make([]byte, 100)
		for range 1000 {
			n, from, err := b.ReadFrom(buf)
			require.NoError(t, err)
			b.WriteTo(buf[:n], from)
		}
	})
	buf := make([]byte, 100)
	for i := range 1000 {
		text := fmt.Sprint("number ", i)
		a.WriteTo([]byte(text), b.LocalAddr())
		n, from, err := a.ReadFrom(buf)
		require.NoError(t, err)
		require.Equal(t, text, string(buf[:n]))
		require.Equal(t, b.LocalAddr(), from)
	}
	all.Wait()
}

func packetPresentTimeout(t *testing.T, a, b net.PacketConn) {
	done := waits(t, func() {
		_, _, err := a.ReadFrom(make([]byte, 10))
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	})
	a.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
	<-done
}

func packetPastTimeout(t *testing.T, a, b net.PacketConn) {
	b.WriteTo([]byte("there"), a.LocalAddr())
	a.SetDeadline(past)
	n, _, err := a.ReadFrom(make([]byte, 10))
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	require.Zero(t, n)
	_, err = a.WriteTo([]byte("x"), b.LocalAddr())
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	a.SetDeadline(time.Time{})
	n, _, err = a.ReadFrom(make([]byte, 10))
	require.NoError(t, err)
	require.Equal(t, 5, n, "it was not lost")
}

func packetFutureTimeout(t *testing.T, a, b net.PacketConn) {
	for range 20 {
		a.SetReadDeadline(time.Now().Add(2 * time.Millisecond))
		_, _, err := a.ReadFrom(make([]byte, 10))
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	}
	a.SetReadDeadline(time.Now().Add(time.Hour))
	b.WriteTo([]byte("there"), a.LocalAddr())
	n, _, err := a.ReadFrom(make([]byte, 10))
	require.NoError(t, err)
	require.Equal(t, 5, n)
}

func packetCloseTimeout(t *testing.T, a, b net.PacketConn) {
	a.SetDeadline(time.Now().Add(time.Hour))
	done := waits(t, func() {
		_, _, err := a.ReadFrom(make([]byte, 10))
		require.ErrorIs(t, err, net.ErrClosed)
	})
	require.NoError(t, a.Close())
	<-done
}

func packetRacy(t *testing.T, a, b net.PacketConn) {
	stop := time.Now().Add(100 * time.Millisecond)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for time.Now().Before(stop) {
				a.SetReadDeadline(time.Now().Add(time.Millisecond))
				a.ReadFrom(make([]byte, 100))
			}
		})
		all.Go(func() {
			for time.Now().Before(stop) {
				b.SetWriteDeadline(time.Now().Add(time.Millisecond))
				b.WriteTo(make([]byte, 100), a.LocalAddr())
			}
		})
	}
	all.Wait()
}

func packetConcurrentMethods(t *testing.T, a, b net.PacketConn) {
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() { a.ReadFrom(make([]byte, 100)) })
		all.Go(func() { a.WriteTo(make([]byte, 10), a.LocalAddr()) })
		all.Go(func() { a.SetDeadline(time.Now().Add(10 * time.Millisecond)) })
		all.Go(func() { a.SetReadDeadline(time.Now().Add(10 * time.Millisecond)) })
		all.Go(func() { a.SetWriteDeadline(time.Now().Add(10 * time.Millisecond)) })
		all.Go(func() { a.LocalAddr() })
	}
	all.Wait()
}
