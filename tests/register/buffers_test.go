//go:build linux

package register_test

import (
	"runtime"
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

// A registered descriptor is a number of the thread that registered it. Where another
// thread has a ring under the same number, its buffers are not the ones to be cloned.
func TestCloneBuffersOfAnotherThread(t *testing.T) {
	ringtest.NeedsKernel(t, 6, 12)
	content := ringtest.Pattern(4096, 7)
	f := ringtest.TempFile(t, content)
	buf := make([]byte, 4096)
	made, done := make(chan *liburing.Ring), make(chan bool)
	go func() {
		runtime.LockOSThread()
		src := ringtest.NewRing(t, 4)
		require.NoError(t, src.RegisterBuffers([][]byte{buf}))
		require.NoError(t, src.RegisterRingFD())
		made <- src
		<-done // the thread ends then, and its number with it
	}()
	src := <-made
	defer close(done)
	ringtest.LockThread(t)
	other := ringtest.NewRing(t, 4)
	require.NoError(t, other.RegisterBuffers([][]byte{make([]byte, 4096)}))
	require.NoError(t, other.RegisterRingFD())
	for name, clone := range map[string]func(dst *liburing.Ring) error{
		"CloneBuffers": func(dst *liburing.Ring) error { return dst.CloneBuffers(src) },
		"CloneBuffersOffset": func(dst *liburing.Ring) error {
			ringtest.NeedsKernel(t, 6, 13)
			return dst.CloneBuffersOffset(src, 0, 0, 1, 0)
		},
	} {
		dst := ringtest.NewRing(t, 4)
		err := clone(dst)
		ringtest.NeedsLiburing(t, err, 10)
		require.NoError(t, err, name)
		clear(buf)
		c := ringtest.SubmitOne(t, dst, func(s *liburing.SQE) { s.PrepReadFixed(int(f.Fd()), buf, 0, 0) })
		require.NoError(t, c.Err(), name)
		require.Equal(t, content, buf, name)
	}
}

// The buffers of a loop's ring are cloned on its thread, and elsewhere refused with
// the reason.
func TestCloneBuffersOfALoop(t *testing.T) {
	ringtest.NeedsKernel(t, 6, 13) // 6.12 asks nobody whose ring it is
	ringtest.LockThread(t)
	l := ringtest.NewLoop(t, 4)
	dst := ringtest.NewRing(t, 4)
	var src *liburing.Ring
	require.NoError(t, l.Control(func(r *liburing.Ring) error {
		src = r
		return r.RegisterBuffers([][]byte{make([]byte, 4096)})
	}))
	err := dst.CloneBuffers(src)
	if src.Flags()&liburing.SetupSingleIssuer != 0 {
		require.ErrorIs(t, err, unix.EEXIST)
		require.Contains(t, err.Error(), "Control")
	}
	require.NoError(t, l.Control(func(r *liburing.Ring) error { return dst.CloneBuffers(r) }))
	require.NoError(t, dst.UnregisterBuffers())
}
