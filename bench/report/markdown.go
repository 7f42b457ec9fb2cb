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
	r.writeSettings(&d)
	d.WriteString("\n## Against C\n\n")
	writeTable(&d, r.Headline)
	for _, s := range r.Sections {
		if s.name == scaleGroup { // it has a document of its own
			continue
		}
		fmt.Fprintf(&d, "\n## %s\n\n", s.Title)
		for _, text := range []string{s.About, s.Standing, s.Brackets} {
			if text != "" {
				fmt.Fprintf(&d, "%s\n\n", text)
			}
		}
		writeTable(&d, s.Table)
	}
	d.WriteString("\n## Where something else is faster\n\n")
	r.writeLosses(&d)
	return []byte(d.String())
}

func (r report) writeSettings(d *strings.Builder) {
	if len(r.Settings) == 0 {
		d.WriteString(notMeasured + "\n")
		return
	}
	if len(r.Settings) > 1 {
		d.WriteString(severalSettings + "\n\n")
	}
	for i, t := range r.Settings {
		if i > 0 {
			d.WriteString("\n")
		}
		writeTable(d, t)
	}
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

// lossesTable has a row for all rivals that an entry loses to for one reason.
func lossesTable(losses []loss) table {
	t := table{Header: []string{"what", "faster", "ratio", "why"}, numbers: 4}
	for i, l := range losses {
		if i > 0 && losses[i-1].Name == l.Name && losses[i-1].why == l.why {
			row := t.Rows[len(t.Rows)-1]
			row[1] += ", " + l.rival.name
			row[2] += ", " + ratio(l.ratio)
			continue
		}
		t.Rows = append(t.Rows, []string{l.Name, l.rival.name, ratio(l.ratio), l.why})
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
