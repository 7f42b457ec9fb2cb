//go:build linux

package ringio

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// What has been written comes, though Close or CloseWrite follows at once.
func TestCloseSendsWhatWasWritten(t *testing.T) {
	onStacks(t, func(t *testing.T, s stack) {
		for _, network := range []string{"tcp", "unix"} {
			for _, size := range []int{1, 1000, 100_000, 1 << 20} {
				for name, end := range map[string]func(c net.Conn){
					"Close":      func(c net.Conn) { c.Close() },
					"CloseWrite": func(c net.Conn) { c.(halfCloser).CloseWrite() },
				} {
					ours, theirs := s.pair(t, network)
					go func() {
						for range 3 {
							ours.Write(make([]byte, size))
						}
						end(ours)
					}()
					got, err := io.Copy(io.Discard, theirs)
					require.NoError(t, err, name)
					require.EqualValues(t, 3*size, got, name)
				}
			}
		}
	})
}

// A write that waits for room ends with its deadline, or with Close, also on a connection
// whose other direction has ended: there the kernel has a worker wait, which it interrupts.
func TestWriteThatWaitsOnAHalfClosedConnectionEnds(t *testing.T) {
	ends := []struct {
		with error
		end  func(c net.Conn) error
	}{
		{os.ErrDeadlineExceeded, func(c net.Conn) error { return c.SetWriteDeadline(longAgo) }},
		{net.ErrClosed, net.Conn.Close},
	}
	onStacks(t, func(t *testing.T, s stack) {
		for _, network := range []string{"tcp", "unix", "unixpacket"} {
			for _, e := range ends {
				ours, theirs := s.pair(t, network)
				ended := make(chan error)
				go func() {
					var err error
					for chunk := make([]byte, 64<<10); err == nil; {
						_, err = ours.Write(chunk)
					}
					ended <- err
				}()
				time.Sleep(5 * time.Millisecond) // it waits by now
				require.NoError(t, theirs.(halfCloser).CloseWrite())
				time.Sleep(5 * time.Millisecond)
				require.NoError(t, e.end(ours))
				within(t, func() { require.ErrorIs(t, <-ended, e.with, network) })
			}
		}
	})
}

// A write that fails while another reads takes the reader's request back once, whatever the
// reader does meanwhile.
func TestWritesBehindCloseWriteFail(t *testing.T) {
	onStacks(t, func(t *testing.T, s stack) {
		for i := range 20 {
			ours, theirs := s.pair(t, "tcp")
			buf := make([]byte, 8)
			for range i % 2 * 10 { // so that there may be a box
				ours.Write([]byte("ping"))
				theirs.Read(buf)
			}
			require.NoError(t, ours.(TCPConn).CloseWrite())
			theirs.Write([]byte("late"))
			ours.Read(buf)
			n, err := ours.Write(buf)
			require.ErrorIs(t, err, syscall.EPIPE)
			require.Zero(t, n)
			ours.Close()
			theirs.Close()
		}
	})
}

func TestWriteBehindCloseWriteBesideAReader(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // where the reader comes first
	e := ownEngine(t, Options{})
	for range 20 {
		_, ours, theirs := pairOf(t, e)
		warmUp(t, ours, theirs)
		read := waits(t, func() {
			_, err := ours.Read(make([]byte, 8))
			require.ErrorIs(t, err, io.EOF)
		})
		require.NoError(t, ours.(halfCloser).CloseWrite())
		before := e.Stats().Cancels
		_, err := ours.Write([]byte("x"))
		require.ErrorIs(t, err, syscall.EPIPE)
		require.LessOrEqual(t, e.Stats().Cancels-before, uint64(2))
		theirs.Close()
		within(t, func() { <-read })
	}
}

// What has been written comes, though the process ends at once. What a box has does so once
// there was a Close, CloseWrite or Shutdown: of a process that ends without, nothing can be had.
func TestTheProcessEndsAfterAWrite(t *testing.T) {
	const asked = "RINGIO_WRITE_AND_EXIT"
	if how, to, ok := strings.Cut(os.Getenv(asked), " "); ok {
		endings[how](t, to)
		os.Exit(0)
	}
	for how := range endings {
		l := netStack.mustListen(t, "tcp")
		child := exec.Command(os.Args[0], "-test.run=^TestTheProcessEndsAfterAWrite$")
		child.Env = append(os.Environ(), asked+"="+how+" "+l.Addr().String())
		child.Stdout = os.Stderr
		require.NoError(t, child.Start())
		c, err := l.Accept()
		require.NoError(t, err)
		got, err := io.ReadAll(c)
		require.NoError(t, err)
		require.NoError(t, child.Wait(), how)
		require.True(t, strings.HasSuffix(string(got), "line 99\n"), "%s: %q", how, got)
	}
}

// endings write to an address, and return when the process may end.
var endings = map[string]func(t *testing.T, to string){
	"net":        func(t *testing.T, to string) { writeLines(t, dialTCP(t, netStack, to)) },
	"ringio":     func(t *testing.T, to string) { writeLines(t, dialTCP(t, ringStack, to)) },
	"Close":      func(t *testing.T, to string) { require.NoError(t, boxLines(t, to).Close()) },
	"CloseWrite": func(t *testing.T, to string) { require.NoError(t, boxLines(t, to).CloseWrite()) },
	"Shutdown": func(t *testing.T, to string) {
		boxLines(t, to)
		require.NoError(t, Shutdown(t.Context()))
	},
}

func dialTCP(t *testing.T, s stack, to string) TCPConn {
	c, err := s.dial(new(net.Dialer), t.Context(), "tcp", to)
	require.NoError(t, err)
	return c.(TCPConn)
}

func writeLines(t *testing.T, w io.Writer) {
	for i := range 100 {
		_, err := fmt.Fprintf(w, "line %d\n", i)
		require.NoError(t, err)
	}
}

// boxLines has the lines in a connection's box, and nobody look at it.
func boxLines(t *testing.T, to string) TCPConn {
	c := dialTCP(t, ringStack, to)
	s := c.(*tcpConn).s
	b := newOutbox(s.engine, s.fd)
	s.box.Store(b)
	writeLines(t, boxWriter{b})
	return c
}

type boxWriter struct{ b *outbox }

func (w boxWriter) Write(p []byte) (int, error) {
	taken, err := w.b.put(p)
	if !taken && err == nil {
		err = io.ErrShortWrite
	}
	return len(p), err
}

// Close sends a reset if the program has not read all that came, else an end.
func TestCloseWithUnreadData(t *testing.T) {
	onStacks(t, func(t *testing.T, s stack) {
		for _, read := range []bool{false, true} {
			ours, theirs := s.pair(t, "tcp")
			// A reader that was there before leaves nothing behind.
			done := waits(t, func() { ours.Read(make([]byte, 1)) })
			theirs.Write([]byte("a"))
			<-done
			theirs.Write([]byte("b"))
			waitReadable(t, ours)
			if read {
				ours.Read(make([]byte, 1))
			}
			require.NoError(t, ours.Close())
			_, err := theirs.Read(make([]byte, 1))
			if read {
				require.ErrorIs(t, err, io.EOF)
			} else {
				require.ErrorIs(t, err, syscall.ECONNRESET)
			}
		}
	})
}

// What comes behind CloseRead is read all the same: the kernel has no end for it.
func TestReadsBehindCloseRead(t *testing.T) {
	onStacks(t, func(t *testing.T, s stack) {
		for _, waits := range []bool{false, true} {
			ours, theirs := s.pair(t, "tcp")
			ended := make(chan error, 1)
			if waits {
				go func() { _, err := ours.Read(make([]byte, 1)); ended <- err }()
				time.Sleep(time.Millisecond)
			} else {
				ended <- io.EOF
			}
			require.NoError(t, ours.(halfCloser).CloseRead())
			within(t, func() { require.ErrorIs(t, <-ended, io.EOF) })
			for _, text := range []string{"one", "more"} {
				_, err := theirs.Write([]byte(text))
				require.NoError(t, err)
				got := 0
				for end := time.Now().Add(20 * time.Second); got < len(text) && time.Now().Before(end); {
					n, err := ours.Read(make([]byte, 8))
					if got += n; n == 0 {
						require.ErrorIs(t, err, io.EOF)
						time.Sleep(time.Millisecond)
					}
				}
				require.Equal(t, len(text), got)
			}
		}
	})
}

// fill writes to a connection whose peer does not read until there is no room.
func fill(t *testing.T, c net.Conn) {
	t.Helper()
	require.NoError(t, c.(bufferSizes).SetWriteBuffer(4096))
	require.NoError(t, c.SetWriteDeadline(time.Now().Add(100*time.Millisecond)))
	for {
		if _, err := c.Write(make([]byte, 2000)); err != nil {
			require.ErrorIs(t, err, os.ErrDeadlineExceeded)
			return
		}
	}
}

// A peer that does not read does not keep Close waiting. What was written comes when it
// reads, or it is reset where SetLinger says so.
func TestCloseWhileThePeerDoesNotRead(t *testing.T) {
	onStacks(t, func(t *testing.T, s stack) {
		for linger, wants := range map[int]error{-1: nil, 0: syscall.ECONNRESET} {
			ours, theirs := fullPair(t, s)
			require.NoError(t, ours.(TCPConn).SetLinger(linger))
			began := time.Now()
			require.NoError(t, ours.Close())
			require.Less(t, time.Since(began), time.Second)
			_, err := io.Copy(io.Discard, theirs)
			require.ErrorIs(t, err, wants, linger)
		}
	})
}

// A peer that never reads does not keep the descriptor for ever.
func TestCloseWhileThePeerNeverReads(t *testing.T) {
	defer func(was time.Duration) { orphanPatience = was }(orphanPatience)
	orphanPatience = 10 * time.Millisecond
	ours, theirs := busyStack.pair(t, "tcp")
	boxWithoutRoom(t, ours, "text")
	require.NoError(t, ours.Close())
	ours.(*tcpConn).s.gone.Wait() // the descriptor is closed
	_, err := io.Copy(io.Discard, theirs)
	require.ErrorIs(t, err, syscall.ECONNRESET)
}

// fullPair returns a connection that there is no room to write to, and its peer.
func fullPair(t *testing.T, s stack) (ours, theirs net.Conn) {
	ours, theirs = s.pair(t, "tcp")
	warmUp(t, ours, theirs)
	require.NoError(t, theirs.(bufferSizes).SetReadBuffer(4096))
	fill(t, ours)
	return ours, theirs
}

// Who comes behind Close is told so, however long another is in that direction yet.
func TestCallsBehindClose(t *testing.T) {
	onStacks(t, func(t *testing.T, s stack) {
		for way, call := range map[string]func(c net.Conn) (int, error){
			"read":  func(c net.Conn) (int, error) { return c.Read(make([]byte, 1)) },
			"write": func(c net.Conn) (int, error) { return c.Write([]byte("x")) },
		} {
			ours, _ := s.pair(t, "tcp")
			raw, err := ours.(syscall.Conn).SyscallConn()
			require.NoError(t, err)
			hold := map[string]func(func(uintptr) bool) error{"read": raw.Read, "write": raw.Write}[way]
			held, letGo, left, closed := make(chan struct{}), make(chan struct{}), make(chan struct{}), make(chan error)
			go func() {
				defer close(left)
				hold(func(uintptr) bool {
					close(held)
					<-letGo
					return true
				})
			}()
			<-held
			go func() { closed <- ours.Close() }()
			require.Eventually(t, func() bool { return errors.Is(ours.SetDeadline(time.Time{}), net.ErrClosed) }, 10*time.Second, time.Millisecond)
			_, err = call(ours)
			require.ErrorIs(t, err, net.ErrClosed, way)
			close(letGo)
			require.NoError(t, <-closed)
			<-left
		}
	})
}

// Close ends all that wait, and returns when nothing of the descriptor is left: its
// number may be used again at once.
func TestCloseWhileManyWait(t *testing.T) {
	onStacks(t, func(t *testing.T, s stack) {
		for range 20 {
			ours, theirs := s.pair(t, "tcp")
			var all sync.WaitGroup
			for range 5 {
				all.Go(func() {
					_, err := ours.Read(make([]byte, 8))
					require.ErrorIs(t, err, net.ErrClosed)
				})
				all.Go(func() {
					for {
						if _, err := ours.Write(make([]byte, 1<<18)); err != nil {
							require.ErrorIs(t, err, net.ErrClosed)
							return
						}
					}
				})
			}
			time.Sleep(time.Millisecond)
			within(t, func() { require.NoError(t, ours.Close()) })
			within(t, all.Wait)
			_, err := io.Copy(io.Discard, theirs)
			require.NoError(t, err, "the peer sees an end")
		}
	})
}

// A connection that nobody has any more is closed, whatever it has had to do with the ring:
// where it has a poll, which the kernel has.
func TestForgottenConnectionsAreClosed(t *testing.T) {
	onStacks(t, func(t *testing.T, s stack) {
		for _, unread := range []bool{false, true} {
			l := s.mustListen(t, "tcp")
			theirs := netStack.mustDial(t, l.Addr())
			forget(t, s, l, theirs, unread)
			wants := map[bool]error{false: io.EOF, true: syscall.ECONNRESET}[unread]
			err := error(nil)
			// What another goroutine was preempted in may keep it for some rounds.
			for end := time.Now().Add(time.Minute); time.Now().Before(end); {
				runtime.GC() // takes longer than a read may: the deadline comes after it
				theirs.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
				if _, err = theirs.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
					break
				}
			}
			require.ErrorIs(t, err, wants)
		}
	})
}

// forget accepts a connection, uses it, with bytes that it does not read if unread, and drops it.
func forget(t *testing.T, s stack, l net.Listener, theirs net.Conn, unread bool) {
	c, err := l.Accept()
	require.NoError(t, err)
	c.SetReadDeadline(time.Now().Add(time.Millisecond))
	c.Read(make([]byte, 1))                  // it has had to do with the ring
	c.SetDeadline(time.Now().Add(time.Hour)) // which nobody needs to wait for
	if s.busy {
		warmUp(t, theirs, c)
	}
	if s.busy && onRing(c) && shared().rings[0].polls {
		require.NotNil(t, c.(*tcpConn).s.readPoll.Load())
	}
	if !unread {
		return
	}
	theirs.Write([]byte("unread"))
	waitReadable(t, c)
}

// onRing reports whether a TCP connection is a ring's.
func onRing(c net.Conn) bool {
	_, is := c.(*tcpConn)
	return is
}
