//go:build !linux || !cgo

package liburing

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Without Linux or cgo the package compiles, and every constructor says what is
// missing.
func TestConstructorsSayWhatIsMissing(t *testing.T) {
	_, ring := New(8)
	_, queue := QueueInit(8, 0)
	_, loop := NewLoop(8)
	_, probe := GetProbe()
	for name, err := range map[string]error{"New": ring, "QueueInit": queue, "NewLoop": loop, "GetProbe": probe} {
		require.ErrorIs(t, err, ErrNotSupported, name)
		require.ErrorContains(t, err, "cgo", name)
	}
}
