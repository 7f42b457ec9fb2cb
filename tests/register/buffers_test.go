//go:build linux && cgo

package register_test

import (
	"testing"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestRegisterBufferTables(t *testing.T) {
	ringtest.LockThread(t)
	ringtest.NeedsOps(t, liburing.OpSocket) // came with sparse tables, in Linux 5.19
	src := ringtest.NewRing(t, 8)
	require.NoError(t, src.RegisterBuffersSparse(4))
	buf := make([]byte, 4096)
	n, err := src.RegisterBuffersUpdateTag(2, [][]byte{buf}, nil)
	require.NoError(t, err)
	require.Equal(t, 1, n)
	f := ringtest.TempFile(t, ringtest.Pattern(4096, 5))
	read := func(r *liburing.Ring, i int) error {
		clear(buf)
		c := ringtest.SubmitOne(t, r, func(s *liburing.SQE) { s.PrepReadFixed(int(f.Fd()), buf, 0, i) })
		if c.Err() == nil {
			require.Equal(t, ringtest.Pattern(4096, 5), buf)
		}
		return c.Err()
	}
	require.NoError(t, read(src, 2))
	require.ErrorIs(t, read(src, 1), unix.EFAULT)

	dst := ringtest.NewRing(t, 8)
	if ringtest.KernelBefore(6, 12) {
		require.ErrorIs(t, dst.CloneBuffers(src), unix.EINVAL)
		return
	}
	require.NoError(t, dst.CloneBuffers(src))
	require.NoError(t, read(dst, 2), "through the clone")
	require.ErrorIs(t, dst.CloneBuffers(src), unix.EBUSY)

	ringtest.NeedsKernel(t, 6, 13)
	third := ringtest.NewRing(t, 8)
	err = third.CloneBuffersOffset(src, 0, 2, 1, 0)
	ringtest.NeedsLiburing(t, err, 10)
	require.NoError(t, err)
	require.NoError(t, read(third, 0))
	require.ErrorIs(t, third.CloneBuffersOffset(src, 0, 2, 1, 0), unix.EBUSY)
	require.NoError(t, third.CloneBuffersOffset(src, 1, 2, 1, liburing.RegisterDstReplace))
	require.NoError(t, read(third, 1))
}

// Cloning with flags; two rings of one thread, by a registered descriptor too.
func TestCloneBuffersRaw(t *testing.T) {
	ringtest.LockThread(t)
	src, dst := ringtest.NewRing(t, 4), ringtest.NewRing(t, 4)
	require.NoError(t, src.RegisterBuffers([][]byte{make([]byte, 4096)}))
	err := dst.CloneBuffersRaw(src, 0)
	ringtest.NeedsLiburing(t, err, 10)
	if ringtest.KernelBefore(6, 12) {
		require.ErrorIs(t, err, unix.EINVAL)
		return
	}
	require.NoError(t, err)
	require.ErrorIs(t, dst.CloneBuffersRaw(src, 0), unix.EBUSY)
	ringtest.NeedsKernel(t, 6, 13)
	require.NoError(t, dst.CloneBuffersRaw(src, liburing.RegisterDstReplace))

	// A ring that has nothing but a registered descriptor.
	require.NoError(t, src.RegisterRingFD())
	require.NoError(t, src.CloseRingFD())
	require.ErrorIs(t, dst.CloneBuffersRaw(src, liburing.RegisterDstReplace), unix.EBADF)
	require.NoError(t, dst.CloneBuffersRaw(src, liburing.RegisterDstReplace|liburing.RegisterSrcRegistered))
	require.NoError(t, dst.CloneBuffersOffset(src, 0, 0, 1, liburing.RegisterDstReplace))
	require.NoError(t, ringtest.NewRing(t, 4).CloneBuffers(src))
}
