package main

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// seriesOf are all charts that the made-up results are to have, with how many
// sides each shows.
var seriesOf = map[string]int{
	"nops": 6, "randread": 5, "copies": 2, "echo": 4, "latency-20000": 3, "web": 4, "models": 6, "models-cpu": 6,
}

// madeUp returns results that were made up for the tests.
func madeUp(t *testing.T) results {
	r, err := readResults("testdata/made-up.json")
	require.NoError(t, err)
	return r
}

// element is a part of a page.
type element struct {
	XMLName  xml.Name
	Attrs    []xml.Attr `xml:",any,attr"`
	Children []element  `xml:",any"`
	Text     string     `xml:",chardata"`
}

func (e element) attr(name string) string {
	for _, a := range e.Attrs {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

// all returns the elements of a name, however deep.
func (e element) all(name string) (found []element) {
	if e.XMLName.Local == name {
		found = append(found, e)
	}
	for _, child := range e.Children {
		found = append(found, child.all(name)...)
	}
	return found
}

// parse reads the page strictly: each element is closed, each attribute quoted.
func parse(t *testing.T, html []byte) element {
	decoder := xml.NewDecoder(strings.NewReader(string(html)))
	var root element
	require.NoError(t, decoder.Decode(&root))
	_, err := decoder.Token()
	for err == nil {
		_, err = decoder.Token()
	}
	require.ErrorIs(t, err, io.EOF)
	require.Equal(t, "html", root.XMLName.Local)
	return root
}

// pictures returns the page's charts, by their IDs.
func pictures(t *testing.T, html []byte) map[string]element {
	byID := make(map[string]element)
	for _, s := range parse(t, html).all("figure") {
		require.NotContains(t, byID, s.attr("id"))
		byID[s.attr("id")] = s
	}
	return byID
}

func TestPageHasEveryChart(t *testing.T) {
	html, err := newReport(madeUp(t)).html()
	require.NoError(t, err)
	byID := pictures(t, html)
	require.Len(t, byID, len(seriesOf))
	for id, series := range seriesOf {
		picture := byID[id]
		require.Len(t, picture.all("svg"), 1, id)
		require.Len(t, picture.all("li"), series, id)
		require.Greater(t, len(picture.all("path")), series, id)
		for _, key := range picture.all("span") {
			colour := strings.TrimPrefix(key.attr("style"), "color:")
			require.Contains(t, drawn(picture), colour, "%s: a series in the legend and not in the drawing", id)
		}
	}
}

// drawn returns the styles of all that is drawn.
func drawn(picture element) string {
	var styles strings.Builder
	for _, p := range picture.all("path") {
		styles.WriteString(p.attr("style") + "\n")
	}
	return styles.String()
}

func TestPageIsSelfContained(t *testing.T) {
	html, err := newReport(madeUp(t)).html()
	require.NoError(t, err)
	for _, outside := range []string{"http:", "https:", "//", "url(", "@import", "<script", "<link", "<img", "src="} {
		require.NotContains(t, strings.ToLower(string(html)), outside)
	}
}

// TestPageHasColoursOfItsSchemeOnly looks for colours that were fixed while the
// charts were drawn.
func TestPageHasColoursOfItsSchemeOnly(t *testing.T) {
	html, err := newReport(madeUp(t)).html()
	require.NoError(t, err)
	root := parse(t, html)
	require.Contains(t, root.all("style")[0].Text, "prefers-color-scheme:dark")
	for _, svg := range root.all("svg") {
		for _, name := range []string{"path", "text"} {
			for _, e := range svg.all(name) {
				require.Regexp(t, `(fill|stroke):var\(--[a-z0-9]+\)`, e.attr("style"))
				require.NotContains(t, e.attr("style"), "#")
				require.NotContains(t, e.attr("style"), "font-family")
			}
		}
	}
}

func TestWithoutResults(t *testing.T) {
	rep := newReport(nil)
	html, err := rep.html()
	require.NoError(t, err)
	require.Empty(t, pictures(t, html))
	missing := 0
	for _, p := range parse(t, html).all("p") {
		if p.Text == notMeasured {
			missing++
		}
	}
	// The machine, the pairs and the losses too.
	require.Equal(t, len(groups)+3, missing)
	doc := string(rep.markdown())
	// What one more costs has a document of its own.
	require.Equal(t, len(groups)+2, strings.Count(doc, "\n\n"+notMeasured+"\n"), doc)
}

// TestWithOneGroup leaves each group alone in the results.
func TestWithOneGroup(t *testing.T) {
	all := madeUp(t)
	for _, g := range all.parts(0) {
		rep := newReport(all.group(g))
		html, err := rep.html()
		require.NoError(t, err, g)
		for id := range pictures(t, html) {
			require.Contains(t, seriesOf, id)
		}
		require.Contains(t, string(rep.markdown()), notMeasured, g)
	}
}

// TestWithOneEntry leaves each entry alone: an axis has only one number then.
func TestWithOneEntry(t *testing.T) {
	for _, e := range madeUp(t) {
		html, err := newReport(results{e}).html()
		require.NoError(t, err, e.Name)
		require.NotContains(t, string(html), "NaN", e.Name)
		parse(t, html)
	}
}

// TestFiguresOfNothing has a server that answered nothing, which a logarithmic
// axis has no place for.
func TestFiguresOfNothing(t *testing.T) {
	zero := 0.0
	html, err := newReport(results{{Name: "models/forking/10", Unit: "1/s", C: 100, CPU: &zero, CCPU: &zero}}).html()
	require.NoError(t, err)
	byID := pictures(t, html)
	require.Len(t, byID["models"].all("li"), 1)
	require.Empty(t, byID["models-cpu"].all("svg"))
}

func TestDocument(t *testing.T) {
	doc := string(newReport(madeUp(t)).markdown())
	for _, row := range []string{
		// Against C.
		"| nop/ring/1 | slower | 400 | 200 | 0.50 | 2 % | ns |",
		"| nop/ring/128 | even | 50 | 50 | 1.00 | 2 % | ns |",
		"| randread/loop/64 | faster | 100,000 | 90,000 | 1.11 | 2 % | 1/s |",
		"| models/iouring/10 | faster | 22,000 | 20,000 | 1.10 | 2 % | 1/s |",
		// The groups.
		"| what | ours | C | ratio | giouring | ratio | go-uring | ratio | unit | allocations |",
		"| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
		"| nop/ring/1 | 400 ± 1 % | 200 ± 1 % | 0.50 | 400 | 1.00 | 300 | 0.75 | ns | 0 |",
		"| nop/loop/1 | 410 ± 1 % | 200 ± 1 % | 0.49 | – | – | – | – | ns | < 0.001 |",
		"| nop/ring/8 | 120 ± 1 % | 110 ± 1 % | 0.92 | 220 | 1.83 | 165 | 1.38 | ns | 1.50 |",
		"| nop/loop/8 | 130 ± 1 % | 110 ± 1 % | 0.85 | – | – | – | – | ns | – |",
		"In brackets: µs of processor time per timeout.",
		"| timer/loop | 300 ± 1 % (0.30) | 330 ± 1 % (0.33) | 1.10 | ns |",
		"| latency/20000/p99 | 300 ± 1 % | 310 ± 1 % | 1.03 | 400 | 1.33 | µs |",
		"| echo/loop/64 | 200,064 ± 1 % (3) | 200,000 ± 1 % (3) | 1.00 | 160,000 (4.50) | 1.27 | 150,000 | 1.41 | 1/s |",
		"| echo/loop/500 | 200,500 ± 1 % (3) | 200,000 ± 1 % (3) | 1.00 | 160,000 | 1.25 | 150,000 | 1.34 | 1/s |",
		"| requests/s with clients | 1 | 10 | 100 | 1,000 | 10,000 |",
		"| iterative | 10,000 (40) | 10,000 (40) | 10,000 (40) | 10,000 (40) | 10,000 (40), 7 failed |",
		"| a process each | 200 (2,000) | 200 (2,000) | 200 (2,000) | 200 (2,000) | – |",
		"| epoll in C | 20,000 (20) | 20,000 (20) | 20,000 (20) | 20,000 (20) | 20,000 (20) |",
		"| extra/thing | 100 ± 1 % | 90 ± 1 % | 0.90 | ns |",
		// Where something else is faster.
		"| nop/ring/1 | C | 0.50 | With one request per system call",
		"| nop/ring/1 | go-uring | 0.75 | A library written in Go alone",
		"| randread/loop/1 | C, fio io_uring, fio libaio | 0.83, 0.83, 0.91 | With one request at a time",
		"| randread/loop/64 | fio libaio | 0.80 | fio hands each read",
		"| randread/loop/1 | os.File | 0.90 | With one read at a time",
		"| extra/thing | C | 0.90 | Not explained yet. |",
	} {
		require.Contains(t, doc, "\n"+row)
	}
	require.NotContains(t, doc, "| models/forking/1 | slower", "a model is no pair")
	requireEvenTables(t, doc)
}

// requireEvenTables sees to it that all rows of a table have as many cells.
func requireEvenTables(t *testing.T, doc string) {
	cells := 0
	for line := range strings.Lines(doc) {
		n := strings.Count(strings.ReplaceAll(line, `\|`, ""), "|")
		if cells > 0 && n > 0 {
			require.Equal(t, cells, n, line)
		}
		cells = n
	}
}

func TestLossesAreExplained(t *testing.T) {
	cpu := 20.0
	for _, test := range []struct {
		entry
		rival, why string
	}{
		{entry{Name: "nop/loop/1"}, "C", "With one request per"},
		{entry{Name: "nop/loop/128"}, "C", "table"},
		{entry{Name: "timer/loop"}, "C", "table"},
		{entry{Name: "randread/loop/1", Ratio: 0.5}, "fio libaio", oneAtATime},
		{entry{Name: "randread/loop/64", C: 1, Ratio: 0.5}, "fio libaio", "a system call of its own"},
		{entry{Name: "models/iouring/1"}, "C", oneAtATime},
		{entry{Name: "models/iouring/10", Unit: "1/s", Ours: 30_000, CPU: &cpu}, "goroutines", "only 60 % of the time"},
		{entry{Name: "models/iouring/10", Unit: "1/s", Ours: 48_000, CPU: &cpu}, "goroutines", notExplained},
		{entry{Name: "unheard/of/64"}, "C", notExplained},
		{entry{Name: "echo/ringio/64"}, "Loop", "has to be woken"},
	} {
		require.Contains(t, test.reason(test.rival), test.why, test.Name)
		require.NotContains(t, test.reason(test.rival), evenWithC, test.Name)
	}
	require.Contains(t, entry{Name: "echo/loop/64", C: 1, Ratio: 1}.reason("gnet"), evenWithC)
	require.NotContains(t, entry{Name: "web/loop/64", C: 1, Ratio: 1}.reason("epoll"), evenWithC, "epoll in C is another design")
}

// TestOurModelLosesToOthers compares it with the models, which are no peers of
// the entry.
func TestOurModelLosesToOthers(t *testing.T) {
	var lost []string
	for _, l := range (results{
		{Name: "models/iouring/10", Unit: "1/s", Ours: 90, C: 100, Ratio: 0.9},
		{Name: "models/goroutines/10", Unit: "1/s", Ours: 120, C: 100, Ratio: 1.2},
		{Name: "models/goroutines/100", Unit: "1/s", Ours: 300, C: 100, Ratio: 3},
		{Name: "models/threads/10", Unit: "1/s", Ours: 80, C: 100, Ratio: 0.8},
	}).losses() {
		lost = append(lost, l.Name+" "+l.rival.name+" "+ratio(l.ratio))
	}
	require.Equal(t, []string{"models/iouring/10 C 0.90", "models/iouring/10 goroutines 0.75"}, lost)
}

// TestWrite writes both files of a project with results.
func TestWrite(t *testing.T) {
	root := t.TempDir()
	at := func(name string) string { return filepath.Join(root, name) }
	err := write("testdata/made-up.json", at("a/report.html"), at("b/benchmarks.md"))
	require.NoError(t, err)
	page, err := os.ReadFile(at("a/report.html"))
	require.NoError(t, err)
	pictures(t, page)
	doc, err := os.ReadFile(at("b/benchmarks.md"))
	require.NoError(t, err)
	require.Contains(t, string(doc), "| Kernel | Linux 1.2.3 |")

	require.ErrorContains(t, write(at("none.json"), at("c"), at("d")), "make bench")
	require.NoError(t, os.WriteFile(at("wrong.json"), []byte("{}"), 0o600))
	var wrong *json.UnmarshalTypeError
	require.True(t, errors.As(write(at("wrong.json"), at("c"), at("d")), &wrong))
	require.NoFileExists(t, at("c"))
}
