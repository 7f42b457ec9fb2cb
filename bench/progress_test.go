package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestProgressKeepsTheTime(t *testing.T) {
	p := newProgress([]contest{{programs: []program{{takes: time.Second}, {takes: 3 * time.Second}}}}, 5)
	require.Equal(t, 20*time.Second, p.left())
	p.start = time.Now().Add(-10 * time.Second)
	p.done(5 * time.Second)
	require.InDelta(t, 30, p.left().Seconds(), 0.5, "twice as slow as expected")
	require.InDelta(t, 0.25, p.part(), 1e-9)
}
