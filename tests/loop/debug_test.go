//go:build linux && liburing_debug

package loop_test

import (
	"testing"
	"time"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// elsewhere calls f on another goroutine while a callback of the loop runs.
func elsewhere(t *testing.T, l *liburing.Loop, f func()) {
	l.Nop(func(liburing.Completion) {
		done := make(chan bool)
		go func() {
			defer close(done)
			f()
		}()
		<-done
	})
	ringtest.RunIdle(t, l)
}

func TestRequestFromTheWrongGoroutine(t *testing.T) {
	l := ringtest.NewLoop(t, 8)
	elsewhere(t, l, func() {
		never := func(liburing.Completion) { t.Error("called") }
		for _, request := range []func(){
			func() { l.Nop(never) },
			func() { l.Timeout(time.Second, 0, 0, never) }, // takes memory of the loop's
			func() { l.Read(0, nil, 0, never) },            // may block
			func() { l.Rearm(l.Nop, never) },
			func() { l.After(0, func() { t.Error("called") }) },
		} {
			require.PanicsWithValue(t, liburing.ErrWrongThread, request)
		}
	})
	require.NoError(t, l.Nop(nil).Err(), "while the loop stands still")
	ringtest.RunIdle(t, l)
}

func TestSetterOnTheWrongGoroutine(t *testing.T) {
	l := ringtest.NewLoop(t, 8)
	l.Nop(func(liburing.Completion) {
		req := l.Nop(nil)
		require.NotNil(t, req.SQE(), "on the right one")
		done := make(chan any)
		go func() {
			defer func() { done <- recover() }()
			req.LinkNext()
		}()
		require.Equal(t, liburing.ErrWrongThread, <-done)
		require.Zero(t, req.SQE().Flags)
	})
	ringtest.RunIdle(t, l)
}

func TestStopOnTheWrongGoroutine(t *testing.T) {
	l := ringtest.NewLoop(t, 8)
	r, _ := ringtest.Pipe(t)
	timer := l.After(time.Hour, func() {})
	stream := l.Rearm(func(cb liburing.Callback) liburing.Request { return l.Read(r, make([]byte, 1), 0, cb) }, nil)
	l.Nop(func(liburing.Completion) {
		for _, stop := range []func(){timer.Stop, stream.Stop} {
			panics := make(chan any)
			go func() {
				defer func() { panics <- recover() }()
				stop()
			}()
			require.Equal(t, liburing.ErrWrongThread, <-panics)
			stop()
		}
	})
	ringtest.RunIdle(t, l)
}

func TestReleaseOnTheWrongGoroutine(t *testing.T) {
	l := ringtest.NewLoop(t, 8)
	g := ringtest.NewGroup(t, l, 2, 16, 0)
	a, b := ringtest.SocketPair(t)
	unix.Write(a, []byte("x"))
	l.Recv(b, nil, 0, func(c liburing.Completion) {
		kept := c.Keep()
		released := make(chan any)
		go func() {
			defer func() { released <- recover() }()
			kept.Release()
		}()
		require.Equal(t, liburing.ErrWrongThread, <-released)
		require.NoError(t, kept.Release())
	}).Buffers(g)
	ringtest.RunIdle(t, l)
	ringtest.AllBack(t, g)
}
