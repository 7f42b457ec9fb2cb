//go:build linux

package ringio

import (
	"context"
	"errors"
	"flag"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"runtime/pprof"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var stormSize = flag.Int("connections", 100, "how many connections the storm has at a time, with four goroutines each")

// Connections that are read, written, timed out and closed at random, by several
// goroutines each: what comes is what was sent, as far as it comes, and nothing is left.
func TestStormOfConnections(t *testing.T) {
	t.Run("net", func(t *testing.T) { stormOf(t, netStack) })
	for name, o := range map[string]Options{"ring": {}, "fallback": {NoRing: true}} {
		t.Run(name, func(t *testing.T) {
			e, err := New(o)
			require.NoError(t, err)
			settle := unsettle(e)
			stormOf(t, stackOf(name, e))
			settle()
			for _, r := range e.rings {
				requireNothingLeft(t, r)
			}
			require.NoError(t, e.Shutdown(t.Context()))
		})
	}
}

// stormOf has one connection after another live, many at a time.
func stormOf(t *testing.T, s stack) {
	descriptors, goroutines := openDescriptors(t), runtime.NumGoroutine()
	end := time.Now().Add(*storm)
	var all sync.WaitGroup
	var bytes, conns atomic.Int64
	for range *stormSize {
		all.Go(func() {
			for time.Now().Before(end) {
				stormConnection(t, s, &bytes)
				conns.Add(1)
			}
		})
	}
	all.Wait()
	t.Logf("%d connections, %d bytes", conns.Load(), bytes.Load())
	for wait := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > goroutines && time.Now().Before(wait); {
		time.Sleep(time.Millisecond)
	}
	if runtime.NumGoroutine() > goroutines {
		pprof.Lookup("goroutine").WriteTo(os.Stderr, 1)
		t.Error("goroutines are left")
	}
	require.LessOrEqual(t, openDescriptors(t), descriptors) // those that tests before have forgotten may go meanwhile
}

// requireNothingLeft wants a ring without requests.
func requireNothingLeft(t *testing.T, r *engine) {
	require.Eventually(t, func() bool { // a cancel may be told later than what it was for
		c := r.snapshot()
		return c.inFlight == 0 && c.stale == 0
	}, 20*time.Second, time.Millisecond)
}

func openDescriptors(t testing.TB) int {
	all, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	return len(all)
}

// stormConnection is one connection's life.
func stormConnection(t *testing.T, s stack, total *atomic.Int64) {
	l, err := s.listen(new(net.ListenConfig), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Error(err)
		return
	}
	defer l.Close()
	a, err := s.dial(new(net.Dialer), context.Background(), "tcp", l.Addr().String())
	if err != nil {
		t.Error(err)
		return
	}
	b, err := l.Accept()
	if err != nil {
		t.Error(err)
		return
	}
	whole := rand.IntN(2) == 0 // else it is closed at any time
	var both sync.WaitGroup
	for _, end := range [][2]net.Conn{{a, b}, {b, a}} {
		size := rand.IntN(200_000)
		both.Go(func() { stormWrite(end[0], size) })
		both.Go(func() {
			got := stormRead(t, end[1])
			total.Add(int64(got))
			if whole && got != size {
				t.Errorf("%d bytes of %d", got, size)
			}
		})
	}
	if !whole {
		time.Sleep(time.Duration(rand.IntN(2000)) * time.Microsecond)
		a.Close()
		if rand.IntN(2) == 0 {
			b.Close()
		}
	}
	both.Wait()
	a.Close()
	b.Close()
}

// stormWrite writes size bytes, each the low byte of its place, and ends its direction.
func stormWrite(c net.Conn, size int) {
	buf := make([]byte, 8<<10)
	for at := 0; at < size; {
		n := min(1+rand.IntN(1<<rand.IntN(14)), size-at, len(buf))
		for i := range n {
			buf[i] = byte(at + i)
		}
		if rand.IntN(4) == 0 {
			c.SetWriteDeadline(time.Now().Add(time.Duration(rand.IntN(200)) * time.Microsecond))
		}
		n, err := c.Write(buf[:n])
		at += n
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return
		}
		if err != nil {
			c.SetWriteDeadline(time.Time{})
		}
		if rand.IntN(8) == 0 {
			time.Sleep(time.Duration(rand.IntN(50)) * time.Microsecond)
		}
	}
	c.(TCPConn).CloseWrite()
}

// stormRead reads to the end, and returns how many bytes that were.
func stormRead(t *testing.T, c net.Conn) (got int) {
	buf := make([]byte, 8<<10)
	for {
		if rand.IntN(4) == 0 {
			c.SetReadDeadline(time.Now().Add(time.Duration(rand.IntN(200)) * time.Microsecond))
		}
		n, err := c.Read(buf[:1+rand.IntN(1<<rand.IntN(13))])
		for _, b := range buf[:n] {
			if b != byte(got) {
				t.Errorf("byte %d is %d", got, b)
				return got
			}
			got++
		}
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			c.SetReadDeadline(time.Time{})
		case err == io.EOF || err != nil:
			return got
		}
	}
}

// A request costs no memory that the collector has to look for, with a deadline of its own or
// without.
func TestConnectionsDoNotAllocate(t *testing.T) {
	ours, theirs := busyStack.pair(t, "tcp")
	go func() {
		buf := make([]byte, 64)
		for {
			n, err := theirs.Read(buf)
			if err != nil {
				return
			}
			theirs.Write(buf[:n])
		}
	}()
	buf := make([]byte, 64)
	exchange := func() {
		ours.SetDeadline(time.Now().Add(time.Minute))
		ours.Write(buf)
		if _, err := io.ReadFull(ours, buf); err != nil {
			t.Error(err)
		}
	}
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	require.Less(t, testing.AllocsPerRun(2000, exchange), 0.1)
	makeCrowd(t)
	require.Less(t, testing.AllocsPerRun(2000, exchange), 0.1, "among others, too")
}

// Who waits costs no time.
func TestIdleConnectionsUseNoProcessor(t *testing.T) {
	for range 50 {
		ours, theirs := busyStack.pair(t, "tcp")
		go ours.Read(make([]byte, 1))
		go theirs.Read(make([]byte, 1))
	}
	engine := shared().rings[0]
	require.Eventually(t, func() bool { // others may have left work
		before := engine.snapshot()
		time.Sleep(200 * time.Millisecond)
		after := engine.snapshot()
		return after.parks-before.parks <= 2 && after.enters-before.enters <= 2
	}, 20*time.Second, time.Millisecond)
}

// A reset that comes right behind bytes ends a read that waits.
func TestResetBehindBytes(t *testing.T) {
	onStacks(t, func(t *testing.T, s stack) {
		var all sync.WaitGroup
		for range 300 {
			ours, theirs := s.pair(t, "tcp")
			ours.SetReadDeadline(time.Now().Add(time.Minute))
			all.Go(func() {
				buf := make([]byte, 100)
				for range 10 {
					if _, err := theirs.Write(buf); err != nil {
						t.Error(err)
					}
					time.Sleep(time.Duration(rand.IntN(1000)) * time.Microsecond)
				}
				theirs.(TCPConn).SetLinger(0)
				theirs.Write(buf)
				theirs.Close()
			})
			all.Go(func() {
				for {
					if _, err := ours.Read(make([]byte, 1000)); err != nil {
						if errors.Is(err, os.ErrDeadlineExceeded) {
							t.Error("the end was missed")
						}
						return
					}
				}
			})
		}
		all.Wait()
	})
}

// What was written before CloseWrite comes, whatever the write deadline is by then.
func TestCloseWriteBehindADeadline(t *testing.T) {
	onStacks(t, func(t *testing.T, s stack) {
		var all sync.WaitGroup
		for range 200 {
			ours, theirs := s.pair(t, "tcp")
			all.Go(func() {
				want := 0
				for range 10 {
					ours.SetWriteDeadline(time.Now().Add(time.Minute))
					n, err := ours.Write(make([]byte, 300))
					want += n
					if err != nil {
						t.Error(err)
					}
				}
				ours.SetWriteDeadline(longAgo)
				if err := ours.(TCPConn).CloseWrite(); err != nil {
					t.Error(err)
				}
				got, err := io.ReadAll(theirs)
				if len(got) != want || err != nil {
					t.Errorf("%d bytes of %d, %v", len(got), want, err)
				}
			})
		}
		all.Wait()
	})
}
