//go:build linux

package ringio

import (
	"io"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// Many writes wait for peers that have sent their end and do not read. A peer that reads
// gets all the same what is written to it: nobody takes the kernel's workers from others.
func TestWritesOfManyHalfClosedConnections(t *testing.T) {
	const many, size = 60, 8 << 20
	chunk := make([]byte, size)
	onStacks(t, func(t *testing.T, s stack) {
		for _, network := range []string{"tcp", "unix"} {
			var peers []net.Conn
			for i := range many {
				ours, theirs := s.pair(t, network)
				peers = append(peers, theirs)
				if i%2 == 0 { // the others have sent it before they are written to
					defer time.AfterFunc(50*time.Millisecond, func() { theirs.(halfCloser).CloseWrite() }).Stop()
				} else {
					require.NoError(t, theirs.(halfCloser).CloseWrite())
				}
				go func() {
					ours.Write(chunk)
					ours.Close()
				}()
			}
			time.Sleep(100 * time.Millisecond)
			for _, last := range peers[many-2:] {
				within(t, func() {
					got, err := io.Copy(io.Discard, last)
					require.NoError(t, err)
					require.EqualValues(t, size, got)
				})
			}
			for _, peer := range peers {
				peer.Close()
			}
		}
	})
}

// Whatever waits for room on such a connection waits in the kernel, and does not ask for
// room again and again.
func TestWaitsForRoomAreQuiet(t *testing.T) {
	ringtest.NeedsKernel(t, 5, 13)
	const size = 16 << 20
	chunk := make([]byte, size)
	file := ringtest.TempFile(t, nil)
	require.NoError(t, file.Truncate(size))
	for name, write := range map[string]func(c net.Conn){
		"write":   func(c net.Conn) { c.Write(chunk) },
		"file":    func(c net.Conn) { io.Copy(c, file) },
		"buffers": func(c net.Conn) { WriteBuffers(c, &net.Buffers{chunk, chunk}) },
		"raw": func(c net.Conn) {
			raw, _ := c.(syscall.Conn).SyscallConn()
			raw.Write(func(fd uintptr) bool {
				for {
					if _, err := unix.Write(int(fd), chunk); err != nil {
						return err != unix.EAGAIN
					}
				}
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			ours, theirs := ringStack.pair(t, "tcp")
			require.NoError(t, theirs.(halfCloser).CloseWrite())
			waiting := waits(t, func() { write(ours) })
			requireQuiet(t)
			ours.Close()
			within(t, func() { <-waiting })
		})
	}
}

// requireQuiet wants hardly any request of the engine that tests share to complete. What others
// have left may do so for a while; who asks again and again does it as long as he waits.
func requireQuiet(t *testing.T) {
	t.Helper()
	require.Eventually(t, func() bool {
		before := shared().Stats().Completed
		time.Sleep(50 * time.Millisecond)
		return shared().Stats().Completed-before < 20
	}, 20*time.Second, time.Millisecond, "it asks again and again")
}

// Nor does what is sent behind the writer's back take them.
func TestBoxesOfManyHalfClosedConnections(t *testing.T) {
	ringtest.NeedsKernel(t, 5, 13)
	const many, size = 40, 100
	chunk := make([]byte, 64<<10)
	for _, before := range []bool{false, true} {
		var peers []net.Conn
		sent := 0
		for range many {
			ours, theirs := ringStack.pair(t, "tcp")
			peers = append(peers, theirs)
			if before {
				require.NoError(t, theirs.(halfCloser).CloseWrite())
			}
			s := ours.(*tcpConn).s
			sent = size
			for err := error(nil); err == nil; {
				var n int
				n, err = sendNow(s.fd, chunk)
				sent += n
			}
			b := newOutbox(s.engine, s.fd)
			s.box.Store(b)
			taken, err := b.put(chunk[:size])
			require.NoError(t, err)
			require.True(t, taken)
			s.engine.kickAside()
			time.Sleep(time.Millisecond) // it waits by now
			require.NoError(t, theirs.(halfCloser).CloseWrite())
			go ours.Close()
		}
		last := peers[many-1]
		last.SetReadDeadline(time.Now().Add(20 * time.Second))
		got, err := io.Copy(io.Discard, last)
		require.NoError(t, err)
		require.EqualValues(t, sent, got)
		for _, peer := range peers {
			peer.Close()
		}
	}
}

// A queue of errors that nobody reads is no error: writes wait for room all the same, and
// end when the connection fails.
func TestWaitsForRoomAreQuietWithErrorsUnread(t *testing.T) {
	ringtest.NeedsKernel(t, 5, 13)
	for _, boxed := range []bool{false, true} {
		ours, theirs := ringStack.pair(t, "tcp")
		s := ours.(*tcpConn).s
		require.NoError(t, unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_ZEROCOPY, 1))
		_, err := unix.SendmsgN(s.fd, []byte("x"), nil, nil, unix.MSG_ZEROCOPY) // whose receipt comes there
		require.NoError(t, err)
		_, err = io.ReadFull(theirs, make([]byte, 1))
		require.NoError(t, err)
		if boxed {
			for chunk := make([]byte, 64<<10); err == nil; {
				_, err = sendNow(s.fd, chunk)
			}
			b := newOutbox(s.engine, s.fd)
			s.box.Store(b)
			_, err = b.put([]byte("x"))
			require.NoError(t, err)
		}
		waiting := waits(t, func() {
			_, err := ours.Write(make([]byte, 16<<20))
			require.ErrorIs(t, err, syscall.ECONNRESET)
		})
		requireQuiet(t)
		require.NoError(t, theirs.(*tcpConn).SetLinger(0))
		theirs.Close()
		within(t, func() { <-waiting })
	}
}
