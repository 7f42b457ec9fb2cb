//go:build linux

package napi

import (
	"testing"
	"time"

	"github.com/go-liburing/liburing"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// A ring that polls for its completions is one that no kernel polls networks
// for, and a kernel that knows nothing of it answers alike.
func TestRefused(t *testing.T) {
	ring, err := liburing.New(4, liburing.WithFlags(liburing.SetupIOPoll))
	require.NoError(t, err)
	defer ring.Close()
	err = register(ring, time.Millisecond, true)
	require.ErrorIs(t, err, unix.EINVAL)
	require.ErrorContains(t, err, "-poll 0 goes without")
}
