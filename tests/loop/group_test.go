//go:build linux

package loop_test

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func newLoops(t *testing.T, n int) *liburing.LoopGroup {
	t.Helper()
	g, err := liburing.NewLoopGroup(n, 8)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, g.Close(context.Background())) })
	return g
}

// Posts go from loop to loop.
func TestGroupPosts(t *testing.T) {
	g := newLoops(t, 3)
	loops, threads := g.Loops(), threadsOf(t, g)
	const hops = 300
	var seen [3]int
	var hop func(n int)
	hop = func(n int) {
		require.Equal(t, threads[n%3], unix.Gettid())
		seen[n%3]++
		if n == hops-1 {
			g.Stop()
			return
		}
		loops[(n+1)%3].Post(func() { hop(n + 1) })
	}
	require.NoError(t, loops[0].Post(func() { hop(0) }))
	require.NoError(t, g.Run(t.Context()))
	require.Equal(t, [3]int{100, 100, 100}, seen)
	require.Same(t, loops[0], g.Next())
	require.Same(t, loops[1], g.Next())
	require.Same(t, loops[2], g.Next())
	require.Same(t, loops[0], g.Next())
}

func TestGroupEnds(t *testing.T) {
	g := newLoops(t, 2)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, g.Run(ctx), context.DeadlineExceeded)

	g.Loops()[1].Post(func() { g.Loops()[1].Stop() }) // one of them
	require.NoError(t, g.Run(t.Context()))

	g.Loops()[0].Post(func() { panic("out of it") })
	func() {
		defer func() { require.Equal(t, "out of it", recover().(*liburing.CallbackPanic).Value) }()
		g.Run(context.Background())
	}()

	require.NoError(t, g.Close(t.Context()))
	require.ErrorIs(t, g.Run(t.Context()), liburing.ErrClosed)
	_, err := liburing.NewLoopGroup(0, 8)
	require.ErrorIs(t, err, unix.EINVAL)
	_, err = liburing.NewLoopGroup(2, 0)
	require.ErrorIs(t, err, unix.EINVAL)
}

// A listener for each loop, on one port: every connection is served, wherever it
// went.
func TestGroupReusePort(t *testing.T) {
	g := newLoops(t, 2)
	reuse := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		return c.Control(func(fd uintptr) { unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1) })
	}}
	at := "127.0.0.1:0"
	var served [2]atomic.Int32
	for i, l := range g.Loops() {
		ln, err := reuse.Listen(t.Context(), "tcp", at)
		require.NoError(t, err)
		at = ln.Addr().String()
		f, err := ln.(*net.TCPListener).File()
		require.NoError(t, err)
		ln.Close()
		defer f.Close()
		accept := l.MultishotAccept
		if !ringtest.Knows(t, liburing.OpSocket) { // came with it, in Linux 5.19
			accept = l.Accept
		}
		l.Rearm(func(cb liburing.Callback) liburing.Request { return accept(int(f.Fd()), nil, 0, cb) }, func(c liburing.Completion) {
			if fd, err := c.Result(); err == nil {
				served[i].Add(1)
				l.Write(fd, []byte("hello"), 0, nil).LinkNext()
				l.CloseFD(fd, nil)
			}
		})
	}
	ran := make(chan error)
	go func() { ran <- g.Run(context.Background()) }()
	const connections = 64
	for range connections {
		c, err := net.Dial("tcp", at)
		require.NoError(t, err)
		buf := make([]byte, 5)
		n, _ := c.Read(buf)
		require.Equal(t, "hello", string(buf[:n]))
		c.Close()
	}
	g.Stop()
	require.NoError(t, <-ran)
	require.EqualValues(t, connections, served[0].Load()+served[1].Load())
	require.NotZero(t, served[0].Load())
	require.NotZero(t, served[1].Load())
}

// A direct descriptor moves to the other loop's table.
func TestHandOver(t *testing.T) {
	g := newLoops(t, 2)
	from, to := g.Loops()[0], g.Loops()[1]
	threads := threadsOf(t, g)
	ringtest.SparseFiles(t, from, 4)
	ringtest.SparseFiles(t, to, 2)
	name := ringtest.TempFile(t, []byte("handed over")).Name()
	got := make([]byte, 100)
	place := liburing.Fixed(ringtest.One(t, from, func(cb liburing.Callback) liburing.Request {
		return from.OpenatDirect(unix.AT_FDCWD, name, 0, 0, 3, cb)
	}) + 3)
	from.HandOver(place, to, func(f liburing.Fixed, err error) {
		require.NoError(t, err)
		require.Equal(t, threads[1], unix.Gettid())
		to.Read(f.FD(), got, 0, func(c liburing.Completion) {
			got = got[:c.Res]
			from.Post(func() {
				from.Read(place.FD(), make([]byte, 1), 0, func(c liburing.Completion) {
					require.ErrorIs(t, c.Err(), unix.EBADF, "it is not here any more")
					from.HandOver(place, to, func(_ liburing.Fixed, err error) {
						require.ErrorIs(t, err, unix.EBADF)
						require.Equal(t, threads[0], unix.Gettid())
						g.Stop()
					})
				})
			})
		})
	})
	require.NoError(t, g.Run(t.Context()))
	require.Equal(t, "handed over", string(got))
}

// A context with a cause ends a group as it ends a loop.
func TestGroupEndedByACause(t *testing.T) {
	g := newLoops(t, 2)
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("why"))
	require.Equal(t, context.Canceled, g.Run(ctx))
}

// threadsOf returns the ids of the loops' threads.
func threadsOf(t *testing.T, g *liburing.LoopGroup) (ids []int) {
	t.Helper()
	for _, l := range g.Loops() {
		require.NoError(t, l.Control(func(*liburing.Ring) error { ids = append(ids, unix.Gettid()); return nil }))
	}
	return ids
}
