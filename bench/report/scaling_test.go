package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func grown() results {
	return results{
		{Name: "scale/timer-reset/10", Unit: "ns", Ours: 40},
		{Name: "scale/timer-reset/1000000", Unit: "ns", Ours: 44},
		{Name: "scale/read-cancel-oldest/10", Unit: "ns", Ours: 900},
		{Name: "scale/read-cancel-oldest/1000", Unit: "ns", Ours: 12_000},
		{Name: "scale/post/1", Unit: "ns", Ours: 60},
		{Name: "scale/post/64", Unit: "ns", Ours: 80},
		{Name: "scale/rss-poll/10", Unit: "B", Ours: 410},
	}
}

// The document has a row for each measure and a column for each size.
func TestScalingDocument(t *testing.T) {
	doc := string(grown().scalingDoc())
	for _, row := range []string{
		"| ns for one | 10 | 1,000 | 10,000 | 100,000 | 1,000,000 | others |",
		"| timer-reset | 40 |  |  |  | 44 |  |",
		"| read-cancel-oldest | 900 | 12,000 |  |  |  |  |",
		"| post |  |  |  |  |  | 1: 60, 64: 80 |",
		"| rss-poll | 410 |  |  |  |  |  |",
		"## What grows in the kernel",
	} {
		require.Contains(t, doc, row)
	}
	require.NotContains(t, string(newReport(grown()).markdown()), "timer-reset")
}

// The page has the chart, and the document is written where there is something to say.
func TestScalingChart(t *testing.T) {
	html, err := newReport(grown()).html()
	require.NoError(t, err)
	require.Contains(t, string(html), "how many there are")
	dir := t.TempDir()
	in := filepath.Join(dir, "latest.json")
	require.NoError(t, os.WriteFile(in, []byte(`[{"name": "scale/timer-arm/10", "unit": "ns", "ours": 60}]`), 0o600))
	require.NoError(t, write(in, filepath.Join(dir, "report.html"), filepath.Join(dir, "docs", "benchmarks.md")))
	require.FileExists(t, filepath.Join(dir, "docs", "scaling.md"))
}
