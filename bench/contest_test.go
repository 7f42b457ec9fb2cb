package main

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestEntries(t *testing.T) {
	c := contest{figures: []figure{
		{name: "a/ns", unit: "ns", reading: "ns", ours: "go", c: "c"},
		{name: "a/rate", unit: "1/s", reading: "rate", ours: "go", c: "c", moreIsGood: true},
	}}
	got := c.entries(map[string][]reading{
		"go": {
			{"ns": 50, "rate": 200, allocsReading: 0},
			{"ns": 40, "rate": 300, allocsReading: 1},
			{"ns": 90, "rate": 100, allocsReading: 0},
		},
		"c": {{"ns": 40, "rate": 400}, {"ns": 100, "rate": 100}, {"ns": 30, "rate": 1000}},
	}, setting{Kernel: "Linux 1.0"}, time.Now())
	require.Len(t, got, 2)
	require.Equal(t, "a/ns", got[0].Name)
	require.Equal(t, []float64{50, 40, 0.8}, []float64{got[0].Ours, got[0].C, got[0].Ratio})
	require.Equal(t, []float64{200, 400, 0.5}, []float64{got[1].Ours, got[1].C, got[1].Ratio})
	require.Equal(t, 3, got[0].Rounds)
	require.NotNil(t, got[0].Allocs)
	require.Zero(t, *got[0].Allocs)
	require.Nil(t, got[0].CPU, "it was not measured")
	require.Equal(t, "Linux 1.0", got[1].Kernel)
}

func TestEntryHasAllSides(t *testing.T) {
	f := figure{unit: "µs", reading: "us", ours: "go", c: "c", peers: []string{"p", "failed"}}
	readings := map[string][]reading{
		"go": {{"us": 2, cpuReading: 4, "within_1": 3, "within_2.5": 1}},
		"c":  {{"us": 6, cpuReading: 8}},
		"p":  {{"us": 10, cpuReading: 12, "within_5": 7}},
	}
	e := f.entry(readings)
	require.Equal(t, []float64{2, 6, 3}, []float64{e.Ours, e.C, e.Ratio})
	require.Equal(t, []float64{4, 8}, []float64{*e.CPU, *e.CCPU})
	require.Equal(t, map[string]float64{"p": 10}, e.Peers)
	require.Equal(t, map[string]float64{"p": 5}, e.PeersRatio)
	require.Equal(t, map[string]float64{"p": 12}, e.PeersCPU)
	require.Empty(t, e.Histograms, "it is not asked for")

	f.histograms = true
	e = f.entry(readings)
	require.Equal(t, []bucket{{1, 0.75}, {2.5, 0.25}}, e.Histograms["go"])
	require.Equal(t, []bucket{{5, 1}}, e.Histograms["p"])
}

// TestRatiosAreThoseOfRounds has a machine that is half as fast in two rounds: the
// medians of both sides come from rounds of different kinds.
func TestRatiosAreThoseOfRounds(t *testing.T) {
	f := figure{reading: "n", ours: "go", c: "c", moreIsGood: true}
	e := f.entry(map[string][]reading{
		"go": {{"n": 200}, {"n": 100}, {"n": 98}},
		"c":  {{"n": 200}, {"n": 200}, {"n": 100}},
	})
	require.Equal(t, []float64{100, 200}, []float64{e.Ours, e.C})
	require.InDelta(t, 0.98, e.Ratio, 1e-9)
}

// TestPeersMayFail has a peer fail in its second round: ours and C's go on, and a
// figure made of fewer rounds is not kept.
func TestPeersMayFail(t *testing.T) {
	runs := 0
	peer := program{name: "p", peer: true, run: func(context.Context) (reading, error) {
		if runs++; runs == 2 {
			return nil, errors.New("fell over")
		}
		return reading{"n": 1}, nil
	}}
	ours := program{name: "go", run: func(context.Context) (reading, error) { return reading{"n": 2}, nil }}
	c := contest{programs: []program{peer, ours}}
	readings, err := c.hold(t.Context(), 4, newProgress(nil, 4))
	require.NoError(t, err)
	require.Equal(t, 2, runs)
	require.NotContains(t, readings, "p")
	require.Len(t, readings["go"], 4)

	c = contest{title: "t", programs: []program{{name: "go", run: peer.run}}}
	runs = 1
	_, err = c.hold(t.Context(), 4, newProgress(nil, 4))
	require.ErrorContains(t, err, "t, go: fell over")
}

func TestIdlersAreNamed(t *testing.T) {
	readings := map[string][]reading{"go": {{busyReading: 0.99}}, "c": {{busyReading: 0.5}, {busyReading: 0.6}, {busyReading: 0.97}}}
	c := contest{title: "t", programs: []program{{name: "go"}, {name: "c"}, {name: "failed"}}, busy: true}
	require.Regexp(t, `^t: .*: c 60 %$`, c.idlers(readings))
	c.busy = false
	require.Empty(t, c.idlers(readings))
}

func TestHoldTakesTurns(t *testing.T) {
	var order strings.Builder
	side := func(name string) program {
		return program{name: name, run: func(context.Context) (reading, error) {
			order.WriteString(name)
			return reading{"n": float64(order.Len())}, nil
		}}
	}
	c := contest{title: "t", programs: []program{side("a"), side("b"), side("c")}}
	readings, err := c.hold(t.Context(), 3, newProgress(nil, 3))
	require.NoError(t, err)
	require.Equal(t, "abcabcabc", order.String())
	require.Equal(t, []float64{2, 5, 8}, values(readings["b"], "n"))
}

func TestHoldStopsWhenInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	runs := 0
	c := contest{programs: []program{{name: "a", run: func(context.Context) (reading, error) {
		runs++
		cancel()
		return nil, errors.New("killed")
	}}}}
	_, err := c.hold(ctx, 5, newProgress(nil, 5))
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, 1, runs)
}
