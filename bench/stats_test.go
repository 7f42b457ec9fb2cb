package main

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMedianAndSpread(t *testing.T) {
	require.Equal(t, 3.0, median([]float64{9, 1, 3}))
	require.Equal(t, 2.5, median([]float64{4, 1, 3, 2}))
	require.Equal(t, 7.0, median([]float64{7}))
	require.True(t, math.IsNaN(median(nil)))

	// One wild round out of five is not in the spread.
	require.Equal(t, 0.5, spread([]float64{3, 4, 5, 4, 1000})*2)
	require.Zero(t, spread([]float64{7}))
	require.Zero(t, spread([]float64{0, 0, 5}), "JSON has no word for infinity")
}

func TestMedianLeavesItsArgumentAlone(t *testing.T) {
	values := []float64{3, 1, 2}
	median(values)
	require.Equal(t, []float64{3, 1, 2}, values)
}
