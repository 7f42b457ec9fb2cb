//go:build linux

package ringio

import (
	"context"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// boxOf returns a connection's box, which is made as by a writer in a crowd.
func boxOf(c net.Conn) *outbox {
	s := c.(*tcpConn).s
	s.out.mu.Lock()
	defer s.out.mu.Unlock()
	if s.box.Load() == nil {
		s.box.Store(newOutbox(s.engine, s.fd))
	}
	return s.box.Load()
}

// box writes as a writer in a crowd does. Nobody submits it yet.
func box(t testing.TB, c net.Conn, text string) {
	t.Helper()
	taken, err := boxOf(c).put([]byte(text))
	require.NoError(t, err)
	require.True(t, taken)
}

// boxWithoutRoom has a box wait for room, and returns how much was written before.
func boxWithoutRoom(t testing.TB, c net.Conn, text string) (before int) {
	t.Helper()
	s := c.(*tcpConn).s
	for chunk, last := make([]byte, 4096), -1; last != before; time.Sleep(50 * time.Millisecond) { // the peer's side takes some, a moment later
		last = before
		for {
			n, err := sendNow(s.fd, chunk)
			if err != nil {
				break
			}
			before += n
		}
	}
	box(t, c, text)
	b := boxOf(c)
	require.Eventually(t, func() bool {
		s.engine.drive()
		b.mu.Lock()
		defer b.mu.Unlock()
		return b.does != boxSends
	}, 10*time.Second, time.Millisecond)
	return before
}

// onItsWay has the kernel have what is staged, and f called before its end is told.
func onItsWay(e *engine, f func()) {
	e.mu.Lock()
	defer e.unlock()
	e.takeStaged()
	e.sendAll()
	f()
}

// The ring counts what writes that go together spare, each time.
func TestBoxCountsWhatItSpares(t *testing.T) {
	e := ownEngine(t, Options{})
	_, ours, theirs := pairOf(t, e)
	go io.Copy(io.Discard, onlyNet(t, theirs))
	b, ring := boxOf(ours), e.rings[0]
	for range 3 {
		ring.mu.Lock()
		before := ring.few.saved
		for range 3 {
			taken, err := b.put([]byte("x"))
			require.NoError(t, err)
			require.True(t, taken)
		}
		ring.turn(mostAtOnce)
		spared := ring.few.saved - before
		ring.unlock()
		require.Equal(t, 2, spared)
		require.True(t, b.flushes(10*time.Second))
	}
}

// Shutdown sends what has been written: what waits for room, and what waits behind a send. The
// connection goes on behind that.
func TestShutdownSendsTheBox(t *testing.T) {
	for name, ends := range map[string]bool{"and it goes on": false, "and it ends": true} {
		for name2, waitsForRoom := range map[string]bool{"room": true, "a send": false} {
			t.Run(name2+" "+name, func(t *testing.T) {
				e, err := New(Options{})
				require.NoError(t, err)
				keepMany(e)
				_, ours, theirs := pairOf(t, e)
				peer, before := onlyNet(t, theirs), 0
				theirs.Close()
				down := make(chan error, 1)
				shutdown := func() {
					if ends {
						require.NoError(t, ours.(TCPConn).CloseWrite())
					}
					go func() { down <- e.Shutdown(context.Background()) }()
					require.Eventually(t, e.rings[0].closed, 10*time.Second, time.Millisecond)
				}
				if waitsForRoom {
					before = boxWithoutRoom(t, ours, "first")
					box(t, ours, "second")
					shutdown()
				} else {
					box(t, ours, "first")
					onItsWay(e.rings[0], func() {
						box(t, ours, "second")
						shutdown()
					})
				}
				_, err = io.CopyN(io.Discard, peer, int64(before))
				require.NoError(t, err)
				within(t, func() { require.NoError(t, <-down) })
				want := "firstsecond"
				if ends {
					_, err = ours.Write([]byte("x"))
					require.ErrorIs(t, err, unix.EPIPE)
				} else {
					_, err = ours.Write([]byte("third"))
					require.NoError(t, err)
					require.NoError(t, ours.Close())
					want += "third"
				}
				peer.SetReadDeadline(time.Now().Add(10 * time.Second))
				got, err := io.ReadAll(peer)
				require.NoError(t, err)
				require.Equal(t, want, string(got))
			})
		}
	}
}

// Who writes when Shutdown has begun sends it himself, and does not keep that from ending.
func TestNoBoxBehindShutdown(t *testing.T) {
	e, err := New(Options{})
	require.NoError(t, err)
	keepMany(e)
	_, ours, theirs := pairOf(t, e)
	require.NoError(t, e.Shutdown(context.Background()))
	taken, err := boxOf(ours).put([]byte("x"))
	require.NoError(t, err)
	require.False(t, taken)
	_, err = ours.Write([]byte("text"))
	require.NoError(t, err)
	got := make([]byte, 8)
	n, err := theirs.Read(got)
	require.NoError(t, err)
	require.Equal(t, "text", string(got[:n]))

	var c crowd
	c.end()
	c.woke(crowdSize)
	require.False(t, c.here.Load())
}

// Where Shutdown can't wait for that, the writer is told, again and again, and the peer does
// not take what it gets for all.
func TestShutdownThatCutsTheBox(t *testing.T) {
	e, err := New(Options{})
	require.NoError(t, err)
	keepMany(e)
	_, ours, theirs := pairOf(t, e)
	peer := onlyNet(t, theirs)
	theirs.Close()
	boxWithoutRoom(t, ours, "text")
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, e.Shutdown(ctx), context.DeadlineExceeded)
	raw, err := ours.(TCPConn).SyscallConn()
	require.NoError(t, err)
	for range 2 {
		_, err = ours.Write([]byte("x"))
		require.ErrorIs(t, err, ErrShutdown)
		_, err = WriteBuffers(ours, &net.Buffers{[]byte("x")})
		require.ErrorIs(t, err, ErrShutdown)
		require.ErrorIs(t, raw.Write(func(uintptr) bool { return true }), ErrShutdown)
		require.ErrorIs(t, ours.(TCPConn).CloseWrite(), ErrShutdown)
	}
	require.NoError(t, ours.Close())
	_, err = io.Copy(io.Discard, peer)
	require.ErrorIs(t, err, unix.ECONNRESET)
}

// A reset is told once, as in net, whoever asks first, also where a box has heard of it.
func TestResetThatABoxIsTold(t *testing.T) {
	calls := func(p *protocol, c net.Conn, order string) {
		for _, call := range order {
			if call == 'r' {
				n, err := c.Read(make([]byte, 8))
				p.result("read", n, err)
			} else {
				n, err := c.Write([]byte("x"))
				p.result("write", n, err)
			}
		}
	}
	for _, order := range []string{"rrwwr", "rwwr", "wrwr", "wwwrr"} {
		ours, theirs := netStack.pair(t, "tcp")
		reset(t, theirs)
		waitReset(t, ours)
		want := &protocol{t: t}
		calls(want, ours, order)
		for _, polls := range []bool{false, true} {
			for _, told := range []bool{false, true} {
				got := &protocol{t: t}
				ours, theirs := ringStack.pair(t, "tcp")
				s := ours.(*tcpConn).s
				if polls {
					s.readPoll.Store(newReadPoll(s.engine, s.fd))
				}
				box(t, ours, "x")
				reset(t, theirs)
				const closed = 7 // waitReset would have the box sent
				require.Eventually(t, func() bool { return tcpState(s.fd) == closed }, 10*time.Second, time.Millisecond)
				do := func() { within(t, func() { calls(got, ours, order) }) }
				if told {
					require.True(t, boxOf(ours).flushes(10*time.Second))
					do()
				} else {
					var done chan struct{}
					onItsWay(s.engine, func() { done = waits(t, do) })
					<-done
				}
				require.Equal(t, want.lines, got.lines, "%s, poll %v, told %v", order, polls, told)
			}
		}
	}
}

// What is done by a descriptor comes behind what was written before.
func TestDescriptorsComeBehindTheBox(t *testing.T) {
	second := func(fd int) {
		for {
			if _, err := unix.Write(fd, []byte("second")); err != unix.EAGAIN {
				require.NoError(t, err)
				return
			}
			time.Sleep(time.Millisecond)
		}
	}
	for name, write := range map[string]func(c net.Conn){
		"Control": func(c net.Conn) { rawControl(t, c, second) },
		"File": func(c net.Conn) {
			f, err := c.(filer).File()
			require.NoError(t, err)
			rawControl(t, f, second)
			f.Close()
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, hasRoom := range []bool{true, false} {
				ours, theirs := ringStack.pair(t, "tcp")
				before, written := 0, make(chan struct{})
				if hasRoom {
					box(t, ours, "first")
					go func() { defer close(written); write(ours) }()
				} else {
					before = boxWithoutRoom(t, ours, "first")
					written = waits(t, func() { write(ours) })
				}
				_, err := io.CopyN(io.Discard, theirs, int64(before))
				require.NoError(t, err)
				within(t, func() { <-written })
				require.NoError(t, ours.Close())
				got, err := io.ReadAll(theirs)
				require.NoError(t, err)
				require.Equal(t, "firstsecond", string(got))
			}
		})
	}
}

// Who looks at a connection that is stuck waits neither behind its writer nor for ever.
func TestControlOfAStuckConnection(t *testing.T) {
	ours, _ := ringStack.pair(t, "tcp")
	boxWithoutRoom(t, ours, "text")
	raw, err := ours.(TCPConn).SyscallConn()
	require.NoError(t, err)
	control := waits(t, func() { require.ErrorIs(t, raw.Control(func(uintptr) {}), os.ErrDeadlineExceeded) })
	require.NoError(t, ours.SetWriteDeadline(longAgo))
	within(t, func() { <-control })
	require.NoError(t, ours.SetWriteDeadline(time.Time{}))
	writer := waits(t, func() { _, err := ours.Write([]byte("x")); require.ErrorIs(t, err, net.ErrClosed) })
	within(t, func() { require.NoError(t, raw.Control(func(uintptr) {})) })
	require.NoError(t, ours.Close())
	<-writer
}

// Behind File nothing is boxed, or what its descriptor writes would overtake it.
func TestNoBoxBehindFile(t *testing.T) {
	ringtest.NeedsFeatures(t, newPolls)
	e := ownEngine(t, Options{})
	_, ours, theirs := pairOf(t, e)
	warmUp(t, ours, theirs)
	s, ring := ours.(*tcpConn).s, e.rings[0]
	require.NotNil(t, s.readPoll.Load())
	for _, exact := range []bool{true, false} {
		s.exact.Store(exact) // as File does
		require.Eventually(t, ring.parked.Load, 10*time.Second, time.Millisecond)
		ring.parked.Store(false) // as if it had yet to run
		ring.crowd.here.Store(true)
		_, err := ours.Write([]byte("x"))
		ring.parked.Store(true)
		ring.drive()
		require.NoError(t, err)
		require.Equal(t, !exact, s.box.Load() != nil)
	}
}

// Two may wait until all has been sent, as where Close comes beside CloseWrite: both are told.
func TestTwoWaitForABox(t *testing.T) {
	e := ownEngine(t, Options{}).rings[0]
	b := newOutbox(e, -1)
	b.op = e.acquire()
	one := waits(t, func() { b.flushes(time.Minute) })
	other := waits(t, func() { b.flushes(time.Minute) })
	b.mu.Lock()
	b.idle()
	b.mu.Unlock()
	for _, flushed := range []chan struct{}{one, other} {
		select {
		case <-flushed:
		case <-time.After(10 * time.Second):
			t.Error("it was not told")
		}
	}
}
