package main

import (
	"fmt"
	"time"
)

// report is what both the page and the document tell.
type report struct {
	Settings []table // one, if all was measured in the same
	Headline table
	Sections []section
	Losses   []loss
}

// section is a group with its charts and its table, which has no rows if it was
// not measured.
type section struct {
	group
	Standing string // in a sentence
	Brackets string // what figures in brackets are
	Charts   []chart
	Table    table
}

func newReport(r results) report {
	rep := report{Headline: r.headline(), Losses: r.losses()}
	for _, facts := range r.settings() {
		rep.Settings = append(rep.Settings, factsTable(facts))
	}
	for _, g := range r.sections() {
		rep.Sections = append(rep.Sections, g.section(r))
	}
	return rep
}

func (g group) section(r results) section {
	s := section{group: g, Standing: g.standing(r), Brackets: g.aboutBrackets(r), Table: g.table(r)}
	if g.charts != nil && len(s.Table.Rows) > 0 {
		s.Charts = g.charts(r)
	}
	return s
}

func factsTable(facts []fact) table {
	t := table{Header: []string{"what", "here"}, numbers: 2}
	for _, f := range facts {
		t.Rows = append(t.Rows, []string{f.What, f.Value})
	}
	return t
}

func when(first, last time.Time) string {
	if first.IsZero() {
		return notRecorded
	}
	from, to := first.Format(time.DateOnly), last.Format(time.DateOnly)
	if from == to {
		return from
	}
	return fmt.Sprintf("%s to %s", from, to)
}

// What both say about their figures.
const (
	aboutFigures = "Figures are medians of the rounds; ± is how far the middle half of the rounds lies from them. " +
		"A ratio above 1 means that the library is faster; something is called faster or slower only if it differs by more than the rounds do. " +
		"Under other load, or on another machine, the figures differ: the ratios carry over better than the times."

	severalSettings = "Not everything was measured in the same setting: between results in different tables, compare ratios, not times."

	noLosses = "In none of the measured pairs is C or a peer faster by more than the rounds differ."
)
