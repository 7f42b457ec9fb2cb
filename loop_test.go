//go:build linux && cgo

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
