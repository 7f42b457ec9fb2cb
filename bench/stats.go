package main

import (
	"math"
	"slices"
)

// median returns the middle value, between the two middle ones if their number
// is even, and NaN if there is none.
func median(values []float64) float64 { return quantile(values, 0.5) }

// spread returns how wide the middle half of the values lies, as a part of the
// median, and 0 where that is nothing that something can be a part of.
func spread(values []float64) float64 {
	middle := median(values)
	if middle == 0 {
		return 0
	}
	return (quantile(values, 0.75) - quantile(values, 0.25)) / middle
}

// quantile interpolates between the two values next to the place q of the way
// from the least to the greatest.
func quantile(values []float64, q float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(values))
	place := q * float64(len(sorted)-1)
	low := int(place)
	high := min(low+1, len(sorted)-1)
	return sorted[low] + (place-float64(low))*(sorted[high]-sorted[low])
}
