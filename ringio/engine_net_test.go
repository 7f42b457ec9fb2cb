//go:build linux

package ringio

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// pairOf returns both ends of a connection of an engine's.
func pairOf(t testing.TB, e *Engine) (l net.Listener, ours, theirs net.Conn) {
	l, err := e.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	ours, err = e.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { ours.Close() })
	theirs, err = l.Accept()
	require.NoError(t, err)
	t.Cleanup(func() { theirs.Close() })
	return l, ours, theirs
}

func TestConnectionsWithoutARing(t *testing.T) {
	e, err := New(Options{NoRing: true})
	require.NoError(t, err)
	l, ours, theirs := pairOf(t, e)
	require.IsType(t, &net.TCPListener{}, l)
	require.IsType(t, &net.TCPConn{}, ours)
	require.IsType(t, &net.TCPConn{}, theirs)
	c, err := e.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	require.IsType(t, &net.UDPConn{}, c)
	require.NoError(t, c.Close())
}

// A Dialer's or a ListenConfig's connections are served by its engine, and made as it says.
// Without a ring nothing is shared with goroutines outside a test's bubble.
func TestConnectionsInABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, err := New(Options{NoRing: true})
		require.NoError(t, err)
		_, ours, theirs := pairOf(t, e)
		ours.SetDeadline(time.Now().Add(time.Hour))
		echoes(t, ours, theirs)
		f, err := e.Create(filepath.Join(t.TempDir(), "f"))
		require.NoError(t, err)
		defer f.Close()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		_, err = f.WriteAtContext(ctx, []byte("x"), 0)
		require.NoError(t, err)
		require.NoError(t, f.SyncContext(ctx))
	})
}

func TestEngineOfADialer(t *testing.T) {
	for _, o := range []Options{{}, {NoRing: true}} {
		e := ownEngine(t, o)
		controls := 0
		control := func(string, string, syscall.RawConn) error { controls++; return nil }
		lc := ListenConfig{Engine: e, Control: control, KeepAliveConfig: net.KeepAliveConfig{Enable: true, Count: 3}}
		l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
		require.NoError(t, err)
		defer l.Close()
		d := Dialer{Engine: e, Control: control, LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}, KeepAlive: -1}
		ours, err := d.DialContext(t.Context(), "tcp", l.Addr().String())
		require.NoError(t, err)
		defer ours.Close()
		theirs, err := l.Accept()
		require.NoError(t, err)
		defer theirs.Close()
		packets, err := lc.ListenPacket(t.Context(), "udp", "127.0.0.1:0")
		require.NoError(t, err)
		defer packets.Close()
		require.Equal(t, 3, controls)
		require.Equal(t, "127.0.0.2", ours.LocalAddr().(*net.TCPAddr).IP.String())
		require.Zero(t, option(t, ours, unix.SOL_SOCKET, unix.SO_KEEPALIVE))
		require.Equal(t, 1, option(t, theirs, unix.SOL_SOCKET, unix.SO_KEEPALIVE))
		require.Equal(t, 3, option(t, theirs, unix.IPPROTO_TCP, unix.TCP_KEEPCNT))
		for _, c := range []any{l, ours, theirs, packets} {
			servedBy(t, e, c)
		}
		d = Dialer{Engine: e, Timeout: time.Nanosecond}
		_, err = d.Dial("tcp", l.Addr().String())
		require.True(t, os.IsTimeout(err), err)
		_, err = e.DialTimeout("tcp", l.Addr().String(), time.Nanosecond)
		require.True(t, os.IsTimeout(err), err)
	}
}

func option(t testing.TB, c any, level, name int) (value int) {
	rawControl(t, c, func(fd int) {
		var err error
		value, err = unix.GetsockoptInt(fd, level, name)
		require.NoError(t, err)
	})
	return value
}

// servedBy wants a connection or a listener to be on the engine's ring, or net's if it has none.
func servedBy(t testing.TB, e *Engine, c any) {
	t.Helper()
	var s *socket
	switch c := c.(type) {
	case *tcpConn:
		s = c.s
	case *udpConn:
		s = c.s
	case *listener:
		s = c.s
	}
	if len(e.rings) == 0 {
		require.Contains(t, fmt.Sprintf("%T", c), "*net.")
		return
	}
	require.NotNil(t, s, "%T", c)
	require.Same(t, e.rings[0], s.engine)
}

// What comes as a file is served by the engine that is asked.
func TestEngineOfFiles(t *testing.T) {
	for _, o := range []Options{{}, {NoRing: true}} {
		e := ownEngine(t, o)
		l, ours, theirs := pairOf(t, Default())
		packets := ringStack.mustListenPacket(t, "udp")
		file := func(of any) *os.File {
			f, err := of.(filer).File()
			require.NoError(t, err)
			t.Cleanup(func() { f.Close() })
			return f
		}
		c, err := e.FileConn(file(ours))
		require.NoError(t, err)
		defer c.Close()
		servedBy(t, e, c)
		echoes(t, c, theirs)
		again, err := e.FileListener(file(l))
		require.NoError(t, err)
		defer again.Close()
		servedBy(t, e, again)
		dialled := netStack.mustDial(t, again.Addr())
		accepted, err := again.Accept()
		require.NoError(t, err)
		defer accepted.Close()
		servedBy(t, e, accepted)
		echoes(t, dialled, accepted)
		p, err := e.FilePacketConn(file(packets))
		require.NoError(t, err)
		defer p.Close()
		servedBy(t, e, p)
		null, err := os.Open(os.DevNull)
		require.NoError(t, err)
		defer null.Close()
		_, err = e.FileConn(null)
		require.ErrorIs(t, err, syscall.ENOTSOCK)
	}
}

// Shutdown ends what waits, with an error that says why; what is opened then is net's.
func TestShutdownWithConnections(t *testing.T) {
	e, err := New(Options{})
	require.NoError(t, err)
	keepMany(e)
	l, ours, theirs := pairOf(t, e)
	warmUp(t, ours, theirs)
	_, cold, _ := pairOf(t, e)
	ended := make(chan error, 3)
	go func() { _, err := ours.Read(make([]byte, 1)); ended <- err }()
	go func() { _, err := cold.Read(make([]byte, 1)); ended <- err }()
	go func() { _, err := l.Accept(); ended <- err }()
	time.Sleep(10 * time.Millisecond)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, e.Shutdown(ctx), context.DeadlineExceeded)
	for range 3 {
		err := <-ended
		require.IsType(t, &net.OpError{}, err)
		require.ErrorIs(t, err, ErrShutdown)
		require.ErrorIs(t, err, net.ErrClosed)
		require.False(t, err.(net.Error).Timeout())
	}
	require.NoError(t, ours.Close())
	_, err = io.Copy(io.Discard, onlyNet(t, theirs))
	require.NoError(t, err, "the peer sees the end")
	later, again, _ := pairOf(t, e)
	require.IsType(t, &net.TCPListener{}, later)
	require.IsType(t, &net.TCPConn{}, again)
}

// After Shutdown connections and listeners do what they can without waiting, and files go on.
func TestWhatWorksAfterShutdown(t *testing.T) {
	e, err := New(Options{})
	require.NoError(t, err)
	keepMany(e)
	s := stackOf("shut down", e)
	l := s.mustListen(t, "tcp")
	ours, theirs := s.pair(t, "tcp")
	chat, _ := s.pair(t, "unix")
	packets := s.mustListenPacket(t, "udp")
	f, err := e.Create(filepath.Join(t.TempDir(), "f"))
	require.NoError(t, err)
	defer f.Close()
	_, err = theirs.Write([]byte("there"))
	require.NoError(t, err)
	_, err = packets.WriteTo([]byte("there"), packets.LocalAddr())
	require.NoError(t, err)
	dialled := netStack.mustDial(t, l.Addr())
	require.NoError(t, e.Shutdown(context.Background()))

	buf := make([]byte, 8)
	n, err := ours.Read(buf)
	require.NoError(t, err)
	require.Equal(t, "there", string(buf[:n]))
	n, _, err = packets.ReadFrom(buf)
	require.NoError(t, err)
	require.Equal(t, "there", string(buf[:n]))
	accepted, err := l.Accept()
	require.NoError(t, err)
	defer accepted.Close()
	require.Equal(t, dialled.LocalAddr(), accepted.RemoteAddr())
	_, err = accepted.Write([]byte("text"))
	require.NoError(t, err)
	_, err = f.WriteString("text")
	require.NoError(t, err)
	require.NoError(t, f.Sync())

	within(t, func() {
		for what, waits := range map[string]func() error{
			"Read":         func() error { _, err := ours.Read(buf); return err },
			"Write":        func() error { _, err := ours.Write(make([]byte, 64<<20)); return err },
			"Unix, Write":  func() error { _, err := chat.Write(make([]byte, 64<<20)); return err },
			"WaitReadable": func() error { return WaitReadable(accepted) },
			"WriteTo":      func() error { _, err := accepted.(TCPConn).WriteTo(io.Discard); return err },
			"ReadFrom":     func() error { _, _, err := packets.ReadFrom(buf); return err },
			"Accept":       func() error { _, err := l.Accept(); return err },
		} {
			err := waits()
			require.ErrorIs(t, err, ErrShutdown, what)
			require.ErrorIs(t, err, net.ErrClosed, what)
		}
	})
	within(t, func() { require.ErrorIs(t, http.Serve(l, nil), ErrShutdown) })
	for _, c := range []io.Closer{ours, theirs, chat, packets, accepted, f} {
		require.NoError(t, c.Close())
	}
}

// Shutdown waits for who reads, also where what he is told of was read before.
func TestShutdownWithOldNews(t *testing.T) {
	ringtest.NeedsFeatures(t, newPolls)
	for name, wait := range map[string]func(net.Conn) error{
		"Read":         func(c net.Conn) error { _, err := c.Read(make([]byte, 8)); return err },
		"WaitReadable": WaitReadable,
	} {
		t.Run(name, func(t *testing.T) {
			e, err := New(Options{})
			require.NoError(t, err)
			ours, theirs := readPair(t, e, false)
			var failed error
			reader := waits(t, func() { failed = wait(ours) })
			down := make(chan error, 1)
			go func() { down <- e.Shutdown(context.Background()) }()
			ring, r := e.rings[0], ours.(*tcpConn).s.readPoll.Load()
			require.Eventually(t, ring.closed, 10*time.Second, time.Millisecond)
			ring.mu.Lock()
			r.told(r.op, unix.POLLIN, true)
			ring.unlock()
			time.Sleep(20 * time.Millisecond)
			theirs.Write([]byte("late"))
			within(t, func() { <-reader })
			require.NoError(t, failed)
			within(t, func() { require.NoError(t, <-down) })
		})
	}
}

// Connections that nobody reads do not keep Shutdown waiting. What has come by then is read
// afterwards, and a reader who waits is waited for.
func TestShutdownWithIdleConnections(t *testing.T) {
	read := func(c net.Conn, want string) {
		t.Helper()
		got := make([]byte, 8)
		n, err := c.Read(got)
		require.NoError(t, err)
		require.Equal(t, want, string(got[:n]))
	}
	for name, polled := range map[string]bool{"on the ring": false, "in the poller": true} {
		for _, reads := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, read %v", name, reads), func(t *testing.T) {
				e, err := New(Options{})
				require.NoError(t, err)
				ours, theirs := readPair(t, e, polled)
				if !polled {
					theirs.Write([]byte("early"))
					waitReadable(t, ours)
				}
				var reader chan struct{}
				if reads {
					if !polled {
						read(ours, "early")
					}
					reader = waits(t, func() { read(ours, "late") })
				}
				down := make(chan error, 1)
				go func() { down <- e.Shutdown(context.Background()) }()
				if reads {
					select {
					case <-down:
						t.Error("somebody reads")
					case <-time.After(20 * time.Millisecond):
					}
					theirs.Write([]byte("late"))
					within(t, func() { <-reader })
				}
				select {
				case err = <-down:
					require.NoError(t, err)
				case <-time.After(20 * time.Second):
					t.Fatal("it waits for connections that nobody reads")
				}
				if !reads && !polled {
					read(ours, "early")
				}
				_, err = ours.Read(make([]byte, 8))
				require.ErrorIs(t, err, ErrShutdown)
				_, err = theirs.Write([]byte("more"))
				require.NoError(t, err)
				require.NoError(t, ours.Close())
			})
		}
	}
}

// onlyNet returns net's connection of the same socket.
func onlyNet(t testing.TB, c net.Conn) net.Conn {
	f, err := c.(filer).File()
	require.NoError(t, err)
	defer f.Close()
	n, err := net.FileConn(f)
	require.NoError(t, err)
	t.Cleanup(func() { n.Close() })
	return n
}

// Fd of a File makes the socket a blocking one, which net does not cope with.
func TestDeadlinesOfABlockingSocket(t *testing.T) {
	l, ours, theirs := pairOf(t, Default())
	for _, c := range []any{l, ours, theirs} {
		f, err := c.(filer).File()
		require.NoError(t, err)
		f.Fd()
		f.Close()
	}
	require.NoError(t, l.(SocketListener).SetDeadline(time.Now().Add(10*time.Millisecond)))
	within(t, func() {
		_, err := l.Accept()
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	})
	ours.SetDeadline(time.Now().Add(10 * time.Millisecond))
	within(t, func() {
		_, err := ours.Read(make([]byte, 1))
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		for err = nil; err == nil; {
			ours.SetDeadline(time.Now().Add(10 * time.Millisecond))
			_, err = ours.Write(make([]byte, 1<<20))
		}
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	})
	done := waits(t, func() { l.(SocketListener).SetDeadline(time.Time{}); l.Accept() })
	within(t, func() { l.Close() })
	<-done
}
