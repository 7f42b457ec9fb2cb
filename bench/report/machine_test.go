package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestOneSetting(t *testing.T) {
	all := madeUp(t)
	html, err := newReport(all.group("nop")).html()
	require.NoError(t, err)
	require.NotContains(t, string(html), severalSettings)
	doc := string(newReport(all.group("nop")).markdown())
	require.NotContains(t, doc, severalSettings)
	require.Contains(t, doc, `
## The machine

| what | here |
| --- | --- |
| Machine | Made Up One, 2 processors, 4.0 GiB |
| Kernel | Linux 1.2.3 |
| Go | 9.8.7 |
| liburing | 0.1 |
| C compiler | cc \| made <up> 1.0 |
| fio | fio-0.5 |
| example.org/peer | v0.0.1 |
| Measured | 2001-02-03 |

## Against C
`)
}

// TestSeveralSettings has results that were merged from runs in different ones.
func TestSeveralSettings(t *testing.T) {
	rep := newReport(madeUp(t))
	require.Len(t, rep.Settings, 3)
	html, err := rep.html()
	require.NoError(t, err)
	require.Contains(t, string(html), severalSettings)
	require.Contains(t, string(html), "<td>Made Up One, 2 processors, 4.0 GiB</td>")
	require.Contains(t, string(html), "<td>Made Up Two, 8 processors, 9.0 GiB</td>")
	doc := string(rep.markdown())
	for _, text := range []string{
		severalSettings + "\n\n| what",
		"| Results | nop, timer, randread/loop/4, randread/loop/16, randread/loop/64, randread/loop/128, cp, echo, latency, web |\n" +
			"| Machine | Made Up One, 2 processors, 4.0 GiB |",
		"| Results | randread/loop/1, models |\n| Machine | Made Up Two, 8 processors, 9.0 GiB |",
		"| Results | extra |\n| Machine | not recorded |\n| Kernel | not recorded |\n| Versions | not recorded |\n| Measured | 2001-02-03 |",
	} {
		require.Contains(t, doc, text)
	}
	requireEvenTables(t, doc)
}

// TestEachPartMakesASetting changes one at a time.
func TestEachPartMakesASetting(t *testing.T) {
	same := entry{Machine: "m", Kernel: "k", Versions: map[string]string{"go": "1"}}
	for _, other := range []entry{
		{Machine: "n", Kernel: "k", Versions: map[string]string{"go": "1"}},
		{Machine: "m", Kernel: "l", Versions: map[string]string{"go": "1"}},
		{Machine: "m", Kernel: "k", Versions: map[string]string{"go": "2"}},
		{Machine: "m", Kernel: "k"},
	} {
		require.Len(t, results{same, other, same}.settings(), 2)
	}
}

// TestOlderResults have none of the fields that came later.
func TestOlderResults(t *testing.T) {
	doc := string(newReport(madeUp(t).group("extra")).markdown())
	require.Contains(t, doc, "| Machine | not recorded |")
	require.Equal(t, 1, strings.Count(doc, "| Machine |"))
	require.NotContains(t, doc, "allocations")
	require.NotContains(t, doc, "In brackets")
}
