//go:build !linux

package build_test

import (
	"testing"

	"github.com/go-liburing/liburing"
	"github.com/stretchr/testify/require"
)

// Without Linux or cgo the package compiles, and every constructor says what is
// missing.
func TestConstructorsSayWhatIsMissing(t *testing.T) {
	_, ring := liburing.New(8)
	_, queue := liburing.QueueInit(8, 0)
	_, loop := liburing.NewLoop(8)
	_, probe := liburing.GetProbe()
	for name, err := range map[string]error{"New": ring, "QueueInit": queue, "NewLoop": loop, "GetProbe": probe, "Require": liburing.Require(liburing.OpNop)} {
		require.ErrorIs(t, err, liburing.ErrNotSupported, name)
		require.ErrorContains(t, err, "cgo", name)
	}
}
