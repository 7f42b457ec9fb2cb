//go:build linux

package liburing_test

import (
	"testing"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/stretchr/testify/require"
)

// A loop asks for what suits a single thread.
func TestLoopSetup(t *testing.T) {
	want := liburing.LoopFlags[0]
	if liburing.UnknownFlags(want) != 0 {
		want = liburing.LoopFlags[1] &^ liburing.UnknownFlags(liburing.LoopFlags[1])
	}
	l := ringtest.NewLoop(t, 8)
	require.Equal(t, want, l.Ring().Flags()&want)
	if l.Ring().Features()&liburing.FeatRegRegRing != 0 {
		require.NotZero(t, l.Ring().EnterFlags()&liburing.EnterRegisteredRing, "the ring's descriptor is registered")
	}
}

// A loop that has nothing to do is idle, not waiting for a disk, however it enters
// the kernel.
func TestNoIowait(t *testing.T) {
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		if l.Ring().Features()&liburing.FeatNoIowait == 0 {
			t.Skip("this kernel can't tell the two apart (it came with Linux 6.15)")
		}
		require.NotZero(t, l.Ring().EnterFlags()&liburing.EnterNoIowait)
		require.NoError(t, l.Control(func(r *liburing.Ring) error { return r.SetIowait(true) }))
		require.Zero(t, l.Ring().EnterFlags()&liburing.EnterNoIowait)
	})
}
