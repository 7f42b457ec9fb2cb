//go:build linux

package ringio

import (
	"bytes"
	"context"
	"io"
	"net"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// A connection that waits in the poller behaves as on the ring.

// polledPair returns both ends of a connection of which ours waits in the poller, theirs being
// net's.
func polledPair(t testing.TB, e *Engine) (ours, theirs net.Conn) {
	ours, theirs = polledPairOfNobody(t, e)
	t.Cleanup(func() { ours.Close() })
	return ours, theirs
}

// readPair returns a connection that has been read before, in the poller or on the ring.
func readPair(t testing.TB, e *Engine, polled bool) (ours, theirs net.Conn) {
	if polled {
		return polledPair(t, e)
	}
	keepMany(e)
	_, ours, theirs = pairOf(t, e)
	warmUp(t, ours, theirs)
	return ours, theirs
}

// polledPairOfNobody is polledPair without the test's knowing ours.
func polledPairOfNobody(t testing.TB, e *Engine) (ours, theirs net.Conn) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	ours, err = e.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	theirs, err = l.Accept()
	require.NoError(t, err)
	t.Cleanup(func() { theirs.Close() })
	bePolled(t, ours, theirs)
	return ours, theirs
}

// bePolled has ours come to wait in the poller.
func bePolled(t testing.TB, ours, theirs net.Conn) {
	t.Helper()
	within(t, func() {
		for !isPolled(ours) {
			passByte(t, theirs, ours)
		}
	})
}

// passByte has a byte come while somebody reads, most often: that is enough.
func passByte(t testing.TB, from, to net.Conn) {
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		runtime.Gosched()
		from.Write([]byte("x"))
	}()
	n, err := to.Read(make([]byte, 8))
	require.NoError(t, err)
	require.Equal(t, 1, n)
	<-sent
}

func isPolled(c net.Conn) bool {
	s := socketOf(c)
	s.in.mu.Lock()
	defer s.in.mu.Unlock()
	return s.polled != nil
}

func socketOf(c net.Conn) *socket {
	if c, ok := c.(*unixConn); ok {
		return c.s
	}
	return c.(*tcpConn).s
}

func TestPolledConnectionReads(t *testing.T) {
	e := fewEngine(t, Options{})
	ours, theirs := polledPair(t, e)
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

func TestPolledConnectionHasDeadlines(t *testing.T) {
	ours, theirs := polledPair(t, fewEngine(t, Options{}))
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
	require.True(t, isPolled(ours))
}

func TestPolledConnectionIsClosed(t *testing.T) {
	e := fewEngine(t, Options{})
	for range 5 {
		ours, theirs := polledPair(t, e)
		done := waits(t, func() { _, err := ours.Read(make([]byte, 8)); require.ErrorIs(t, err, net.ErrClosed) })
		require.NoError(t, ours.Close())
		within(t, func() { <-done })
		_, err := io.Copy(io.Discard, theirs)
		require.NoError(t, err, "the peer sees the end")
	}
	require.True(t, e.rings[0].few.none())
}

func TestForgottenPolledConnectionIsClosed(t *testing.T) {
	e := fewEngine(t, Options{})
	ours, theirs := polledPairOfNobody(t, e)
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

// A raw reader, a File, and who waits without reading leave it where it is, and it hears of
// the deadline afterwards.
func TestPolledConnectionIsUsedOtherwise(t *testing.T) {
	ours, theirs := polledPair(t, fewEngine(t, Options{}))
	raw, err := ours.(*tcpConn).SyscallConn()
	require.NoError(t, err)
	uses := map[string]func(){
		"waiting": func() {
			theirs.Write([]byte("y"))
			require.NoError(t, WaitReadable(ours))
			n, err := ours.Read(make([]byte, 8))
			require.NoError(t, err)
			require.Equal(t, 1, n)
		},
		"raw": func() {
			done := waits(t, func() {
				require.NoError(t, raw.Read(func(fd uintptr) bool {
					n, err := unix.Read(int(fd), make([]byte, 8))
					return n == 1 && err == nil
				}))
			})
			theirs.Write([]byte("z"))
			<-done
		},
		"raw, for more than comes at once": func() {
			const most = 3
			got := 0
			done := waits(t, func() {
				require.NoError(t, raw.Read(func(fd uintptr) bool {
					n, _ := unix.Read(int(fd), make([]byte, 8))
					got += max(n, 0)
					return got == most
				}))
			})
			for range most {
				theirs.Write([]byte("z"))
				time.Sleep(5 * time.Millisecond)
			}
			<-done
		},
		"file": func() {
			f, err := ours.(filer).File()
			require.NoError(t, err)
			f.Fd() // has the socket wait
			f.Close()
		},
	}
	for name, use := range uses {
		t.Run(name, func(t *testing.T) {
			within(t, use)
			require.True(t, isPolled(ours))
			done := waits(t, func() {
				_, err := ours.Read(make([]byte, 8))
				require.ErrorIs(t, err, os.ErrDeadlineExceeded)
			})
			ours.SetReadDeadline(longAgo)
			within(t, func() { <-done })
			ours.SetReadDeadline(time.Time{})
			passByte(t, theirs, ours)
		})
	}
}

// A handful of connections need nothing of the ring.
func TestFewConnectionsNeedNoRing(t *testing.T) {
	e := fewEngine(t, Options{})
	var all sync.WaitGroup
	var pairs [8][2]net.Conn
	for i := range pairs {
		pairs[i][0], pairs[i][1] = polledPair(t, e)
	}
	before := e.Stats()
	for _, p := range pairs {
		all.Go(func() {
			for range 100 {
				passByte(t, p[1], p[0])
				passByte(t, p[0], p[1])
			}
		})
	}
	all.Wait()
	after := e.Stats()
	require.Equal(t, before.Submitted, after.Submitted)
	require.Equal(t, before.Enters, after.Enters)
}

// Once there are many it reads by the ring, and keeps no descriptor. When the pump then wakes one
// at a time it comes back.
func TestPolledConnectionLeavesAndComesBack(t *testing.T) {
	e := fewEngine(t, Options{})
	few := &e.rings[0].few
	ours, theirs := polledPair(t, e)
	passByte(t, theirs, ours)
	require.Nil(t, socketOf(ours).polled.p, "it keeps the reader's memory")
	few.not.Store(true)
	passByte(t, theirs, ours)
	require.False(t, isPolled(ours))
	require.True(t, few.none())
	bePolled(t, ours, theirs)
	require.True(t, few.are())
}

// A Unix connection, and one that is used by its descriptor, too, wait there as well.
func TestAllKindsOfConnectionsArePolled(t *testing.T) {
	s := fewStack(t)
	unixPair, _ := s.pair(t, "unix")
	require.True(t, isPolled(unixPair))
	s.warm = false
	ours, theirs := s.pair(t, "tcp")
	f, err := ours.(filer).File()
	require.NoError(t, err)
	f.Close()
	bePolled(t, ours, theirs)
}

func TestPolledConnectionHasOneDescriptorMore(t *testing.T) {
	e := fewEngine(t, Options{})
	ours, theirs := polledPair(t, e)
	for range 2 * warmReads { // each says that it had to wait
		done := waits(t, func() { require.NoError(t, WaitReadable(ours)) })
		theirs.Write([]byte("x"))
		<-done
		n, err := ours.Read(make([]byte, 8))
		require.NoError(t, err)
		require.Equal(t, 1, n)
	}
	require.Len(t, e.rings[0].few.all, 1)
}

// readTalking has ours read so often that it looks, and write so many times in between.
func readTalking(t testing.TB, ours, theirs net.Conn, writes int) {
	go io.Copy(io.Discard, theirs)
	for range fewReads {
		for range writes {
			_, err := ours.Write([]byte("y"))
			require.NoError(t, err)
		}
		passByte(t, theirs, ours)
	}
}

// A few who write again and again between two reads say so. What one wrote before it came does
// not count.
func TestTalkersLeaveThePoller(t *testing.T) {
	e := fewEngine(t, Options{})
	few := &e.rings[0].few
	for i := range crowdSize {
		require.True(t, few.are())
		_, ours, theirs := pairOf(t, e)
		for range 2 * talkative * fewReads {
			_, err := ours.Write([]byte("y"))
			require.NoError(t, err)
		}
		bePolled(t, ours, theirs)
		readTalking(t, ours, theirs, 1)
		require.Equal(t, i, few.talk)
		readTalking(t, ours, theirs, talkative+1)
	}
	require.False(t, few.are())
}

// Its reads are known to the scheduler where it is the only one, waits, and does so briefly.
func TestBriskConnection(t *testing.T) {
	e := fewEngine(t, Options{})
	ours, _ := polledPair(t, e)
	s := socketOf(ours)
	for _, c := range []struct {
		others, waited int
		since          time.Duration
		brisk          bool
	}{
		{1, fewReads, 0, true},
		{2, fewReads, 0, false},
		{1, fewReads / 2, 0, true}, // net/http reads a byte first
		{1, fewReads/4 - 1, 0, false},
		{1, fewReads, fewReads * briskRound, false},
	} {
		l := &polled{reads: fewReads - 1, waited: c.waited, looks: s.engine.few.looks, looked: time.Now().Add(-c.since)}
		for range c.others {
			s.engine.few.look(new(polled), time.Now(), false)
		}
		l.look(s)
		require.Equal(t, c.brisk, l.brisk, "%+v", c)
	}
}

// Connections go to the ring and come back while bytes go both ways, and none is lost.
func TestConnectionsGoToTheRingAndBack(t *testing.T) {
	e := fewEngine(t, Options{})
	flip(t, e)
	var all sync.WaitGroup
	for range 8 {
		_, ours, theirs := pairOf(t, e)
		for _, c := range [][2]net.Conn{{ours, theirs}, {theirs, ours}} {
			want := ringtest.Pattern(1<<20, 3)
			all.Go(func() {
				for rest := want; len(rest) > 0; {
					n, err := c[0].Write(rest[:min(len(rest), 1+len(rest)%3000)])
					require.NoError(t, err)
					rest = rest[n:]
				}
			})
			all.Go(func() {
				got := make([]byte, len(want))
				_, err := io.ReadFull(c[1], got)
				require.NoError(t, err)
				require.True(t, bytes.Equal(want, got))
			})
		}
	}
	within(t, all.Wait)
}

// Bytes behind urgent ones come, whatever a request has left the thread to do, see
// TestUrgentDataAndWorkToDo.
func TestPolledUrgentDataAndWorkToDo(t *testing.T) {
	for range 3 {
		e := fewEngine(t, Options{})
		ours, theirs := polledPair(t, e)
		rawControl(t, theirs, func(fd int) {
			require.NoError(t, unix.Sendto(fd, []byte("before!"), unix.MSG_OOB, nil))
		})
		_, err := theirs.Write([]byte("behind"))
		require.NoError(t, err)
		time.Sleep(10 * time.Millisecond)
		got := make([]byte, 16)
		n, err := ours.Read(got)
		require.NoError(t, err)
		require.Equal(t, "before", string(got[:n]))
		require.NoError(t, ours.SetReadDeadline(time.Now().Add(3*recheckPause)))
		done := haveWorkToDo(t, e.rings[0])
		readBehindUrgentData(t, ours)
		done()
	}
}

// flip has the rings believe in few connections and in many, by turns, until the test ends.
func flip(t testing.TB, e *Engine) {
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for many := true; ; many = !many {
			for _, r := range e.rings {
				r.few.not.Store(many)
			}
			select {
			case <-stop:
				return
			case <-time.After(time.Millisecond):
			}
		}
	}()
	t.Cleanup(func() {
		close(stop)
		<-stopped
	})
}

// There is an end to the descriptors that it takes. Who finds no room waits by the ring.
func TestPolledConnectionsAreLimited(t *testing.T) {
	e := fewEngine(t, Options{})
	few := &e.rings[0].few
	ours, theirs := polledPair(t, e)
	for range fewPolled - 1 {
		file, err := os.Open(os.DevNull)
		require.NoError(t, err)
		require.True(t, few.add(&polled{file: file}))
	}
	require.False(t, few.add(&polled{}))
	_, others, theirOthers := pairOf(t, e)
	for range 4 * warmReads {
		passByte(t, theirOthers, others)
		passByte(t, theirs, ours)
	}
	require.False(t, isPolled(others))
	require.True(t, isPolled(ours))
	ours.Close()
	bePolled(t, others, theirOthers)
	few.end()
	require.True(t, few.none())
	passByte(t, theirOthers, others) // by the ring
	require.Nil(t, newPolled(e.rings[0], -1), "there is no descriptor")
}

// Those who are silent leave when others want their place, and miss nothing.
func TestSilentPolledConnectionsMakeRoom(t *testing.T) {
	e := fewEngine(t, Options{})
	few := &e.rings[0].few
	silent, theirSilent := polledPair(t, e)
	busy, theirBusy := polledPair(t, e)
	for range fewPolled - 2 {
		file, err := os.Open(os.DevNull)
		require.NoError(t, err)
		require.True(t, few.add(&polled{file: file}))
	}
	heard := waits(t, func() {
		n, err := silent.Read(make([]byte, 8))
		require.NoError(t, err)
		require.Equal(t, 1, n)
	})
	require.True(t, few.full(), "they have just come")
	few.swept = few.swept.Add(-fewSilent / 2)
	require.True(t, few.full(), "it is not long ago")
	few.swept = few.swept.Add(-fewSilent / 2)
	passByte(t, theirBusy, busy)
	require.False(t, few.full())
	sweep := func() (left int) {
		passByte(t, theirBusy, busy)
		few.mu.Lock()
		defer few.mu.Unlock()
		few.sweep()
		return len(few.all)
	}
	require.Equal(t, fewPolled-2*fewLeave, sweep())
	for range fewPolled/fewLeave - 2 {
		sweep()
	}
	require.Equal(t, 1, sweep())
	require.True(t, isPolled(busy))
	theirSilent.Write([]byte("x"))
	within(t, func() { <-heard })
	require.False(t, isPolled(silent))
}

func TestShutdownWithAPolledConnection(t *testing.T) {
	e, err := New(Options{})
	require.NoError(t, err)
	ours, _ := polledPair(t, e)
	ended := waits(t, func() { _, err := ours.Read(make([]byte, 8)); require.ErrorIs(t, err, ErrShutdown) })
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, e.Shutdown(ctx), context.DeadlineExceeded)
	within(t, func() { <-ended })
	require.NoError(t, ours.Close())
}

// While the engine is being shut down a read still ends, but the next one must not wait.
func TestShutdownWithAConnectionThatTalks(t *testing.T) {
	for name, polled := range map[string]bool{"polled": true, "by the ring": false} {
		t.Run(name, func(t *testing.T) {
			e, err := New(Options{})
			require.NoError(t, err)
			ours, theirs := readPair(t, e, polled)
			const pause = 50 * time.Millisecond // longer than Shutdown's between two looks
			go func() {
				for _, err := theirs.Write([]byte("x")); err == nil; _, err = theirs.Write([]byte("x")) {
					time.Sleep(pause)
				}
			}()
			ended := waits(t, func() {
				var err error
				for err == nil {
					_, err = ours.Read(make([]byte, 8))
				}
				require.ErrorIs(t, err, ErrShutdown)
			})
			ctx, cancel := context.WithTimeout(t.Context(), 40*pause)
			defer cancel()
			require.NoError(t, e.Shutdown(ctx))
			within(t, func() { <-ended })
		})
	}
}

// Nobody comes to the poller when the engine is shut down: nothing would end the wait.
func TestNoPolledConnectionBehindShutdown(t *testing.T) {
	ringtest.NeedsFeatures(t, newPolls)
	e, err := New(Options{})
	require.NoError(t, err)
	_, ours, theirs := pairOf(t, e)
	few := &e.rings[0].few
	few.not.Store(true)
	s := ours.(*tcpConn).s
	for range 2 { // the second comes by the ring
		for ok := true; ok; ok = s.readPoll.Load() == nil {
			passByte(t, theirs, ours)
		}
	}
	theirs.Write([]byte("ahead"))
	time.Sleep(10 * time.Millisecond)
	require.NoError(t, e.Shutdown(t.Context()))
	few.not.Store(false)
	n, err := ours.Read(make([]byte, 8))
	require.NoError(t, err)
	require.Equal(t, len("ahead"), n)
	require.False(t, isPolled(ours))
	within(t, func() { _, err = ours.Read(make([]byte, 8)) })
	require.ErrorIs(t, err, ErrShutdown)
}

// What comes behind Shutdown is there to be read, however the connection was before.
func TestReadOfWhatComesBehindShutdown(t *testing.T) {
	for name, ready := range map[string]func(t testing.TB, ours, theirs net.Conn){
		"polled": bePolled,
		"cold":   func(t testing.TB, ours, theirs net.Conn) { passByte(t, theirs, ours) },
	} {
		t.Run(name, func(t *testing.T) {
			e, err := New(Options{})
			require.NoError(t, err)
			_, ours, theirs := pairOf(t, e)
			ready(t, ours, theirs)
			require.NoError(t, e.Shutdown(t.Context()))
			theirs.Write([]byte("x"))
			time.Sleep(10 * time.Millisecond)
			require.NoError(t, WaitReadable(ours))
			n, err := ours.Read(make([]byte, 8))
			require.NoError(t, err)
			require.Equal(t, 1, n)
		})
	}
}

// Who waits without reading, as a copy does, waits there, too.
func TestPolledConnectionIsWaitedFor(t *testing.T) {
	e := fewEngine(t, Options{})
	ours, theirs := polledPair(t, e)
	before := e.Stats().Submitted
	for range 3 {
		done := waits(t, func() { require.NoError(t, WaitReadable(ours)) })
		theirs.Write([]byte("x"))
		within(t, func() { <-done })
		n, err := ours.Read(make([]byte, 8))
		require.NoError(t, err)
		require.Equal(t, 1, n)
	}
	done := waits(t, func() { require.ErrorIs(t, WaitReadable(ours), os.ErrDeadlineExceeded) })
	ours.SetReadDeadline(longAgo)
	within(t, func() { <-done })
	ours.SetReadDeadline(time.Time{})
	require.Equal(t, before, e.Stats().Submitted)

	done = waits(t, func() { require.NoError(t, WaitReadable(ours)) })
	e.rings[0].few.end() // it goes on by the ring
	theirs.Write([]byte("x"))
	within(t, func() { <-done })
	require.False(t, isPolled(ours))
	_, err := ours.Read(make([]byte, 8))
	require.NoError(t, err)
	bePolled(t, ours, theirs)
	done = waits(t, func() { require.ErrorIs(t, WaitReadable(ours), net.ErrClosed) })
	ours.Close()
	within(t, func() { <-done })
}
