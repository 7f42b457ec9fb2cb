//go:build linux && cgo

package liburing_test

import (
	"context"
	"testing"
	"time"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// relay has a loop read a byte n times, each read made by the callback of the last,
// and returns where to write them.
func relay(t *testing.T, l *liburing.Loop, n int, done func()) (w int) {
	r, w := ringtest.Pipe(t)
	var again func()
	again = func() {
		l.Read(r, make([]byte, 1), 0, func(c liburing.Completion) {
			require.NoError(t, c.Err())
			if n--; n == 0 {
				done()
				return
			}
			again()
		})
	}
	require.NoError(t, l.Control(func(*liburing.Ring) error { again(); return nil }))
	return w
}

// What has begun goes on to its end, with all that it leads to; then the loop is closed.
func TestFinish(t *testing.T) {
	for name, running := range map[string]bool{"idle": false, "running": true} {
		t.Run(name, func(t *testing.T) {
			l := ringtest.NewLoop(t, 8)
			ended := false
			w := relay(t, l, 3, func() { l.After(time.Millisecond, func() { ended = true }) })
			ran := make(chan error, 1)
			if running {
				go func() { ran <- l.Run(context.Background()) }()
				require.Eventually(t, ringtest.Asleep(l).Load, 5*time.Second, time.Millisecond)
			}
			down := make(chan error, 1)
			var none context.Context // as good as one that never ends
			go func() { down <- l.Finish(none) }()
			for range 3 {
				require.Empty(t, down)
				unix.Write(w, []byte("x"))
				time.Sleep(2 * time.Millisecond)
			}
			ringtest.Within(t, func() { require.NoError(t, <-down) })
			require.True(t, ended)
			require.ErrorIs(t, l.Post(func() {}), liburing.ErrClosed)
			if running {
				ringtest.Within(t, func() { require.NoError(t, <-ran) })
			}
			require.NoError(t, l.Finish(t.Context()), "once more")
		})
	}
}

// In a callback it does not wait, and the Run that it is called in ends.
func TestFinishInCallback(t *testing.T) {
	l := ringtest.NewLoop(t, 8)
	ended := false
	w := relay(t, l, 2, func() { ended = true })
	unix.Write(w, []byte("xx"))
	l.Nop(func(liburing.Completion) { require.NoError(t, l.Finish(t.Context())) })
	require.NoError(t, l.Run(t.Context()))
	require.True(t, ended)
	require.ErrorIs(t, l.Run(t.Context()), liburing.ErrClosed)
}

// A loop that does not come to an end goes on, until Close; so does one whose Run is
// stopped meanwhile.
func TestFinishThatTakesLong(t *testing.T) {
	l := ringtest.NewLoop(t, 8)
	w := relay(t, l, 1, func() {})
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, l.Finish(ctx), context.DeadlineExceeded)
	ran := make(chan error, 1)
	go func() { ran <- l.Run(context.Background()) }()
	down := make(chan error, 1)
	require.Eventually(t, ringtest.Asleep(l).Load, 5*time.Second, time.Millisecond)
	go func() { down <- l.Finish(t.Context()) }()
	l.Stop()
	ringtest.Within(t, func() { require.NoError(t, <-ran) })
	unix.Write(w, []byte("x"))
	ringtest.Within(t, func() { require.NoError(t, <-down) })
}
