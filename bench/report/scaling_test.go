package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-liburing/liburing/bench/internal/scaling"
	"github.com/stretchr/testify/require"
)

func grown() results {
	all := results{
		{Name: "scale/timer-reset/10", Unit: "ns", Ours: 40},
		{Name: "scale/timer-reset/1000000", Unit: "ns", Ours: 44},
		{Name: "scale/read-cancel-fd/10", Unit: "ns", Ours: 900},
		{Name: "scale/read-cancel-fd/1000", Unit: "ns", Ours: 12_000},
		{Name: "scale/post/1", Unit: "ns", Ours: 60},
		{Name: "scale/post/100", Unit: "ns", Ours: 80},
		{Name: "scale/of-old/10", Unit: "ns", Ours: 5},
		{Name: "scale/rss-poll/100000", Unit: "B", Ours: 0},
		{Name: "scale/heap-poll/10000", Unit: "B", Ours: 57},
		{Name: "memory/connection", Unit: "B", Ours: 1000, Peers: map[string]float64{"net": 7000, "netpoll": 9000}},
		{Name: "memory/heap", Unit: "B", Ours: 450, Peers: map[string]float64{"net": 6000}},
	}
	for i := range all {
		all[i].Machine, all[i].Kernel, all[i].Versions = "Made Up One", "Linux 1.2.3", map[string]string{"go": "9.8.7"}
		all[i].Date = time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC)
	}
	return all
}

// The document has a section for each theme, a row for each measure and a column for each
// size, says where it was measured, and why rows end where they do.
func TestScalingDocument(t *testing.T) {
	doc := string(grown().scalingDoc())
	for _, row := range []string{
		"| Machine | Made Up One |",
		"| Kernel | Linux 1.2.3 |",
		"| Measured | 2001-02-03 |",
		"| ns for one | that is | 10 | 1,000 | 10,000 | 100,000 | 1,000,000 |",
		"| 40 | – | – | – | 44 |",
		"| 900 | 12,000 | – | – |",
		"| ns for one | that is | 1 | 10 | 100 | 1,000 | 10,000 | 100,000 | 1,000,000 |",
		"| 60 | – | 80 | – |  |  |  |",
		"| bytes for one connection of | 1,000, resident | 4,000, resident | 10,000, resident | 10,000, Go's heap |",
		"| `Loop` | – | 1,000 | – | 450 |",
		"| `net` | – | 7,000 | – | 6,000 |",
		"## What grows in the kernel",
	} {
		require.Contains(t, doc, row)
	}
	require.NotContains(t, doc, "| of-old", "which is measured no more")
	require.NotContains(t, doc, "| rss-poll", "of which there is no figure")
	require.NotContains(t, string(newReport(grown()).markdown()), "timer-reset")
}

// Each row that ends early is accounted for.
func TestScalingEnds(t *testing.T) {
	doc := string(grown().scalingDoc())
	for _, m := range scaling.Measures {
		require.Equal(t, m.Sizes[len(m.Sizes)-1] < scaling.Most, m.Ends != "", m.Name)
		if m.Ends != "" {
			require.Contains(t, doc, m.Ends)
		}
	}
}

// The page has a chart for each theme of times, and the document is written where there
// is something to say.
func TestScalingCharts(t *testing.T) {
	charts := grown().growth()
	shown := 0
	for _, c := range charts {
		require.LessOrEqual(t, len(c.series), len(seriesTones), c.title)
		shown += len(c.series)
	}
	for _, m := range scaling.Measures {
		if m.Unit != "ns" {
			shown++
		}
	}
	require.Len(t, scaling.Measures, shown, "each measure is in a chart or of memory")
	html, err := newReport(grown()).html()
	require.NoError(t, err)
	require.Equal(t, 3, strings.Count(string(html), "how many there are"), "those of themes that were measured")
	dir := t.TempDir()
	in := filepath.Join(dir, "latest.json")
	require.NoError(t, os.WriteFile(in, []byte(`[{"name": "scale/timer-arm/10", "unit": "ns", "ours": 60}]`), 0o600))
	require.NoError(t, write(in, filepath.Join(dir, "report.html"), filepath.Join(dir, "docs", "benchmarks.md")))
	require.FileExists(t, filepath.Join(dir, "docs", "scaling.md"))
}
