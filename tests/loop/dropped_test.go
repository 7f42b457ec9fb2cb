//go:build linux

package loop_test

import (
	"bytes"
	"context"
	"log/slog"
	"runtime"
	"sync"
	"testing"
	"time"
	"weak"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/stretchr/testify/require"
)

// logged is what has been logged.
type logged struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func captureLog(t *testing.T) *logged {
	out, before := new(logged), slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(out, nil)))
	t.Cleanup(func() { slog.SetDefault(before) })
	return out
}

// drop makes a loop, has it do something, and forgets it.
func drop(t *testing.T, close bool, opts ...liburing.Option) {
	l, err := liburing.NewLoop(8, opts...)
	ringtest.SkipOldKernel(t, err)
	require.NoError(t, err)
	r, w := ringtest.Pipe(t)
	l.Read(r, make([]byte, 1), liburing.CurrentPosition, func(liburing.Completion) { l.Nop(nil) })
	l.Write(w, []byte("x"), liburing.CurrentPosition, nil)
	ringtest.RunIdle(t, l)
	require.NoError(t, l.Control(func(*liburing.Ring) error { return nil }))
	if close {
		ringtest.CloseLoop(t, l)
	}
}

// A loop that was dropped without Close says so, and where it was made, and gives its
// thread and its descriptors back.
func TestDroppedLoop(t *testing.T) {
	out := captureLog(t)
	for _, s := range ringtest.Setups {
		t.Run(s.Name, func(t *testing.T) {
			before, goroutines := ringtest.OpenFDs(), runtime.NumGoroutine()
			had := len(out.String())
			made := false
			t.Run("drop", func(t *testing.T) { drop(t, false, s.Opts...); made = true })
			if !made {
				t.Skip("there are no such loops")
			}
			require.Eventually(t, func() bool {
				runtime.GC()
				return len(out.String()) > had
			}, 10*time.Second, time.Millisecond)
			require.Contains(t, out.String()[had:], "a Loop was dropped without Close")
			require.Contains(t, out.String()[had:], "dropped_test.go:")
			end := time.Now().Add(5 * time.Second)
			for len(ringtest.LeakedFDs(before)) != 0 || runtime.NumGoroutine() > goroutines {
				require.True(t, time.Now().Before(end), "%v, goroutines %d, %d before", ringtest.LeakedFDs(before), runtime.NumGoroutine(), goroutines)
				time.Sleep(time.Millisecond)
			}
		})
	}
}

// One that was closed says nothing.
func TestClosedLoopIsNotDropped(t *testing.T) {
	out := captureLog(t)
	t.Run("drop", func(t *testing.T) { drop(t, true) })
	for range 20 {
		runtime.GC()
		time.Sleep(time.Millisecond)
	}
	require.Empty(t, out.String())
}

// While the kernel has a request the loop, and the request's memory, stay.
func TestDroppedLoopWithARequest(t *testing.T) {
	out := captureLog(t)
	r, w := ringtest.Pipe(t)
	got := make(chan byte, 1)
	left := func() weak.Pointer[liburing.Loop] {
		l, err := liburing.NewLoop(8)
		require.NoError(t, err)
		buf := make([]byte, 1)
		l.Read(r, buf, liburing.CurrentPosition, func(liburing.Completion) { got <- buf[0] })
		ringtest.RunFor(t, l, time.Millisecond)
		return weak.Make(l)
	}()
	for range 20 {
		runtime.GC()
		time.Sleep(time.Millisecond)
	}
	require.Empty(t, out.String())
	l := left.Value()
	require.NotNil(t, l)
	l.Write(w, []byte("x"), liburing.CurrentPosition, nil)
	ringtest.RunIdle(t, l)
	require.Equal(t, byte('x'), <-got)
	require.NoError(t, l.Close(context.Background()))
}
