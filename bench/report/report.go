package main

import (
	"fmt"
	"time"
)

// report is what both the page and the document tell.
type report struct {
	Facts    []fact
	Headline table
	Sections []section
	Losses   []loss
	Charts   []chart
}

// section is a group with its table, which has no rows if it was not measured.
type section struct {
	group
	Table table
}

func newReport(r results, machine []fact) report {
	rep := report{
		Facts:    append(machine, fact{"Measured", when(r.dates())}),
		Headline: r.headline(),
		Losses:   r.losses(),
		Charts:   r.charts(),
	}
	for _, g := range r.sections() {
		rep.Sections = append(rep.Sections, section{g, g.table(r)})
	}
	return rep
}

func when(first, last time.Time) string {
	if first.IsZero() {
		return notMeasured
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
		"A ratio above 1 means that the library is faster; faster and slower are said only of what differs by more than the rounds do. " +
		"Another load on the machine, or another machine, has other figures: the ratios carry over better than the times."

	noLosses = "In none of the measured pairs is C or a peer faster by more than the rounds differ."
)
