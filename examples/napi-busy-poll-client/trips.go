package main

import (
	"fmt"
	"slices"
	"time"
)

// trips are how long the round trips took.
type trips []time.Duration

// print prints what is to be known about the trips, in microseconds; mdev is
// how far they are from the average, on average.
func (t trips) print() {
	slices.Sort(t)
	var sum, off time.Duration
	for _, d := range t {
		sum += d
	}
	average := sum / time.Duration(len(t))
	for _, d := range t {
		off += (d - average).Abs()
	}
	us := func(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
	fmt.Printf("%d round trips\n", len(t))
	fmt.Printf("min/avg/max/mdev %.1f/%.1f/%.1f/%.1f µs\n", us(t[0]), us(average), us(t[len(t)-1]), us(off/time.Duration(len(t))))
	fmt.Printf("median %.1f µs, 99 of 100 within %.1f µs\n", us(t[len(t)/2]), us(t[(len(t)-1)*99/100]))
}
