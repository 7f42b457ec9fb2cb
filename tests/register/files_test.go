//go:build linux

package register_test

import (
	"testing"
	"time"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestRegisterFileTables(t *testing.T) {
	ringtest.OverSetups(t, 8, func(t *testing.T, r *liburing.Ring) {
		f := ringtest.TempFile(t, []byte("one"))
		g := ringtest.TempFile(t, []byte("two"))
		read := func(i int) (string, error) {
			buf := make([]byte, 3)
			c := ringtest.SubmitOne(t, r, func(s *liburing.SQE) {
				s.PrepRead(i, buf, 0)
				s.SetFlags(liburing.SQEFixedFile)
			})
			return string(buf), c.Err()
		}
		empty := r.RegisterFilesSparse(4)
		if !ringtest.Knows(t, liburing.OpSocket) { // came with sparse tables, in Linux 5.19
			require.ErrorIs(t, empty, unix.EINVAL)
			empty = r.RegisterFiles([]int{-1, -1, -1, -1})
		}
		require.NoError(t, empty)
		_, err := read(0)
		require.ErrorIs(t, err, unix.EBADF)
		n, err := r.RegisterFilesUpdate(1, []int{int(f.Fd()), int(g.Fd())})
		require.NoError(t, err)
		require.Equal(t, 2, n)
		got, err := read(2)
		require.NoError(t, err)
		require.Equal(t, "two", got)
		if !ringtest.Knows(t, liburing.OpSendZC) { // came with ranges, in Linux 6.0
			require.ErrorIs(t, r.RegisterFileAllocRange(3, 1), unix.EINVAL)
			return
		}
		require.NoError(t, r.RegisterFileAllocRange(3, 1))
		path := &append([]byte(f.Name()), 0)[0]
		c := ringtest.SubmitOne(t, r, func(s *liburing.SQE) { s.PrepOpenatDirect(unix.AT_FDCWD, path, 0, 0, liburing.FileIndexAlloc) })
		require.EqualValues(t, 3, c.Res, "the one place of the range")
		c = ringtest.SubmitOne(t, r, func(s *liburing.SQE) { s.PrepOpenatDirect(unix.AT_FDCWD, path, 0, 0, liburing.FileIndexAlloc) })
		require.ErrorIs(t, c.Err(), unix.ENFILE)
		require.NoError(t, r.UnregisterFiles())
	})
}

// A tag comes back when the kernel has let go of the resource.
func TestRegisterTags(t *testing.T) {
	ringtest.OverSetups(t, 8, func(t *testing.T, r *liburing.Ring) {
		tag := func(want uint64) {
			t.Helper()
			cqe, err := r.WaitCQETimeout(5 * time.Second)
			require.NoError(t, err)
			require.Equal(t, want, cqe.UserData)
			r.CQESeen(cqe)
		}
		f := ringtest.TempFile(t, nil)
		require.NoError(t, r.RegisterFilesTags([]int{int(f.Fd())}, []uint64{11}))
		n, err := r.RegisterFilesUpdateTag(0, []int{int(f.Fd())}, []uint64{12})
		require.NoError(t, err)
		require.Equal(t, 1, n)
		tag(11)
		require.NoError(t, r.UnregisterFiles())
		if !ringtest.KernelBefore(6, 13) { // which tell of an update only
			tag(12)
		}

		a, b := make([]byte, 4096), make([]byte, 4096)
		require.NoError(t, r.RegisterBuffersTags([][]byte{a}, []uint64{21}))
		n, err = r.RegisterBuffersUpdateTag(0, [][]byte{b}, []uint64{22})
		require.NoError(t, err)
		require.Equal(t, 1, n)
		tag(21)
		require.NoError(t, r.UnregisterBuffers())
		if !ringtest.KernelBefore(6, 13) {
			tag(22)
		}

		require.ErrorIs(t, r.RegisterFilesTags([]int{0}, nil), unix.EINVAL)
		require.ErrorIs(t, r.RegisterBuffersTags([][]byte{a}, nil), unix.EINVAL)
		_, err = r.RegisterFilesUpdateTag(0, []int{0}, nil)
		require.ErrorIs(t, err, unix.EINVAL)
		_, err = r.RegisterBuffersUpdateTag(5, [][]byte{a}, nil)
		require.ErrorIs(t, err, unix.EINVAL)
	})
}

func TestRegisterFilesBeyondTheLimit(t *testing.T) {
	var limit unix.Rlimit
	require.NoError(t, unix.Getrlimit(unix.RLIMIT_NOFILE, &limit))
	ringtest.NeedsOps(t, liburing.OpSocket) // came with sparse tables, in Linux 5.19
	// liburing raises the soft limit as far as it can.
	err := ringtest.NewRing(t, 4).RegisterFilesSparse(int(min(limit.Max, 1<<20)) + 1)
	require.ErrorIs(t, err, unix.EMFILE)
	require.ErrorContains(t, err, "ulimit -n")
}
