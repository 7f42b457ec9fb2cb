//go:build linux

package ringio

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func rawControl(t testing.TB, c any, f func(fd int)) {
	t.Helper()
	raw, err := c.(syscall.Conn).SyscallConn()
	require.NoError(t, err)
	require.NoError(t, raw.Control(func(fd uintptr) { f(int(fd)) }))
}

func TestConnectionsAreOnTheRing(t *testing.T) {
	ours, theirs := ringStack.pair(t, "tcp")
	require.IsType(t, &tcpConn{}, ours)
	require.IsType(t, &tcpConn{}, theirs)
	ours, theirs = ringStack.pair(t, "unix")
	require.IsType(t, &unixConn{}, ours)
	require.IsType(t, &unixConn{}, theirs)
	require.IsType(t, &udpConn{}, ringStack.mustListenPacket(t, "udp"))
	ringtest.NeedsFeatures(t, newPolls)
	ours, theirs = busyStack.pair(t, "tcp")
	require.NotNil(t, ours.(*tcpConn).s.readPoll.Load())
	require.NotNil(t, theirs.(*tcpConn).s.readPoll.Load())
	makeCrowd(t)
	require.Eventually(t, func() bool {
		ours.Write([]byte("x"))
		return ours.(*tcpConn).s.box.Load() != nil
	}, 10*time.Second, 10*time.Microsecond)
}

// A deadline that has passed and is put off at once ends a read or does not, and nothing
// else is seen of it.
func TestDeadlineIsPutOff(t *testing.T) {
	onStacks(t, func(t *testing.T, s stack) {
		for _, network := range []string{"tcp", "unix", "udp"} {
			var c net.Conn
			if network == "udp" {
				c = s.mustListenPacket(t, network).(net.Conn)
			} else {
				c, _ = s.pair(t, network)
			}
			ended := make(chan error)
			go func() {
				for {
					if _, err := c.Read(make([]byte, 8)); !os.IsTimeout(err) {
						ended <- err
						return
					}
				}
			}()
			for range 300 {
				c.SetReadDeadline(longAgo)
				c.SetReadDeadline(time.Time{})
				time.Sleep(time.Microsecond)
			}
			c.Close()
			within(t, func() { require.ErrorIs(t, <-ended, net.ErrClosed) })
		}
	})
}

// The interfaces are net's method sets.
var (
	_ TCPConn        = (*net.TCPConn)(nil)
	_ UnixConn       = (*net.UnixConn)(nil)
	_ UDPConn        = (*net.UDPConn)(nil)
	_ SocketListener = (*net.TCPListener)(nil)
	_ SocketListener = (*net.UnixListener)(nil)
)

func TestAddressesAndOptions(t *testing.T) {
	var protocols [3][]string
	for i, s := range []stack{netStack, ringStack, fallbackStack(t)} {
		p := &protocol{t: t}
		for _, network := range []string{"tcp", "tcp6", "unix", "unixpacket"} {
			l := s.mustListen(t, network)
			p.note("%T %v", l.Addr(), l.Addr())
			rawControl(t, l, func(fd int) { noteOptions(p, fd) })
			ours, theirs := s.pair(t, network)
			if network == "tcp" {
				require.Equal(t, ours.LocalAddr(), theirs.RemoteAddr())
				require.Equal(t, theirs.LocalAddr(), ours.RemoteAddr())
			}
			for _, c := range []net.Conn{ours, theirs} {
				p.note("%T %v %T %v", c.LocalAddr(), c.LocalAddr(), c.RemoteAddr(), c.RemoteAddr())
				p.note("%s %s", c.LocalAddr().Network(), c.RemoteAddr().Network())
				rawControl(t, c, func(fd int) { noteOptions(p, fd) })
				f, err := c.(filer).File()
				require.NoError(t, err)
				p.note("%s", strings.Replace(f.Name(), "tcp6:", "tcp:", 1)) // of a File net can't be told which it was
				rawControl(t, f, func(fd int) { noteOptions(p, fd) })
				f.Close()
				if c, ok := c.(TCPConn); ok {
					require.NoError(t, c.SetNoDelay(false))
					require.NoError(t, c.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: 1500 * time.Millisecond, Interval: -1, Count: 3}))
					require.NoError(t, c.SetLinger(7))
					require.NoError(t, c.SetReadBuffer(1<<16))
					require.NoError(t, c.SetWriteBuffer(1<<16))
					rawControl(t, c, func(fd int) { noteOptions(p, fd) })
					require.NoError(t, c.SetKeepAlive(false))
					require.NoError(t, c.SetKeepAlivePeriod(time.Minute))
					require.NoError(t, c.SetLinger(-1))
					rawControl(t, c, func(fd int) { noteOptions(p, fd) })
					multipath, err := c.MultipathTCP()
					p.note("%v %v", multipath, err)
				}
			}
		}
		for _, config := range []net.ListenConfig{{KeepAlive: -1}, {KeepAlive: time.Minute}, {KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: time.Hour, Count: 2}}} {
			l, err := s.listen(&config, "tcp", "127.0.0.1:0")
			require.NoError(t, err)
			s.mustDial(t, l.Addr())
			c, err := l.Accept()
			require.NoError(t, err)
			rawControl(t, c, func(fd int) { noteOptions(p, fd) })
			c.Close()
			l.Close()
		}
		protocols[i] = p.lines
	}
	require.Equal(t, protocols[0], protocols[1])
	require.Equal(t, protocols[0], protocols[2], "without a ring")
}

// noteOptions notes what a program can see of a socket.
func noteOptions(p *protocol, fd int) {
	for _, o := range [][2]int{
		{unix.SOL_SOCKET, unix.SO_KEEPALIVE}, {unix.SOL_SOCKET, unix.SO_REUSEADDR}, {unix.SOL_SOCKET, unix.SO_RCVBUF},
		{unix.SOL_SOCKET, unix.SO_SNDBUF}, {unix.SOL_SOCKET, unix.SO_TYPE}, {unix.IPPROTO_TCP, unix.TCP_NODELAY},
		{unix.IPPROTO_TCP, unix.TCP_KEEPIDLE}, {unix.IPPROTO_TCP, unix.TCP_KEEPINTVL}, {unix.IPPROTO_TCP, unix.TCP_KEEPCNT},
	} {
		value, err := unix.GetsockoptInt(fd, o[0], o[1])
		p.note("option %d: %d %v", o, value, err)
	}
	linger, err := unix.GetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER)
	p.note("linger: %v %v", linger, err)
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	p.note("blocking: %v %v", flags&unix.O_NONBLOCK == 0, err)
	flags, err = unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
	p.note("inherited: %v %v", flags&unix.FD_CLOEXEC == 0, err)
}

func TestNoByteIsLostAtADeadline(t *testing.T) {
	const total = 200_000
	onStacks(t, func(t *testing.T, s stack) {
		for _, network := range []string{"tcp", "unix"} {
			ours, theirs := s.pair(t, network)
			go func() {
				for i := 0; i < total; {
					n := min(rand.IntN(400), total-i)
					p := make([]byte, n)
					for j := range p {
						p[j] = byte(i + j)
					}
					theirs.Write(p)
					i += n
					if rand.IntN(8) == 0 {
						time.Sleep(time.Duration(rand.IntN(100)) * time.Microsecond)
					}
				}
			}()
			got, timeouts := 0, 0
			buf := make([]byte, 512)
			for start := time.Now(); got < total; {
				require.Less(t, time.Since(start), 30*time.Second)
				ours.SetReadDeadline(time.Now().Add(time.Duration(rand.IntN(60)) * time.Microsecond))
				n, err := ours.Read(buf[:1+rand.IntN(len(buf)-1)])
				if err != nil {
					require.ErrorIs(t, err, os.ErrDeadlineExceeded)
					require.Zero(t, n)
					timeouts++
				}
				for _, b := range buf[:n] {
					require.Equal(t, byte(got), b)
					got++
				}
			}
			require.NotZero(t, timeouts)
		}
	})
}

// What a write that timed out says that it has written is what comes.
func TestWhatATimedOutWriteCounts(t *testing.T) {
	onStacks(t, func(t *testing.T, s stack) {
		for _, network := range []string{"tcp", "unix"} {
			ours, theirs := s.pair(t, network)
			sent, parts := int64(0), 0
			for range 40 {
				ours.SetWriteDeadline(time.Now().Add(2 * time.Millisecond))
				n, err := ours.Write(make([]byte, 3<<20))
				sent += int64(n)
				if err != nil && n > 0 {
					parts++
				}
				if rand.IntN(2) == 0 {
					m, err := io.CopyN(io.Discard, theirs, int64(min(n, 1<<20)))
					require.NoError(t, err)
					sent -= m
				}
			}
			require.NotZero(t, parts)
			ours.(halfCloser).CloseWrite()
			got, err := io.Copy(io.Discard, theirs)
			require.NoError(t, err)
			require.Equal(t, sent, got)
		}
	})
}

// Each write of several writers comes in one piece: large ones, which wait for room, and small
// ones, which a box takes.
func TestWritersDoNotMix(t *testing.T) {
	onStacks(t, func(t *testing.T, s stack) {
		for name, size := range map[string]func(i int) int{
			"large": func(int) int { return 40_000 },
			"small": func(i int) int { return 8 + i*37%1000 },
			"both":  func(i int) int { return 8 + i%5/4*mostBoxed + i*37%1000 },
		} {
			t.Run(name, func(t *testing.T) { writersDoNotMix(t, s, size) })
		}
	})
}

func writersDoNotMix(t *testing.T, s stack, size func(i int) int) {
	ours, theirs := s.pair(t, "tcp")
	const writers, writes, head = 8, 200, 8
	for w := range writers {
		go func() {
			for i := range writes {
				p := bytes.Repeat([]byte{byte(w)}, size(i))
				binary.BigEndian.PutUint32(p, uint32(i))
				ours.Write(p)
			}
		}()
	}
	var next [writers]uint32
	p := make([]byte, 64<<10)
	for range writers * writes {
		_, err := io.ReadFull(theirs, p[:head])
		require.NoError(t, err)
		w, i := p[head-1], binary.BigEndian.Uint32(p)
		require.Less(t, int(w), writers)
		require.Equal(t, next[w], i, "writes of one writer keep their order")
		next[w]++
		rest := p[:size(int(i))-head]
		_, err = io.ReadFull(theirs, rest)
		require.NoError(t, err)
		require.Equal(t, len(rest), bytes.Count(rest, []byte{w}))
	}
}

// Whoever does not read is not sent to without end.
func TestBackpressure(t *testing.T) {
	var taken [2]int
	for i, s := range []stack{netStack, ringStack} {
		ours, theirs := s.pair(t, "tcp")
		require.NoError(t, ours.(TCPConn).SetWriteBuffer(64<<10))
		require.NoError(t, theirs.(TCPConn).SetReadBuffer(64<<10))
		// The reader has begun, and stops.
		go ours.Write([]byte("x"))
		_, err := theirs.Read(make([]byte, 100))
		require.NoError(t, err)
		for vain := 0; vain < 3; { // a busy machine may let a deadline pass before its write begins
			ours.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
			n, err := ours.Write(make([]byte, 16<<10))
			taken[i] += n
			if vain++; n > 0 {
				vain = 0
			}
			if err != nil {
				require.ErrorIs(t, err, os.ErrDeadlineExceeded)
			}
		}
		got := make(chan int64)
		go func() {
			n, _ := io.Copy(io.Discard, theirs)
			got <- n
		}()
		require.NoError(t, ours.Close())
		require.EqualValues(t, taken[i], <-got)
	}
	require.InDelta(t, taken[0], taken[1], 128<<10)
}

func TestDeadlinesFromOtherGoroutines(t *testing.T) {
	onStacks(t, func(t *testing.T, s stack) {
		ours, _ := s.pair(t, "tcp")
		done := waits(t, func() {
			_, err := ours.Read(make([]byte, 1))
			require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		})
		require.NoError(t, ours.SetReadDeadline(time.Now().Add(10*time.Millisecond)))
		<-done
		for late := true; late; {
			ours, theirs := s.pair(t, "tcp")
			deadline := time.Now().Add(10 * time.Millisecond)
			require.NoError(t, ours.SetReadDeadline(deadline))
			read := make(chan error, 1)
			go func() {
				_, err := io.ReadFull(ours, make([]byte, 1))
				read <- err
			}()
			require.NoError(t, ours.SetReadDeadline(time.Now().Add(time.Hour))) // put off
			late = !time.Now().Before(deadline)                                 // on a busy machine: it may have ended the read
			time.Sleep(20 * time.Millisecond)
			theirs.Write([]byte("x"))
			if err := <-read; !late {
				require.NoError(t, err)
			}
		}
	})
}

// A request whose thread ends is made again.
func TestThreadsThatEnd(t *testing.T) {
	onStacks(t, func(t *testing.T, s stack) {
		var all sync.WaitGroup
		stop := make(chan struct{})
		defer func() { close(stop); all.Wait() }()
		all.Go(func() {
			for {
				select {
				case <-stop:
					return
				case <-time.After(100 * time.Microsecond):
				}
				go runtime.LockOSThread() // and it ends: its thread goes
			}
		})
		for range 20 {
			ours, theirs := s.pair(t, "tcp")
			got := make(chan error)
			go func() {
				_, err := io.ReadFull(ours, make([]byte, 3))
				got <- err
			}()
			for range 3 {
				time.Sleep(time.Millisecond)
				theirs.Write([]byte("x"))
			}
			require.NoError(t, <-got)
		}
	})
}

// Names are looked up, and of several addresses the one is taken that answers.
func TestDialByName(t *testing.T) {
	onStacks(t, func(t *testing.T, s stack) {
		resolver := namesOf(t, s, map[dnsType]string{dnsA: "\x7f\x00\x00\x01", dnsAAAA: string(net.IPv6loopback)})
		for _, network := range []string{"tcp", "tcp6"} {
			l, err := s.listen(new(net.ListenConfig), network, anyAddress[network])
			if err != nil && network == "tcp6" {
				t.Skip("there is no IPv6 here: ", err)
			}
			require.NoError(t, err)
			defer l.Close()
			// Nobody else may answer at the other address, where another program may listen. A
			// socket that is bound, and does not listen, refuses.
			for !bound(t, map[string]unix.Sockaddr{
				"tcp":  &unix.SockaddrInet6{Port: l.Addr().(*net.TCPAddr).Port, Addr: [16]byte(net.IPv6loopback)},
				"tcp6": &unix.SockaddrInet4{Port: l.Addr().(*net.TCPAddr).Port, Addr: [4]byte{127, 0, 0, 1}},
			}[network]) {
				l = s.mustListen(t, network)
			}
			_, port, err := net.SplitHostPort(l.Addr().String())
			require.NoError(t, err)
			for name, d := range map[string]*net.Dialer{
				"service.test.": {Resolver: resolver, FallbackDelay: time.Millisecond},
				"localhost":     {},
			} {
				c, err := s.dial(d, t.Context(), "tcp", net.JoinHostPort(name, port))
				if err != nil && name == "localhost" {
					found, _ := net.DefaultResolver.LookupNetIP(t.Context(), "ip", name)
					require.NotContains(t, found, l.Addr().(*net.TCPAddr).AddrPort().Addr(), err)
					continue // the machine does not know it by this address
				}
				require.NoError(t, err, name)
				require.Equal(t, l.Addr().String(), c.RemoteAddr().String())
				theirs, err := l.Accept()
				require.NoError(t, err)
				echoes(t, c, theirs)
				c.Close()
				theirs.Close()
			}
		}
	})
}

// bound binds a socket to an address until the test ends, and reports whether it was free. An
// address of IPv6 counts as free where there is no IPv6.
func bound(t *testing.T, at unix.Sockaddr) bool {
	family := unix.AF_INET
	if _, ok := at.(*unix.SockaddrInet6); ok {
		family = unix.AF_INET6
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err == unix.EAFNOSUPPORT {
		return true
	}
	require.NoError(t, err)
	t.Cleanup(func() { unix.Close(fd) })
	if err := unix.Bind(fd, at); err != unix.EADDRNOTAVAIL {
		return err == nil
	}
	return true
}

type dnsType uint16

const dnsA, dnsAAAA dnsType = 1, 28

// namesOf returns a resolver that asks a server of the test's, by connections of the stack: each
// name has the addresses.
func namesOf(t *testing.T, s stack, addresses map[dnsType]string) *net.Resolver {
	server := s.mustListenPacket(t, "udp")
	go func() {
		for buf := make([]byte, 512); ; {
			n, from, err := server.ReadFrom(buf)
			if err != nil {
				return
			}
			server.WriteTo(answer(buf[:n], addresses), from)
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return s.dial(new(net.Dialer), ctx, "udp", server.LocalAddr().String())
	}}
}

// answer answers a question to a name server.
func answer(question []byte, addresses map[dnsType]string) []byte {
	end := 12
	for question[end] != 0 {
		end += 1 + int(question[end])
	}
	kind := dnsType(binary.BigEndian.Uint16(question[end+1:]))
	address := addresses[kind]
	a := append([]byte(nil), question[:end+5]...)
	copy(a[2:], []byte{0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0})
	a = append(a, 0xc0, 12) // the name is that of the question
	a = binary.BigEndian.AppendUint16(a, uint16(kind))
	a = append(a, 0, 1, 0, 0, 0, 0, 0, byte(len(address)))
	return append(a, address...)
}
