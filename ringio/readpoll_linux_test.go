//go:build linux

package ringio

import (
	"context"
	"io"
	"net"
	"os"
	"runtime"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// readPolled returns a connection of its own engine with a readPoll, and its peer.
func readPolled(t *testing.T) (r *readPoll, ours, theirs net.Conn) {
	ringtest.NeedsFeatures(t, newPolls)
	_, ours, theirs = pairOf(t, ownEngine(t, Options{}))
	warmUp(t, ours, theirs)
	r = ours.(*tcpConn).s.readPoll.Load()
	require.NotNil(t, r)
	return r, ours, theirs
}

// A short read is believed: the next one waits, and does not look.
func TestShortReadsAreBelieved(t *testing.T) {
	r, ours, theirs := readPolled(t)
	for range 20 {
		passByte(t, theirs, ours)
		require.False(t, r.unsure.Load())
		require.True(t, ours.(*tcpConn).s.dry)
	}
}

// What nobody reads stays in the kernel.
func TestNothingIsReceivedInAdvance(t *testing.T) {
	_, ours, theirs := readPolled(t)
	_, err := theirs.Write([]byte("abc"))
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		unread := 0
		rawControl(t, ours, func(fd int) { unread, _ = unix.IoctlGetInt(fd, unix.SIOCINQ) })
		return unread == 3
	}, 10*time.Second, time.Millisecond)
	got := make([]byte, 3)
	_, err = io.ReadFull(ours, got)
	require.NoError(t, err)
	require.Equal(t, "abc", string(got))
}

// An end, or a reset, that comes with the last bytes is told behind them, whenever those are
// read.
func TestEndBehindAShortRead(t *testing.T) {
	for _, reset := range []bool{false, true} {
		for _, waiting := range []bool{false, true} {
			for range 20 {
				_, ours, theirs := readPolled(t)
				got := make([]byte, 8)
				end := func() {
					if reset {
						require.NoError(t, theirs.(TCPConn).SetLinger(0))
					}
					require.NoError(t, theirs.Close())
				}
				var read chan struct{}
				first := func() {
					n, err := ours.Read(got)
					if reset && err != nil { // it may overtake them
						return
					}
					require.NoError(t, err)
					require.Equal(t, "last", string(got[:n]))
				}
				if waiting {
					read = waits(t, first)
				}
				_, err := theirs.Write([]byte("last"))
				require.NoError(t, err)
				end()
				if waiting {
					within(t, func() { <-read })
				} else {
					waitReadable(t, ours)
					within(t, first)
				}
				for range 2 {
					within(t, func() { _, err = ours.Read(got) })
					require.Error(t, err)
				}
				require.ErrorIs(t, err, io.EOF)
				require.NoError(t, ours.Close())
			}
		}
	}
}

// A read ends before an urgent byte, though there is more behind it, of which no poll tells.
func TestReadBehindUrgentData(t *testing.T) {
	r, ours := readBeforeUrgentData(t)
	within(t, func() { readBehindUrgentData(t, ours) })
	require.True(t, r.unsure.Load())
}

// Who gives up before he is looked after finds it the next time.
func TestBriefReadsBehindUrgentData(t *testing.T) {
	for name, wait := range map[string]func(net.Conn) error{
		"Read":         func(c net.Conn) error { _, err := c.Read(make([]byte, 16)); return err },
		"WaitReadable": WaitReadable,
	} {
		t.Run(name, func(t *testing.T) {
			_, ours := readBeforeUrgentData(t)
			require.NoError(t, ours.SetReadDeadline(time.Now().Add(5*time.Millisecond)))
			require.ErrorIs(t, wait(ours), os.ErrDeadlineExceeded)
			require.NoError(t, ours.SetReadDeadline(time.Now().Add(recheckPause/2)))
			readBehindUrgentData(t, ours)
		})
	}
}

// readBeforeUrgentData returns a connection that has been read up to an urgent byte behind
// which there is more.
func readBeforeUrgentData(t *testing.T) (r *readPoll, ours net.Conn) {
	r, ours, theirs := readPolled(t)
	rawControl(t, theirs, func(fd int) {
		require.NoError(t, unix.Sendto(fd, []byte("before!"), unix.MSG_OOB, nil))
	})
	_, err := theirs.Write([]byte("behind"))
	require.NoError(t, err)
	time.Sleep(10 * time.Millisecond)
	ours.(*tcpConn).s.dry = false
	got := make([]byte, 16)
	n, err := ours.Read(got)
	require.NoError(t, err)
	require.Equal(t, "before", string(got[:n]))
	r.mu.Lock()
	r.news = false // as where one completion tells of both
	r.mu.Unlock()
	return r, ours
}

func readBehindUrgentData(t *testing.T, ours net.Conn) {
	got := make([]byte, 16)
	n, err := ours.Read(got)
	require.NoError(t, err)
	require.Equal(t, "behind", string(got[:n]))
}

// While a request has left the thread something to do the kernel says of those bytes that there
// are none.
func TestUrgentDataAndWorkToDo(t *testing.T) {
	for _, unsure := range []bool{false, true} {
		for range 5 { // the thread may be through with it
			r, ours := readBeforeUrgentData(t)
			ours.(*tcpConn).s.dry = false
			limit := 3 * recheckPause
			if unsure {
				r.unsure.Store(true)
				limit = recheckPause / 2
			}
			require.NoError(t, ours.SetReadDeadline(time.Now().Add(limit)))
			done := haveWorkToDo(t, r.engine)
			readBehindUrgentData(t, ours)
			done()
			if !unsure && r.unsure.Load() { // that took long
				break
			}
		}
	}
}

// haveWorkToDo has a request of the ring's leave the calling thread something to do, when it
// enters the kernel next.
func haveWorkToDo(t *testing.T, e *engine) (done func()) {
	in, out := testPipe(t)
	o := e.acquire()
	o.entry().PrepPollAdd(in, unix.POLLIN)
	runtime.LockOSThread()
	require.NoError(t, e.submitHere(o))
	require.Eventually(t, e.parked.Load, 10*time.Second, time.Millisecond)
	var there atomic.Bool
	go func() {
		unix.Write(out, []byte("x"))
		there.Store(true)
	}()
	for !there.Load() {
	}
	return func() {
		e.wait(o, nil)
		e.release(o)
		runtime.UnlockOSThread()
	}
}

// Who waits behind a short read is looked after once, and then left alone.
func TestRecheckIsDoneOnce(t *testing.T) {
	r, ours, theirs := readPolled(t)
	passByte(t, theirs, ours)
	read := waits(t, func() { ours.Read(make([]byte, 1)) })
	trust := func() trust {
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.trust
	}
	require.Equal(t, believed, trust())
	require.True(t, r.engine.rechecks.Load())
	require.Eventually(t, func() bool { return trust() == proven && !r.engine.rechecks.Load() }, 10*time.Second, 10*time.Millisecond)
	require.False(t, r.unsure.Load())
	theirs.Write([]byte("x"))
	within(t, func() { <-read })
}

// flyingRechecks counts what is in flight to have readers looked after.
func flyingRechecks(e *engine) (n int) {
	e.mu.Lock()
	defer e.unlock()
	e.eachFlying(func(o *op) {
		if _, is := o.keep.(*recheckTime); is {
			n++
		}
	})
	return n
}

// The kernel counts the time until then: with a timer of Go's, whatever its scheduler does
// begins with a look at the clock.
func TestRecheckTimeIsTheKernels(t *testing.T) {
	r, ours, theirs := readPolled(t)
	for range 3 {
		passByte(t, theirs, ours)
		read := waits(t, func() { ours.Read(make([]byte, 2)) })
		require.Eventually(t, func() bool { return flyingRechecks(r.engine) == 1 }, time.Second, time.Millisecond)
		theirs.Write([]byte("x"))
		within(t, func() { <-read })
	}
}

// Shutdown does not wait for the time after which readers are looked after.
func TestShutdownEndsRecheckTime(t *testing.T) {
	r, ours, theirs := readPolled(t)
	passByte(t, theirs, ours)
	read := waits(t, func() { ours.Read(make([]byte, 2)) })
	require.Eventually(t, func() bool { return flyingRechecks(r.engine) == 1 }, time.Second, time.Millisecond)
	theirs.Write([]byte("x"))
	within(t, func() { <-read })
	began := time.Now()
	require.NoError(t, r.engine.shutdown(t.Context()))
	require.Less(t, time.Since(began), recheckPause/2)
}

// But looks after them itself.
func TestShutdownRechecks(t *testing.T) {
	r, ours := readBeforeUrgentData(t)
	read := waits(t, func() { readBehindUrgentData(t, ours) })
	ctx, cancel := context.WithTimeout(t.Context(), recheckPause/2)
	defer cancel()
	require.NoError(t, r.engine.shutdown(ctx))
	within(t, func() { <-read })
}

// Who waits when Shutdown has just begun, and may not have the time counted any more, looks.
func TestWaitWhenShutdownBegins(t *testing.T) {
	r, ours := readBeforeUrgentData(t)
	require.NoError(t, ours.SetReadDeadline(time.Now().Add(5*time.Millisecond)))
	require.ErrorIs(t, WaitReadable(ours), os.ErrDeadlineExceeded) // there is a request now
	require.Eventually(t, func() bool { return flyingRechecks(r.engine) == 1 }, time.Second, time.Millisecond)
	require.Eventually(t, func() bool { return !r.engine.rechecks.Load() }, 10*time.Second, time.Millisecond)
	r.mu.Lock()
	require.NotNil(t, r.op)
	r.interrupted, r.news = false, false
	r.mu.Unlock()
	r.engine.staging.Lock()
	r.engine.shut.Store(true)
	r.engine.staging.Unlock()
	within(t, func() { require.Equal(t, hasNews, r.wait(nil)) })
}

// News that a read before has fetched already has the next one look, and wait.
func TestOldNews(t *testing.T) {
	r, ours, theirs := readPolled(t)
	for range 100 {
		_, err := theirs.Write([]byte("ab"))
		require.NoError(t, err)
		_, err = io.ReadFull(ours, make([]byte, 1)) // a full one: the next looks
		require.NoError(t, err)
		_, err = io.ReadFull(ours, make([]byte, 1))
		require.NoError(t, err)
	}
	r.mu.Lock()
	r.news = true
	r.mu.Unlock()
	passByte(t, theirs, ours)
	require.NoError(t, ours.SetReadDeadline(time.Now().Add(5*time.Millisecond)))
	_, err := ours.Read(make([]byte, 2))
	require.ErrorContains(t, err, "timeout")
	require.NoError(t, ours.SetReadDeadline(time.Time{}))
	passByte(t, theirs, ours)
}

// A socket for which the program has said that few bytes are nothing to be told of has each
// read look: what there is, net's read returns, too.
func TestLeastToBeToldOf(t *testing.T) {
	ringtest.NeedsFeatures(t, newPolls)
	e := ownEngine(t, Options{})
	lc := ListenConfig{Engine: e, Control: func(_, _ string, c syscall.RawConn) error {
		return c.Control(func(fd uintptr) {
			require.NoError(t, unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVLOWAT, 4))
		})
	}}
	lc.SetMultipathTCP(false) // whose connections do not have it from the listener
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	theirs, err := net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	defer theirs.Close()
	ours, err := l.Accept()
	require.NoError(t, err)
	defer ours.Close()
	s := ours.(*tcpConn).s
	for s.readPoll.Load() == nil {
		done := waits(t, func() { ours.Read(make([]byte, 8)) })
		theirs.Write([]byte("abcd"))
		within(t, func() { <-done })
	}
	require.True(t, s.readPoll.Load().unsure.Load())
	theirs.Write([]byte("a"))
	time.Sleep(5 * time.Millisecond)
	within(t, func() {
		n, err := ours.Read(make([]byte, 8))
		require.NoError(t, err)
		require.Equal(t, 1, n)
	})
}

// Also where it says so later.
func TestLeastThatComesLater(t *testing.T) {
	least := func(fd uintptr) {
		require.NoError(t, unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVLOWAT, 4))
	}
	for name, set := range map[string]func(c TCPConn){
		"Control": func(c TCPConn) { rawControl(t, c, func(fd int) { least(uintptr(fd)) }) },
		"Read": func(c TCPConn) {
			raw, err := c.SyscallConn()
			require.NoError(t, err)
			require.NoError(t, raw.Read(func(fd uintptr) bool { least(fd); return true }))
		},
		"File": func(c TCPConn) {
			f, err := c.File()
			require.NoError(t, err)
			defer f.Close()
			least(f.Fd())
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, ours, theirs := readPolled(t)
			passByte(t, theirs, ours)
			set(ours.(TCPConn))
			for range 3 {
				theirs.Write([]byte("a"))
				time.Sleep(5 * time.Millisecond)
				require.NoError(t, ours.SetReadDeadline(time.Now().Add(10*time.Second)))
				n, err := ours.Read(make([]byte, 8))
				require.NoError(t, err)
				require.Equal(t, 1, n)
			}
		})
	}
}

// Who has waited for something to read, and reads it, does not wait for more news.
func TestReadBehindWaitReadable(t *testing.T) {
	_, ours, theirs := readPolled(t)
	for range 3 {
		passByte(t, theirs, ours)
		there := waits(t, func() { require.NoError(t, WaitReadable(ours)) })
		_, err := theirs.Write([]byte("x"))
		require.NoError(t, err)
		within(t, func() { <-there })
		require.NoError(t, ours.SetReadDeadline(time.Now().Add(recheckPause/2)))
		n, err := ours.Read(make([]byte, 8))
		require.NoError(t, err)
		require.Equal(t, 1, n)
		require.NoError(t, ours.SetReadDeadline(time.Time{}))
	}
}
