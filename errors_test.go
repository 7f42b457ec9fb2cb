//go:build linux

package liburing_test

import (
	"errors"
	"math"
	"os"
	"testing"

	"github.com/go-liburing/liburing"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestSentinels(t *testing.T) {
	require.ErrorIs(t, liburing.ErrClosed, os.ErrClosed)
	require.ErrorIs(t, liburing.ErrNotSupported, errors.ErrUnsupported)
	for _, ret := range []int32{liburing.ErrNoLinux, -liburing.NeedsBase - 10, -int32(unix.ENOSYS)} {
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

func TestOpErrors(t *testing.T) {
	err := liburing.OpErrorOf("io_uring_submit", -int32(unix.EAGAIN))
	require.ErrorIs(t, err, unix.EAGAIN)
	require.Equal(t, "io_uring_submit: resource temporarily unavailable", err.Error())
	require.NoError(t, liburing.OpErrorOf("x", 0))
	require.ErrorIs(t, liburing.OpErrorOf("io_uring_x", -liburing.NeedsBase-11), liburing.ErrNotSupported)
	require.Contains(t, liburing.OpErrorOf("io_uring_x", -liburing.NeedsBase-11).Error(), "liburing 2.11")
	require.ErrorIs(t, liburing.OpErrorOf("io_uring_x", liburing.ErrNoLinux), liburing.ErrNotSupported)
}

// Entries are counted from one, and what is closed need not be a ring.
func TestWordsOfErrors(t *testing.T) {
	for _, n := range []int{-1, math.MaxInt} {
		_, err := liburing.NewLoop(n)
		require.ErrorIs(t, err, unix.EINVAL)
		require.ErrorContains(t, err, "from 1 to 2147483647")
		_, err = liburing.New(n)
		require.ErrorContains(t, err, "from 1 to 2147483647")
	}
	require.NotContains(t, liburing.ErrClosed.Error(), " ring")
}
