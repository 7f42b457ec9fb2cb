package main

import (
	"fmt"
	"strings"
)

// markdown returns the document.
func (r report) markdown() []byte {
	var d strings.Builder
	d.WriteString("# Benchmarks\n\n")
	d.WriteString("`make report` writes this from the results of `make bench`, beside a page with charts,\n")
	d.WriteString("`bench/results/report.html`. [bench/README.md](../bench/README.md) tells how it is measured.\n\n")
	fmt.Fprintf(&d, "%s\n\n## The machine\n\n", aboutFigures)
	writeTable(&d, factsTable(r.Facts))
	d.WriteString("\n## Against C\n\n")
	writeTable(&d, r.Headline)
	for _, s := range r.Sections {
		fmt.Fprintf(&d, "\n## %s\n\n", s.Title)
		if s.About != "" {
			fmt.Fprintf(&d, "%s\n\n", s.About)
		}
		writeTable(&d, s.Table)
	}
	d.WriteString("\n## Where something else is faster\n\n")
	r.writeLosses(&d)
	return []byte(d.String())
}

func factsTable(facts []fact) table {
	t := table{Header: []string{"what", "here"}, numbers: 2}
	for _, f := range facts {
		t.Rows = append(t.Rows, []string{f.What, f.Value})
	}
	return t
}

func (r report) writeLosses(d *strings.Builder) {
	if len(r.Headline.Rows) == 0 {
		d.WriteString(notMeasured + "\n")
		return
	}
	if len(r.Losses) == 0 {
		d.WriteString(noLosses + "\n")
		return
	}
	writeTable(d, lossesTable(r.Losses))
}

func lossesTable(losses []loss) table {
	t := table{Header: []string{"what", "faster", "ratio", "why"}, numbers: 4}
	for _, l := range losses {
		t.Rows = append(t.Rows, []string{l.Name, l.rival, ratio(l.ratio), l.why})
	}
	return t
}

// writeTable writes a table, or that nothing was measured.
func writeTable(d *strings.Builder, t table) {
	if len(t.Rows) == 0 {
		d.WriteString(notMeasured + "\n")
		return
	}
	writeRow(d, t.Header)
	rule := make([]string, len(t.Header))
	for i := range rule {
		rule[i] = "---"
		if t.Number(i) {
			rule[i] = "---:"
		}
	}
	writeRow(d, rule)
	for _, row := range t.Rows {
		writeRow(d, row)
	}
}

func writeRow(d *strings.Builder, cells []string) {
	for _, cell := range cells {
		d.WriteString("| " + strings.ReplaceAll(cell, "|", `\|`) + " ")
	}
	d.WriteString("|\n")
}
