//go:build linux

package loop_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// The kernel's own numbers for a call that a signal has ended are no errors for a
// program.
func TestRestartIsEINTR(t *testing.T) {
	for res := int32(-516); res <= -512; res++ {
		c := liburing.CQE{Res: res}
		require.Equal(t, unix.EINTR, c.Err())
		require.ErrorIs(t, liburing.Completion{Res: res}.Err(), unix.EINTR)
	}
	require.Equal(t, unix.Errno(511), (&liburing.CQE{Res: -511}).Err())
	require.Equal(t, unix.Errno(517), (&liburing.CQE{Res: -517}).Err())
}

// A worker is blocked in the open of a pipe that nobody writes to.
func TestCancelledOpen(t *testing.T) {
	name := filepath.Join(t.TempDir(), "fifo")
	require.NoError(t, unix.Mkfifo(name, 0o600))
	l := ringtest.NewLoop(t, 8)
	ctx, cancel := context.WithCancel(t.Context())
	var err error
	l.Openat(unix.AT_FDCWD, name, unix.O_RDONLY|unix.O_CLOEXEC, 0, func(c liburing.Completion) { err = c.Err() }).
		Flags(liburing.SQEAsync).WithContext(ctx)
	ringtest.RunFor(t, l, 20*time.Millisecond) // into the worker
	cancel()
	ringtest.RunIdle(t, l)
	require.ErrorIs(t, err, context.Canceled)
	if !errors.Is(err, unix.ECANCELED) {
		require.ErrorIs(t, err, unix.EINTR)
	}
	require.NotContains(t, err.Error(), "\n", "it is one line")
}
