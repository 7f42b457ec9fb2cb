package main

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

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
}

func TestMedianLeavesItsArgumentAlone(t *testing.T) {
	values := []float64{3, 1, 2}
	median(values)
	require.Equal(t, []float64{3, 1, 2}, values)
}

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
	}, time.Now())
	require.Len(t, got, 2)
	require.Equal(t, "a/ns", got[0].Name)
	require.Equal(t, []float64{50, 40, 0.8}, []float64{got[0].Ours, got[0].C, got[0].Ratio})
	require.Equal(t, []float64{200, 400, 0.5}, []float64{got[1].Ours, got[1].C, got[1].Ratio})
	require.Equal(t, 3, got[0].Rounds)
	require.NotNil(t, got[0].Allocs)
	require.Zero(t, *got[0].Allocs)
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

// TestKeep follows a file of results through several runs.
func TestKeep(t *testing.T) {
	file := filepath.Join(t.TempDir(), "results", "latest.json")
	read := func() (list []map[string]any) {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(text, &list))
		return list
	}

	require.NoError(t, keep(file, []entry{{Name: "a", Ours: 1}, {Name: "b", Ours: 2}}))
	require.NoError(t, keep(file, []entry{{Name: "c", Ours: 3}, {Name: "a", Ours: 4, Unit: "ns", C: 8, Ratio: 2}}))
	list := read()
	require.Len(t, list, 3)
	for i, name := range []string{"a", "b", "c"} {
		require.Equal(t, name, list[i]["name"])
	}
	require.Equal(t, 4.0, list[0]["ours"])
	require.Equal(t, "ns", list[0]["unit"])
	require.Equal(t, 8.0, list[0]["c"])
	require.Equal(t, 2.0, list[0]["ratio"])
	require.Equal(t, 2.0, list[1]["ours"])

	files, err := os.ReadDir(filepath.Dir(file))
	require.NoError(t, err)
	require.Len(t, files, 1, "nothing temporary is left")
}

func TestKeepLeavesWhatItDoesNotKnow(t *testing.T) {
	got, err := merge([]byte(`[{"name":"x","peers":{"giouring":1.5}}]`), []entry{{Name: "y"}})
	require.NoError(t, err)
	require.Contains(t, string(got), `"giouring": 1.5`)
}

func TestKeepRefusesAnotherFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "notes.json")
	for _, text := range []string{"not JSON", `{"name":"a"}`, `[1]`} {
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		require.ErrorContains(t, keep(file, []entry{{Name: "a"}}), "not a list of results")
		after, err := os.ReadFile(file)
		require.NoError(t, err)
		require.Equal(t, text, string(after))
	}
}

func TestTableWarnsOfUnsteadyRounds(t *testing.T) {
	var steady, unsteady strings.Builder
	printTable(&steady, []entry{{Name: "a/b", Ours: 2, C: 3, Ratio: 1.5, Unit: "ns", Spread: 0.02, CSpread: 0.03}})
	require.Regexp(t, `a/b\s+2\.0\s+1%\s+3\.0\s+2%\s+ns\s+1\.50\s+-`, steady.String())
	require.NotContains(t, steady.String(), "loads this machine")
	printTable(&unsteady, []entry{{Name: "a"}, {Name: "b", CSpread: 0.3}})
	require.Contains(t, unsteady.String(), "loads this machine")
}

func TestChoose(t *testing.T) {
	all, err := choose(nil)
	require.NoError(t, err)
	require.Len(t, all, len(groups))

	some, err := choose([]string{"nop", "nop"})
	require.NoError(t, err)
	require.Len(t, some, 1)
	require.Equal(t, "nop", some[0].name)

	_, err = choose([]string{"nop", "nosuch"})
	require.ErrorContains(t, err, `"nosuch"`)
	require.ErrorContains(t, err, "nop")
}

func TestParseReading(t *testing.T) {
	r, err := parseReading([]byte("ns_per_request=48.5 requests=1000\n"))
	require.NoError(t, err)
	require.Equal(t, reading{"ns_per_request": 48.5, "requests": 1000}, r)
	for _, line := range []string{"", "\n", "hello", "a=b", "a=1 b"} {
		_, err := parseReading([]byte(line))
		require.Error(t, err, line)
	}
}

// TestProgramsArePinned runs a program that prints where it may run.
func TestProgramsArePinned(t *testing.T) {
	cpu, err := usableCPU(-1)
	require.NoError(t, err)
	tl := &tools{seconds: 0.1, cpu: cpu}
	p := tl.program("pinned", "/bin/sh", "-c", `awk '/^Cpus_allowed_list/ {print "cpu=" $2}' /proc/self/status`)
	r, err := p.run(t.Context())
	require.NoError(t, err)
	require.Equal(t, float64(cpu), r["cpu"])

	p = tl.program("failing", "/bin/sh", "-c", "echo the reason >&2; exit 3")
	_, err = p.run(t.Context())
	require.ErrorContains(t, err, "the reason")

	_, err = usableCPU(1023)
	require.ErrorContains(t, err, strconv.Itoa(1023))
}

func TestProgressKeepsTheTime(t *testing.T) {
	p := newProgress([]contest{{programs: []program{{takes: time.Second}, {takes: 3 * time.Second}}}}, 5)
	require.Equal(t, 20*time.Second, p.left())
	p.start = time.Now().Add(-10 * time.Second)
	p.done(5 * time.Second)
	require.InDelta(t, 30, p.left().Seconds(), 0.5, "twice as slow as expected")
	require.InDelta(t, 0.25, p.part(), 1e-9)
}
