//go:build linux

package ringio

import (
	"context"
	"io"
	"net"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// The connection that is alone waits without the ring, and behaves as before.

// alonePair returns both ends of a connection of which ours is alone, theirs being net's.
func alonePair(t testing.TB, e *Engine) (ours, theirs net.Conn) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	ours, err = e.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { ours.Close() })
	theirs, err = l.Accept()
	require.NoError(t, err)
	t.Cleanup(func() { theirs.Close() })
	beAlone(t, ours, theirs)
	return ours, theirs
}

// beAlone has ours become the one that is alone.
func beAlone(t testing.TB, ours, theirs net.Conn) {
	t.Helper()
	ringtest.NeedsFeatures(t, liburing.BufRings, liburing.MultishotRecv)
	within(t, func() {
		buf := make([]byte, 8)
		for !isAlone(ours) {
			sent := make(chan struct{})
			go func() { // most often ours waits by then, and that is enough
				defer close(sent)
				runtime.Gosched()
				theirs.Write([]byte("x"))
			}()
			n, err := ours.Read(buf)
			require.NoError(t, err)
			require.Equal(t, 1, n)
			<-sent
		}
	})
}

func isAlone(c net.Conn) bool {
	s := c.(*tcpConn).s
	s.in.mu.Lock()
	defer s.in.mu.Unlock()
	return s.lone != nil
}

func TestAloneConnectionReads(t *testing.T) {
	e := ownEngine(t, Options{})
	ours, theirs := alonePair(t, e)
	defer ours.Close()
	sum := make(chan [2]int)
	go func() {
		n, total := 0, 0
		buf := make([]byte, 1000)
		for {
			m, err := ours.Read(buf)
			for _, b := range buf[:m] {
				n, total = n+1, total+int(b)*n
			}
			if err != nil {
				sum <- [2]int{n, total}
				return
			}
		}
	}()
	n, total := 0, 0
	for i := range 500 {
		b := make([]byte, i%7*100+1)
		for j := range b {
			b[j] = byte(i + j)
			n, total = n+1, total+int(b[j])*n
		}
		_, err := theirs.Write(b)
		require.NoError(t, err)
	}
	theirs.Close()
	require.Equal(t, [2]int{n, total}, <-sum)
	require.Zero(t, e.Stats().InFlight)
}

func TestAloneConnectionHasDeadlines(t *testing.T) {
	ours, theirs := alonePair(t, ownEngine(t, Options{}))
	defer ours.Close()
	buf := make([]byte, 8)
	for range 3 {
		require.NoError(t, ours.SetReadDeadline(time.Now().Add(5*time.Millisecond)))
		_, err := ours.Read(buf)
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		_, err = ours.Read(buf)
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		require.NoError(t, ours.SetReadDeadline(time.Time{}))
		theirs.Write([]byte("x"))
		n, err := ours.Read(buf)
		require.NoError(t, err)
		require.Equal(t, 1, n)
	}
	done := waits(t, func() { _, err := ours.Read(buf); require.ErrorIs(t, err, os.ErrDeadlineExceeded) })
	ours.SetReadDeadline(longAgo)
	within(t, func() { <-done })
	require.True(t, isAlone(ours))
}

func TestAloneConnectionIsClosed(t *testing.T) {
	e := ownEngine(t, Options{})
	for range 5 {
		ours, theirs := alonePair(t, e)
		done := waits(t, func() { _, err := ours.Read(make([]byte, 8)); require.ErrorIs(t, err, net.ErrClosed) })
		require.NoError(t, ours.Close())
		within(t, func() { <-done })
		_, err := io.Copy(io.Discard, theirs)
		require.NoError(t, err, "the peer sees the end")
	}
	require.True(t, e.rings[0].lones.none())
}

func TestForgottenAloneConnectionIsClosed(t *testing.T) {
	e := ownEngine(t, Options{})
	ours, theirs := alonePairOfNobody(t, e)
	runtime.KeepAlive(ours)
	ours = nil
	gone := make(chan error, 1)
	go func() { _, err := io.Copy(io.Discard, theirs); gone <- err }()
	for {
		runtime.GC()
		select {
		case err := <-gone:
			require.NoError(t, err)
			return
		case <-time.After(10 * time.Millisecond):
		case <-t.Context().Done():
		}
	}
}

// alonePairOfNobody is alonePair without the test's knowing ours.
func alonePairOfNobody(t testing.TB, e *Engine) (ours, theirs net.Conn) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	ours, err = e.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	theirs, err = l.Accept()
	require.NoError(t, err)
	t.Cleanup(func() { theirs.Close() })
	beAlone(t, ours, theirs)
	return ours, theirs
}

// Where another one is alone, a raw reader comes or somebody waits without reading, it
// comes back to the ring.
func TestAloneConnectionComesBack(t *testing.T) {
	e := ownEngine(t, Options{})
	ours, theirs := alonePair(t, e)
	others, theirOthers := alonePair(t, e)
	require.True(t, isAlone(others))
	theirs.Write([]byte("x"))
	n, err := ours.Read(make([]byte, 8))
	require.NoError(t, err)
	require.Equal(t, 1, n)
	require.False(t, isAlone(ours))

	theirOthers.Write([]byte("y"))
	require.NoError(t, WaitReadable(others))
	require.False(t, isAlone(others))
	n, err = others.Read(make([]byte, 8))
	require.NoError(t, err)
	require.Equal(t, 1, n)

	beAlone(t, ours, theirs)
	raw, err := ours.(*tcpConn).SyscallConn()
	require.NoError(t, err)
	theirs.Write([]byte("z"))
	require.NoError(t, raw.Read(func(fd uintptr) bool {
		n, err := unix.Read(int(fd), make([]byte, 8))
		return n == 1 && err == nil
	}))
	require.False(t, isAlone(ours))
	ours.Close()
	others.Close()
}

// Nobody may read it for long: it has one descriptor again all the same.
func TestAloneConnectionKeepsNoDescriptor(t *testing.T) {
	e := ownEngine(t, Options{})
	ours, theirs := alonePair(t, e)
	file := ours.(*tcpConn).s.lone.file
	others, _ := alonePair(t, e)
	_, err := file.Stat()
	require.ErrorIs(t, err, os.ErrClosed)
	done := waits(t, func() { _, err := ours.Read(make([]byte, 8)); require.NoError(t, err) })
	theirs.Write([]byte("x"))
	within(t, func() { <-done })
	ours.Close()
	others.Close()
}

func TestAloneConnectionComesBackToABusyRing(t *testing.T) {
	e := ownEngine(t, Options{})
	ours, theirs := alonePair(t, e)
	defer ours.Close()
	busy, peer := alonePairOfNobody(t, e)
	defer busy.Close()
	raw := busy.(*tcpConn).s
	raw.in.mu.Lock()
	raw.bare() // so that it stays with the ring
	raw.in.mu.Unlock()
	beAlone(t, ours, theirs)
	buf := make([]byte, 8)
	within(t, func() {
		for isAlone(ours) {
			done := make(chan struct{})
			go func() { busy.Read(make([]byte, 8)); close(done) }()
			require.Eventually(t, func() bool { return e.Stats().InFlight == 1 && e.rings[0].parked.Load() }, 10*time.Second, 10*time.Microsecond)
			peer.Write([]byte("x"))
			<-done
			theirs.Write([]byte("x"))
			_, err := ours.Read(buf)
			require.NoError(t, err)
		}
	})
}

func TestShutdownWithAnAloneConnection(t *testing.T) {
	e, err := New(Options{})
	require.NoError(t, err)
	ours, _ := alonePair(t, e)
	ended := waits(t, func() { _, err := ours.Read(make([]byte, 8)); require.ErrorIs(t, err, ErrShutdown) })
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, e.Shutdown(ctx), context.DeadlineExceeded)
	within(t, func() { <-ended })
	require.NoError(t, ours.Close())
}
