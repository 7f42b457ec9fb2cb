//go:build linux

package ringio

import (
	"context"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
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

// Shutdown ends what waits, with an error that says why; what is opened then is net's.
func TestShutdownWithConnections(t *testing.T) {
	e, err := New(Options{})
	require.NoError(t, err)
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
		require.ErrorIs(t, err, errEngineClosed)
	}
	require.NoError(t, ours.Close())
	_, err = io.Copy(io.Discard, onlyNet(t, theirs))
	require.NoError(t, err, "the peer sees the end")
	later, again, _ := pairOf(t, e)
	require.IsType(t, &net.TCPListener{}, later)
	require.IsType(t, &net.TCPConn{}, again)
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
