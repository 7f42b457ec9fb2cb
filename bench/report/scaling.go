package main

import (
	"fmt"
	"slices"
	"strings"
)

// scaleGroup is the group of entries whose names end with how many there are.
const scaleGroup = "scale"

// scaleSizes are the columns of the table.
var scaleSizes = []float64{10, 1000, 10_000, 100_000, 1_000_000}

// scalingDoc returns docs/scaling.md.
func (r results) scalingDoc() []byte {
	var d strings.Builder
	d.WriteString("# What one more costs\n\n" +
		"`make report` writes this from the results of `make bench BENCH=scale`; `bench/results/report.html` has the chart.\n" +
		"Each figure is for one timer, request or post. An empty cell was not measured.\n\n")
	scale := r.group(scaleGroup)
	writeTable(&d, scale.scaleTable(func(e entry) bool { return e.Unit == "ns" }, "ns for one"))
	d.WriteString("\n## Memory\n\n")
	writeTable(&d, scale.scaleTable(func(e entry) bool { return e.Unit != "ns" }, "bytes for one"))
	d.WriteString("\n" + scalingNotes)
	return []byte(d.String())
}

// scaleTable has a row for each measure, a column for each size, and what is of other
// sizes in the last one.
func (r results) scaleTable(holds func(entry) bool, what string) table {
	t := table{Header: []string{what}, numbers: 1}
	for _, n := range scaleSizes {
		t.Header = append(t.Header, quantity(n))
	}
	t.Header = append(t.Header, "others")
	for _, name := range r.with(holds).parts(1) {
		row := make([]string, len(t.Header))
		row[0] = name
		var others []string
		for _, e := range r.with(func(e entry) bool { return e.part(1) == name }) {
			n, _ := e.number()
			if i := slices.Index(scaleSizes, n); i >= 0 {
				row[i+1] = quantity(e.Ours)
			} else {
				others = append(others, fmt.Sprintf("%s: %s", quantity(n), quantity(e.Ours)))
			}
		}
		row[len(row)-1] = strings.Join(others, ", ")
		t.Rows = append(t.Rows, row)
	}
	return t
}

// growth is the chart of what was measured with growing numbers of it.
func (r results) growth() []chart {
	c := chart{id: "scale", title: "What one more costs", x: "how many there are", y: "ns for one", logY: true, tall: true}
	for _, name := range []string{"timer-reset", "timer-arm", "timeout-cancel", "read-cancel", "read-cancel-oldest", "context", "close-reads", "backlog"} {
		s := series{name: name}
		for _, e := range r.group(scaleGroup) {
			if n, ok := e.number(); ok && e.part(1) == name {
				s.points = append(s.points, point{x: n, y: e.Ours})
			}
		}
		if len(s.points) > 0 {
			c.series = append(c.series, s)
		}
	}
	return []chart{c}
}

const scalingNotes = `## What grows in the kernel, and what to do instead

- **Timeouts of the kernel** (` + "`Timeout`, `Deadline`" + `): to cancel one, the kernel walks the list of all. Use ` +
	"`After`, `Every`, `Timer.Reset` and `Request.WithTimeout`" + `, which the loop keeps itself: they cost the same
  with a million pending, and none of them is a request.
- **` + "`Cancel`" + ` by token**: the kernel keeps what waits for its file in a table of lists, 16 of them with a
  completion queue of 512 entries, 256 from 8,192 on (` + "`WithCQEntries`" + `), the newest first. Cancelling a recent
  request is cheap; an older one costs more, the more requests came after it. Prefer to cancel by ending the descriptor: ` + "`Shutdown`" + `
  of a socket ends what waits for it without a search.
- **` + "`CancelFD`, `CancelOp` and `AsyncCancelAny`" + `** walk the whole table, and with ` + "`AsyncCancelAll`" + ` once for each
  request that they find: n² steps for n requests. A context that they all share (` + "`WithContext`" + `) and ` + "`Close`" + ` cancel in the
  order of the kernel's lists instead, in n steps.
- **Contexts**: the loop watches each once, however many requests have it. A separate context for each request costs a
  registration, a goroutine when it ends, and a post: for a time limit use ` + "`WithTimeout`" + `.
- **Futexes and waits for processes** are in one list each, the newest first; what holds for ` + "`Cancel`" + ` holds for them too.
- **Descriptors**: in a process with threads, as every one of Go's is, the 257th takes some 15 ms, and so does the 513th
  and each that doubles the table ([finding](../findings/a-growing-descriptor-table-stalls-threads.sh)); a loop that accepts stands still meanwhile.
  Accept into registered files, whose table does not grow, or have the other grow at the start: ` + "`unix.FcntlInt(fd, unix.F_DUPFD, 1<<16)`" + `,
  and close what that returns.
- **Links**: a chain goes to the kernel as a whole, so one of n requests needs a queue of n.
- **Memory**: a timer takes 64 bytes, allocated by ` + "`After`" + `, and nothing else; a request in flight has a place of 32
  bytes in the loop's table, which grows to the most there ever were at once, and some 300 bytes in the kernel.
`
