package main

import (
	"testing"

	"github.com/go-liburing/liburing/bench/internal/scaling"
	"github.com/stretchr/testify/require"
)

// Each measure can be taken.
func TestMeasures(t *testing.T) {
	require.Len(t, runs, len(scaling.Measures))
	for _, m := range scaling.Measures {
		require.Contains(t, runs, m.Name)
		each, err := runs[m.Name](min(m.Sizes[0], 1000))
		require.NoError(t, err, m.Name)
		require.GreaterOrEqual(t, each.Nanoseconds(), int64(0), m.Name)
	}
}
