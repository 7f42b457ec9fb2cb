//go:build linux

package examples_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// startProxy starts a proxy to a listener.
func startProxy(t *testing.T, to *net.TCPListener, args ...string) *server {
	t.Helper()
	return start(t, "proxy", append([]string{"-addr", "127.0.0.1:0", "-to", to.Addr().String()}, args...)...)
}

// through returns both ends of a connection through a proxy.
func through(t *testing.T, s *server, l *net.TCPListener) (client, upstream *net.TCPConn) {
	t.Helper()
	client = dial(t, "tcp", s.addr).(*net.TCPConn)
	require.NoError(t, l.SetDeadline(time.Now().Add(runFor/6)))
	upstream, err := l.AcceptTCP()
	require.NoError(t, err)
	t.Cleanup(func() { upstream.Close() })
	require.NoError(t, upstream.SetDeadline(time.Now().Add(runFor/3)))
	return client, upstream
}

func TestProxyBothWaysAtOnce(t *testing.T) {
	l := listen(t)
	s := startProxy(t, l, "-v")
	before := s.descriptors(t)
	client, upstream := through(t, s, l)
	const size = 10 << 20
	atOnce(t,
		func() error { return write(client, 1, size) },
		func() error { return read(upstream, 1, size) },
		func() error { return write(upstream, 2, size+5) },
		func() error { return read(client, 2, size+5) })
	client.Close()
	require.Equal(t, io.EOF, readEnd(upstream))
	upstream.Close()
	s.requireNoLeak(t, before)
	require.Contains(t, s.stop(t, syscall.SIGTERM).stderr, fmt.Sprintf("connection: %d bytes there, %d back", size, size+5))
}

// readEnd returns how a stream that has nothing more to say ends.
func readEnd(c net.Conn) error {
	_, err := c.Read(make([]byte, 1))
	return err
}

func TestProxyHalfClose(t *testing.T) {
	l := listen(t)
	s := startProxy(t, l)
	before := s.descriptors(t)
	client, upstream := through(t, s, l)

	require.NoError(t, write(client, 1, 5000))
	require.NoError(t, client.CloseWrite())
	require.NoError(t, read(upstream, 1, 5000))
	require.Equal(t, io.EOF, readEnd(upstream), "the end is passed on")
	atOnce(t,
		func() error { return errors.Join(write(upstream, 2, 1<<20), upstream.CloseWrite()) },
		func() error { return read(client, 2, 1<<20) })
	require.Equal(t, io.EOF, readEnd(client))
	s.requireNoLeak(t, before)

	// And the other side first.
	client, upstream = through(t, s, l)
	require.NoError(t, upstream.CloseWrite())
	require.Equal(t, io.EOF, readEnd(client))
	require.NoError(t, write(client, 3, 5000))
	require.NoError(t, read(upstream, 3, 5000))
}

func TestProxyUpstreamRefuses(t *testing.T) {
	l := listen(t)
	addr := l.Addr().String()
	s := startProxy(t, l)
	before := s.descriptors(t)
	require.NoError(t, l.Close())
	for range 3 {
		c := dial(t, "tcp", s.addr)
		err := readEnd(c)
		require.Error(t, err)
		require.NotErrorIs(t, err, os.ErrDeadlineExceeded, "the client is not left waiting")
	}
	s.requireNoLeak(t, before)

	again, err := net.Listen("tcp", addr)
	require.NoError(t, err)
	defer again.Close()
	client, upstream := through(t, s, again.(*net.TCPListener))
	require.NoError(t, write(client, 1, 100))
	require.NoError(t, read(upstream, 1, 100))
	out := s.stop(t, syscall.SIGINT)
	require.Equal(t, 3, strings.Count(out.stderr, "connect "+addr+": connection refused"), out.stderr)
}

// A receiver that does not read holds its own sender up, after what sockets and
// a few buffers hold, and no other connection.
func TestProxyBackpressure(t *testing.T) {
	l := listen(t)
	s := startProxy(t, l, "-size", "4096", "-buffers", "4")
	client, upstream := through(t, s, l)
	sent := 0
	require.NoError(t, client.SetWriteDeadline(time.Now().Add(time.Second)))
	block := make([]byte, 1<<16)
	var err error
	for err == nil && sent < 256<<20 {
		pattern(block, 5, sent)
		var n int
		n, err = client.Write(block)
		sent += n
	}
	require.ErrorIs(t, err, os.ErrDeadlineExceeded, "%d bytes found room", sent)

	other, otherUpstream := through(t, s, l)
	require.NoError(t, write(other, 1, 5000))
	require.NoError(t, read(otherUpstream, 1, 5000))
	require.NoError(t, write(upstream, 2, 5000), "the other direction")
	require.NoError(t, read(client, 2, 5000))

	require.NoError(t, client.CloseWrite())
	require.NoError(t, read(upstream, 5, sent), "nothing is lost")
	require.Equal(t, io.EOF, readEnd(upstream))
}

// A stream that broke off must not look like one that has ended.
func TestProxyPassesResetsOn(t *testing.T) {
	l := listen(t)
	s := startProxy(t, l)
	before := s.descriptors(t)
	for range 20 {
		client, upstream := through(t, s, l)
		require.NoError(t, write(client, 1, 1000))
		require.NoError(t, read(upstream, 1, 1000))
		abort(t, client)
		require.ErrorIs(t, readEnd(upstream), syscall.ECONNRESET)
		client, upstream = through(t, s, l)
		abort(t, upstream)
		require.ErrorIs(t, readEnd(client), syscall.ECONNRESET)
	}
	// While the proxy has bytes that nobody takes.
	client, upstream := through(t, s, l)
	require.NoError(t, client.SetWriteDeadline(time.Now().Add(200*time.Millisecond)))
	require.ErrorIs(t, write(client, 1, 256<<20), os.ErrDeadlineExceeded)
	abort(t, upstream)
	require.ErrorIs(t, readEnd(client), syscall.ECONNRESET)
	// And while it sends to somebody who does not read.
	client, upstream = through(t, s, l)
	require.NoError(t, client.SetWriteDeadline(time.Now().Add(200*time.Millisecond)))
	require.ErrorIs(t, write(client, 1, 256<<20), os.ErrDeadlineExceeded)
	abort(t, client)
	_, err := upstream.Write([]byte("?"))
	require.NoError(t, err)
	s.requireNoLeak(t, before)
	require.Empty(t, s.stop(t, syscall.SIGTERM).stderr)
}

// A proxy that is ended while it connects has nothing to say.
func TestProxyEndsWhileConnecting(t *testing.T) {
	l := listen(t)
	raw, err := l.SyscallConn()
	require.NoError(t, err)
	require.NoError(t, raw.Control(func(fd uintptr) { err = syscall.Listen(int(fd), 0) }))
	require.NoError(t, err)
	dial(t, "tcp", l.Addr().String()) // takes the only place: the next has to wait
	s := startProxy(t, l)
	before := s.descriptors(t)
	dial(t, "tcp", s.addr)
	require.Eventually(t, func() bool { return s.descriptors(t) == before+2 }, 5*time.Second, time.Millisecond)
	require.Empty(t, s.stop(t, syscall.SIGTERM).stderr)
}

// Connections for which there is no descriptor are closed. When there is, the
// next is served.
func TestProxyShortOfDescriptors(t *testing.T) {
	l := listen(t)
	s := startProxy(t, l)
	client, upstream := through(t, s, l)
	var limit unix.Rlimit
	pid := s.cmd.Process.Pid
	require.NoError(t, unix.Prlimit(pid, unix.RLIMIT_NOFILE, nil, &limit))
	require.NoError(t, unix.Prlimit(pid, unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 0, Max: limit.Max}, nil))
	require.Equal(t, io.EOF, readEnd(dial(t, "tcp", s.addr)))
	require.NoError(t, write(client, 1, 1000))
	require.NoError(t, read(upstream, 1, 1000))
	require.NoError(t, unix.Prlimit(pid, unix.RLIMIT_NOFILE, &limit, nil))
	through(t, s, l)
	require.Equal(t, "proxy: socket: too many open files\n", s.stop(t, syscall.SIGTERM).stderr)
}

func TestProxySink(t *testing.T) {
	s := start(t, "proxy", "-addr", "127.0.0.1:0", "-sink", "-v")
	before := s.descriptors(t)
	for range 2 {
		c := dial(t, "tcp", s.addr)
		require.NoError(t, write(c, 1, 5<<20))
		require.NoError(t, c.(*net.TCPConn).CloseWrite())
		require.Equal(t, io.EOF, readEnd(c), "nothing comes back")
		c.Close()
	}
	s.requireNoLeak(t, before)
	require.Equal(t, strings.Repeat(fmt.Sprintf("connection: %d bytes dropped\n", 5<<20), 2), s.stop(t, syscall.SIGTERM).stderr)
}

func TestProxyManyConnections(t *testing.T) {
	echo := start(t, "echo-server", "-addr", "127.0.0.1:0")
	s := start(t, "proxy", "-addr", "127.0.0.1:0", "-to", echo.addr)
	before := s.descriptors(t)
	var clients []func() error
	for i := range 200 {
		c := dial(t, "tcp", s.addr)
		clients = append(clients,
			func() error { return errors.Join(write(c, i, 50000), c.(*net.TCPConn).CloseWrite()) },
			func() error {
				err := read(c, i, 50000)
				if end := readEnd(c); err == nil && end != io.EOF {
					err = fmt.Errorf("no end, but %v", end)
				}
				return err
			})
	}
	atOnce(t, clients...)
	s.requireNoLeak(t, before)
}
