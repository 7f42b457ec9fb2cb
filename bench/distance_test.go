package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestDistance(t *testing.T) {
	one, err := usableCPU(-1)
	require.NoError(t, err)
	other, err := otherCPU(one)
	if err != nil {
		t.Skip(err)
	}
	d, err := distance(one, other)
	require.NoError(t, err)
	require.Positive(t, d)
	require.Less(t, d, time.Millisecond)
	_, err = distance(one, maxCPUs-1)
	require.ErrorContains(t, err, "sched_setaffinity")
}

// A measurement is made again as long as the processors come to be far apart, but not for
// ever.
func TestWhileNear(t *testing.T) {
	one, err := usableCPU(-1)
	require.NoError(t, err)
	other, err := otherCPU(one)
	if err != nil {
		t.Skip(err)
	}
	p, times := &processors{a: one, b: other}, 0
	r, err := p.whileNear(t.Context(), func() (reading, error) {
		times++
		p.least = time.Hour // they are near whatever comes
		return reading{"x": 1}, nil
	})
	require.NoError(t, err)
	require.Equal(t, 1, times)
	require.Equal(t, reading{"x": 1}, r)

	p, times = &processors{a: one, b: other}, 0
	_, err = p.whileNear(t.Context(), func() (reading, error) {
		if times++; times < nearTries {
			p.least = 1 // no processors are that near
		}
		return reading{}, nil
	})
	require.NoError(t, err)
	require.Equal(t, nearTries, times)
}
