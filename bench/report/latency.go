package main

import "fmt"

// percentiles are how the names of the latency's entries end, and what people
// call it.
var percentiles = []struct{ part, called string }{{"p50", "p50"}, {"p99", "p99"}, {"p999", "p99.9"}}

// percentile returns what people call a part of a name, "" if it is none.
func percentile(part string) string {
	for _, p := range percentiles {
		if p.part == part {
			return p.called
		}
	}
	return ""
}

// lastBucket is the end of the last bucket of histograms, in µs.
const lastBucket = 100_000

// leastShare is how many requests, in percent, a bucket must have to be drawn:
// less is one or two that something else on the machine has held up.
const leastShare = 0.01

// latency has a chart for each rate.
func (r results) latency() []chart {
	all := r.group("latency")
	var charts []chart
	for _, rate := range all.parts(1) {
		charts = append(charts, all.with(func(e entry) bool { return e.part(1) == rate }).latencyAt(rate))
	}
	return charts
}

// latencyAt has each side's histogram, with its percentiles as marks and in a
// table below.
func (r results) latencyAt(rate string) chart {
	c := chart{
		id: "latency-" + rate, title: "At " + inWords(rate) + " requests per second",
		kind: steps, logY: true, least: leastShare,
		x: "µs that a request takes, 20 steps to each power of ten", y: "% of the requests in a step",
		below: table{Header: []string{"µs within which requests are done"}, numbers: 1},
	}
	for _, p := range percentiles {
		c.below.Header = append(c.below.Header, p.called)
	}
	for _, s := range r.latencySides() {
		row := []string{s.name}
		var marks []float64
		for _, p := range percentiles {
			figure := s.figure(r.with(func(e entry) bool { return e.part(-1) == p.part }))
			row = append(row, figureOrAbsent(figure))
			if figure > 0 {
				marks = append(marks, figure)
			}
		}
		c.series = append(c.series, series{s.name, r.histogram(s.program), marks})
		c.below.Rows = append(c.below.Rows, row)
	}
	c.notes = c.aboutHistogram()
	return c
}

// aboutHistogram tells how to read it, if there is any.
func (c chart) aboutHistogram() []string {
	c = c.drawable()
	if len(c.series) == 0 {
		return nil
	}
	notes := []string{fmt.Sprintf("The signs are at p50, p99 and p99.9. Steps with less than %g %% of the requests are left out.", c.least)}
	if c.reaches(lastBucket) {
		notes = append(notes, "The last step has all longer times too.")
	}
	return notes
}

func figureOrAbsent(v float64) string {
	if v == 0 {
		return absent
	}
	return quantity(v)
}

// latencySide is one of those whose latency was measured.
type latencySide struct {
	name    string
	program string              // in the histograms
	of      func(entry) float64 // its figure of an entry
}

func (r results) latencySides() []latencySide {
	sides := []latencySide{
		{seriesLoop, "Go", func(e entry) float64 { return e.Ours }},
		{seriesC, "C", func(e entry) float64 { return e.C }},
	}
	for _, peer := range r.peers() {
		sides = append(sides, latencySide{peer, peer, func(e entry) float64 { return e.Peers[peer] }})
	}
	return sides
}

// figure returns the side's first figure, 0 if there is none.
func (s latencySide) figure(entries results) float64 {
	for _, e := range entries {
		return s.of(e)
	}
	return 0
}

// histogram returns a program's, in percent, from the entry that has it.
func (r results) histogram(program string) []point {
	var points []point
	for _, e := range r {
		for _, b := range e.Histograms[program] {
			points = append(points, point{x: b.Upper, y: 100 * b.Share})
		}
	}
	return points
}

// reaches reports whether any series has a point that far to the right.
func (c chart) reaches(x float64) bool {
	for p := range c.points {
		if p.x >= x*0.999 {
			return true
		}
	}
	return false
}
