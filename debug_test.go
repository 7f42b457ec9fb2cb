//go:build linux && cgo && liburing_debug

package liburing

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// elsewhere calls f on another goroutine while a callback of the loop runs.
func elsewhere(t *testing.T, l *Loop, f func()) {
	l.Nop(func(Completion) {
		done := make(chan bool)
		go func() {
			defer close(done)
			f()
		}()
		<-done
	})
	run(t, l)
}

func TestRequestFromTheWrongGoroutine(t *testing.T) {
	l := newLoop(t, 8)
	elsewhere(t, l, func() {
		never := func(Completion) { t.Error("called") }
		for _, request := range []func(){
			func() { l.Nop(never) },
			func() { l.Timeout(time.Second, 0, 0, never) }, // takes memory of the loop's
			func() { l.Read(0, nil, 0, never) },            // may block
			func() { l.Rearm(l.Nop, never) },
			func() { l.After(0, func() { t.Error("called") }) },
		} {
			require.PanicsWithValue(t, ErrWrongThread, request)
		}
	})
	require.NoError(t, l.Nop(nil).Err(), "while the loop stands still")
	run(t, l)
}

func TestSetterOnTheWrongGoroutine(t *testing.T) {
	l := newLoop(t, 8)
	l.Nop(func(Completion) {
		req := l.Nop(nil)
		require.NotNil(t, req.SQE(), "on the right one")
		done := make(chan any)
		go func() {
			defer func() { done <- recover() }()
			req.LinkNext()
		}()
		require.Equal(t, ErrWrongThread, <-done)
		require.Zero(t, req.SQE().Flags)
	})
	run(t, l)
}

func TestStopOnTheWrongGoroutine(t *testing.T) {
	l := newLoop(t, 8)
	r, _ := pipe(t)
	timer := l.After(time.Hour, func() {})
	stream := l.Rearm(func(cb Callback) Request { return l.Read(r, make([]byte, 1), 0, cb) }, nil)
	l.Nop(func(Completion) {
		for _, stop := range []func(){timer.Stop, stream.Stop} {
			panics := make(chan any)
			go func() {
				defer func() { panics <- recover() }()
				stop()
			}()
			require.Equal(t, ErrWrongThread, <-panics)
			stop()
		}
	})
	run(t, l)
}

func TestReleaseOnTheWrongGoroutine(t *testing.T) {
	l := newLoop(t, 8)
	g := newGroup(t, l, 2, 16, 0)
	a, b := socketPair(t)
	unix.Write(a, []byte("x"))
	l.Recv(b, nil, 0, func(c Completion) {
		kept := c.Keep()
		released := make(chan any)
		go func() {
			defer func() { released <- recover() }()
			kept.Release()
		}()
		require.Equal(t, ErrWrongThread, <-released)
		require.NoError(t, kept.Release())
	}).Buffers(g)
	run(t, l)
	allBack(t, g)
}
