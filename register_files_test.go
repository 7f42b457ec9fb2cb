//go:build linux

package liburing_test

import (
	"math"
	"testing"

	"github.com/go-liburing/liburing"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// A table has no place as large, whatever number is made of it.
func TestFixedThatIsTooLarge(t *testing.T) {
	for _, f := range []liburing.Fixed{1<<30 - 1, 1 << 30, 1<<30 + 7, 1<<32 - 1} {
		require.EqualValues(t, 1<<30-1, f.FD()%liburing.FixedFD, f)
		require.True(t, liburing.IsFixed(f.FD()), f)
	}
}

func TestFixedNumbers(t *testing.T) {
	for _, index := range []uint32{0, 1, 1 << 20, 1<<30 - 1} {
		fd := liburing.Fixed(index).FD()
		require.True(t, liburing.IsFixed(fd))
		var s liburing.SQE
		s.PrepRead(fd, nil, 0)
		s.UseFixed(fd)
		require.EqualValues(t, index, s.FD)
		require.Equal(t, liburing.SQEFixedFile, s.Flags)
	}
	for _, fd := range []int64{0, -1, unix.AT_FDCWD, 1 << 29, math.MinInt32, math.MinInt64, math.MaxInt64, 1 << 31} {
		if int64(int(fd)) == fd { // what an int holds here
			require.False(t, liburing.IsFixed(int(fd)), "%d", fd)
		}
	}
}
