//go:build linux && cgo

package liburing_test

import (
	"errors"
	"os"
	"testing"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// A callback that answers each refusal with the next request does not hold Close
// up, nor does it go on for ever once the loop has ended.
func TestRefusedAgainAndAgain(t *testing.T) {
	l := ringtest.NewLoop(t, 8)
	refusals := 0
	var again liburing.Callback
	again = func(c liburing.Completion) {
		if errors.Is(c.Err(), liburing.ErrClosed) {
			refusals++
		}
		l.Nop(again)
	}
	l.Nop(again)
	ringtest.CloseLoop(t, l)
	require.NotZero(t, refusals)
	require.Less(t, refusals, 10*liburing.RefusalRounds)
	refusals = 0
	l.Nop(again)
	require.Equal(t, liburing.RefusalRounds, refusals)
}

func TestSentinels(t *testing.T) {
	require.ErrorIs(t, liburing.ErrClosed, os.ErrClosed)
	require.ErrorIs(t, liburing.ErrNotSupported, errors.ErrUnsupported)
	for _, ret := range []int32{liburing.ErrNoCgo, -liburing.NeedsBase - 10, -int32(unix.ENOSYS)} {
		require.ErrorIs(t, liburing.OpErrorOf("x", ret), liburing.ErrNotSupported)
		require.ErrorIs(t, liburing.OpErrorOf("x", ret), errors.ErrUnsupported)
	}
	require.NotErrorIs(t, liburing.OpErrorOf("x", -int32(unix.EINVAL)), liburing.ErrNotSupported)
	_, err := liburing.New(8, liburing.WithFlags(1<<30))
	require.ErrorIs(t, err, liburing.ErrNotSupported, "a flag that no kernel knows")
	require.ErrorIs(t, err, errors.ErrUnsupported)
	require.ErrorIs(t, err, unix.EINVAL)
	_, err = liburing.New(0)
	require.NotErrorIs(t, err, liburing.ErrNotSupported)
}
