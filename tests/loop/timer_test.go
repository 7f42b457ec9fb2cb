//go:build linux && cgo

package loop_test

import (
	"testing"
	"time"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestTimers(t *testing.T) {
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		start := time.Now()
		var after time.Duration
		l.After(20*time.Millisecond, func() { after = time.Since(start) })
		never := l.After(10*time.Millisecond, func() { t.Error("stopped, and fired") })
		never.Stop()
		beats := 0
		var beat *liburing.Timer
		beat = l.Every(5*time.Millisecond, func() {
			if beats++; beats == 4 {
				beat.Stop()
			}
		})
		ringtest.RunIdle(t, l)
		require.GreaterOrEqual(t, after, 20*time.Millisecond)
		require.Equal(t, 4, beats)
		require.GreaterOrEqual(t, time.Since(start), 20*time.Millisecond)
		never.Stop()
		beat.Stop()
		ringtest.RunIdle(t, l)
	})
}

func TestTimersWithBadInput(t *testing.T) {
	l := ringtest.NewLoop(t, 8)
	fired := 0
	require.NoError(t, l.After(-time.Second, func() { fired++ }).Err())
	require.ErrorIs(t, l.Every(0, func() {}).Err(), unix.EINVAL)
	require.ErrorIs(t, l.Every(-1, func() {}).Err(), unix.EINVAL)
	require.ErrorIs(t, l.Every(time.Second, nil).Err(), unix.EINVAL)
	require.ErrorIs(t, l.After(time.Second, nil).Err(), unix.EINVAL)
	ringtest.RunIdle(t, l)
	require.Equal(t, 1, fired, "what is due already")
	ringtest.CloseLoop(t, l)
	late := l.After(0, func() { t.Error("called") })
	require.ErrorIs(t, late.Err(), liburing.ErrClosed)
	late.Stop()
}
