package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/go-liburing/liburing/bench/internal/scaling"
)

// scaleGroup is the group of entries whose names end with how many there are.
const scaleGroup = "scale"

// scaleThemes are the sections of the document, in their order.
var scaleThemes = themes()

func themes() (all []scaling.Theme) {
	for _, m := range scaling.Measures {
		if !slices.Contains(all, m.Theme) {
			all = append(all, m.Theme)
		}
	}
	return all
}

// inTheme returns a theme's measures.
func inTheme(t scaling.Theme) (some []scaling.Measure) {
	for _, m := range scaling.Measures {
		if m.Theme == t {
			some = append(some, m)
		}
	}
	return some
}

// scalingDoc returns docs/scaling.md.
func (r results) scalingDoc() []byte {
	var d strings.Builder
	d.WriteString("# What one more costs\n\n" +
		"`make report` writes this from the results of `make bench BENCH=scale`; `bench/results/report.html` has the charts.\n" +
		"Figures are medians of the rounds, for one timer, request or post where there are as many as the column says.\n\n" +
		"## The machine\n\n")
	scale := r.group(scaleGroup)
	newReport(scale).writeSettings(&d)
	d.WriteString("\n" + aboutCells + "\n")
	for _, theme := range scaleThemes {
		scale.writeTheme(&d, theme)
	}
	r.writeConnections(&d)
	d.WriteString("\n" + scalingNotes)
	return []byte(d.String())
}

const aboutCells = "An empty cell is of a number that is none of the row's steps; where rows end before 1,000,000, the lines below their table\n" +
	"say why. – stands for what could not be told: the process was not allowed as many, or it was less than the pages that tell it."

// writeTheme writes a section.
func (r results) writeTheme(d *strings.Builder, theme scaling.Theme) {
	unit := map[string]string{"ns": "ns for one", "B": "bytes for one"}[inTheme(theme)[0].Unit]
	fmt.Fprintf(d, "\n## %s\n\n", theme)
	if about := aboutThemes[theme]; about != "" {
		fmt.Fprintf(d, "%s\n\n", about)
	}
	writeTable(d, r.scaleTable(theme, unit))
	if ends := endsOf(inTheme(theme)); len(ends) > 0 {
		fmt.Fprintf(d, "\n%s\n", strings.Join(ends, "\n"))
	}
}

var aboutThemes = map[scaling.Theme]string{
	scaling.Heap:    "What is in use of Go's heap after a collection. With fewer than here, what else the program has there would show.",
	scaling.Process: "The process's resident memory, which has Go's heap and the rings in it, but nothing else of the kernel's. It is told in pages, too coarse for fewer.",
	scaling.Kernel:  "What the kernel allocates for a request in flight: the growth of `SUnreclaim` in `/proc/meminfo`. With fewer, what other programs take of it meanwhile would show.",
}

// scaleTable has a row for each measure of a theme, and a column for each size.
func (r results) scaleTable(theme scaling.Theme, what string) table {
	measures := inTheme(theme)
	sizes := sizesOf(measures)
	t := table{Header: []string{what, "that is"}, numbers: 2}
	for _, n := range sizes {
		t.Header = append(t.Header, quantity(float64(n)))
	}
	for _, m := range measures {
		row := []string{m.Name, m.About}
		for _, n := range sizes {
			row = append(row, r.scaleCell(m, n))
		}
		if slices.ContainsFunc(row[2:], func(cell string) bool { return cell != "" && cell != absent }) {
			t.Rows = append(t.Rows, row)
		}
	}
	return t
}

func sizesOf(measures []scaling.Measure) (sizes []int) {
	for _, m := range measures {
		sizes = append(sizes, m.Sizes...)
	}
	slices.Sort(sizes)
	return slices.Compact(sizes)
}

// scaleCell is what a measure was with n: nothing if that is none of its sizes.
func (r results) scaleCell(m scaling.Measure, n int) string {
	if !slices.Contains(m.Sizes, n) {
		return ""
	}
	if v := r.scaleFigure(m.Name, n); v > 0 {
		return quantity(v)
	}
	return absent
}

// scaleFigure is a measure's with n, 0 if it was not taken.
func (r results) scaleFigure(name string, n int) float64 {
	name = fmt.Sprintf("%s/%s/%d", scaleGroup, name, n)
	for _, e := range r {
		if e.Name == name {
			return e.Ours
		}
	}
	return 0
}

// endsOf says of measures that end early why they do, in a list.
func endsOf(measures []scaling.Measure) (lines []string) {
	var whys []string
	rows := make(map[string][]string)
	for _, m := range measures {
		if m.Ends == "" {
			continue
		}
		if rows[m.Ends] == nil {
			whys = append(whys, m.Ends)
		}
		rows[m.Ends] = append(rows[m.Ends], m.Name)
	}
	for _, why := range whys {
		lines = append(lines, fmt.Sprintf("- %s: %s.", strings.Join(rows[why], ", "), why))
	}
	return lines
}

// writeConnections writes what idle connections take, which the group memory measures.
func (r results) writeConnections(d *strings.Builder) {
	t := r.connectionsTable()
	if len(t.Rows) == 0 {
		return
	}
	d.WriteString("\n## Idle connections\n\nWhat a connection that waits takes of an echo server's memory, as `make bench BENCH=memory` measures it;\n" +
		"[docs/benchmarks.md](benchmarks.md#memory-of-connections) has all servers. The heap has goroutines' stacks in it.\n\n")
	writeTable(d, t)
}

// connectionColumns are the figures of the group memory.
var connectionColumns = []struct{ name, header string }{
	{"memory/connection/1000", "1,000, resident"},
	{"memory/connection", "4,000, resident"},
	{"memory/connection/10000", "10,000, resident"},
	{"memory/heap", "10,000, Go's heap"},
}

// connectionsTable has a row for the loop, for ringio, and for what they are compared with.
func (r results) connectionsTable() table {
	t := table{Header: []string{"bytes for one connection of"}, numbers: 1}
	servers := []struct{ name, called string }{
		{"", "`Loop`"}, {"ringio", "`ringio`"}, {"ringio, no buffer", "`ringio`, no buffer while it waits"},
		{"net", "`net`"}, {"net, no buffer", "`net`, no buffer while it waits"}, {"gnet", "gnet"},
	}
	for _, c := range connectionColumns {
		t.Header = append(t.Header, c.header)
	}
	for _, s := range servers {
		row := []string{s.called}
		for _, c := range connectionColumns {
			row = append(row, r.cell(func(e entry) bool { return e.Name == c.name && e.of(s.name) > 0 }, func(e entry) string { return quantity(e.of(s.name)) }))
		}
		if slices.ContainsFunc(row[1:], func(cell string) bool { return cell != absent }) {
			t.Rows = append(t.Rows, row)
		}
	}
	return t
}

// of returns the figure of a peer, or ours if there is no name.
func (e entry) of(peer string) float64 {
	if peer == "" {
		return e.Ours
	}
	return e.Peers[peer]
}

// growth are the charts of what was measured with growing numbers of it, one for each
// theme of times.
func (r results) growth() (all []chart) {
	scale := r.group(scaleGroup)
	for i, theme := range scaleThemes {
		measures := inTheme(theme)
		if measures[0].Unit != "ns" {
			continue
		}
		c := chart{id: fmt.Sprint(scaleGroup, i+1), title: string(theme), x: "how many there are", y: "ns for one", logY: true, tall: true}
		for _, m := range measures {
			c.series = append(c.series, scale.line(m))
		}
		slices.SortStableFunc(c.series, func(a, b series) int { return cmp.Compare(b.last(), a.last()) })
		all = append(all, c)
	}
	return all
}

func (r results) line(m scaling.Measure) series {
	s := series{name: m.Name}
	for _, n := range m.Sizes {
		s.points = append(s.points, point{x: float64(n), y: r.scaleFigure(m.Name, n)})
	}
	return s
}

// last is the figure of the largest number: legends go by it.
func (s series) last() float64 { return s.points[len(s.points)-1].y }

const scalingNotes = `## What grows in the kernel, and what to do instead

- **Timeouts of the kernel** (` + "`Timeout`" + `): to cancel one, the kernel walks the list of all, the oldest first. Use ` +
	"`After`, `Every`, `Timer.Reset` and `Request.WithTimeout`" + `, which the loop keeps itself: what they cost does not depend on
  how many are pending, and none of them is a request. A ` + "`Deadline`" + ` is one more request for the kernel, but not in that list.
- **` + "`Cancel`" + ` by token**: the kernel keeps what waits for its file in a table of lists, 16 of them with a
  completion queue of 512 entries, 256 from 8,192 on (` + "`WithCQEntries`" + `), the newest first. Cancelling a recent
  request is cheap; an older one costs more, the more requests came after it. Prefer to cancel by ending the descriptor: ` + "`Shutdown`" + `
  of a socket ends what waits for it without a search.
- **` + "`CancelFD`, `CancelOp` and `AsyncCancelAny`" + `** walk the whole table, and with ` + "`AsyncCancelAll`" + ` once for each
  request that they find: n² steps for n requests. Contexts that end together (` + "`WithContext`" + `), limits that pass
  together (` + "`WithTimeout`" + `) and ` + "`Close`" + ` cancel in the order of the kernel's lists instead, in n steps.
- **Limits that pass one after the other**, as those of connections that came so, have the oldest request cancelled each time:
  see ` + "`Cancel`" + `.
- **Contexts**: the loop watches each once, however many requests have it. A separate context for each request costs a
  registration, and a goroutine when it ends: for a time limit use ` + "`WithTimeout`" + `.
- **Futexes and waits for processes** are in one list each, the newest first; what holds for ` + "`Cancel`" + ` holds for them too.
- **Descriptors**: in a process with threads, as every one of Go's is, the 257th takes some 15 ms, and so does the 513th
  and each that doubles the table ([finding](../findings/a-growing-descriptor-table-stalls-threads.sh)); a loop that accepts stands still meanwhile.
  Accept into registered files, whose table does not grow, or have the other grow at the start: ` + "`unix.FcntlInt(fd, unix.F_DUPFD, 1<<16)`" + `,
  and close what that returns.
- **Links**: a chain goes to the kernel as a whole, so one of n requests needs a queue of n.
- **Memory**: a timer is one object on Go's heap, allocated by ` + "`After`" + `, and nothing in the kernel; a request in flight has a
  place of 32 bytes in the loop's table, which grows to the most there ever were at once, and what the kernel allocates for it, which is more.
`
