package main

import (
	"context"
	"fmt"
	"time"
)

// contest is the same work done by several programs.
type contest struct {
	title    string
	programs []program
	figures  []figure
}

// program is one of a contest's sides.
type program struct {
	name  string
	takes time.Duration // what a run is expected to take
	run   func(context.Context) (reading, error)
}

// reading is what a program measured in one run, by the names it uses.
type reading map[string]float64

// figure is a number of the results: what two programs read of one thing.
type figure struct {
	name, unit string
	reading    string // the reading's name
	ours, c    string // the programs' names
	moreIsGood bool   // as for requests per second
}

// hold runs the programs in turns, so that what else the machine does meets all
// of them alike, and returns their readings by program.
func (c *contest) hold(ctx context.Context, rounds int, p *progress) (map[string][]reading, error) {
	readings := make(map[string][]reading)
	for round := range rounds {
		for _, prog := range c.programs {
			p.show(fmt.Sprintf("%s, round %d of %d, %s", c.title, round+1, rounds, prog.name))
			r, err := prog.run(ctx)
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			if err != nil {
				return nil, fmt.Errorf("%s, %s: %w", c.title, prog.name, err)
			}
			readings[prog.name] = append(readings[prog.name], r)
			p.done(prog.takes)
		}
	}
	return readings, nil
}

// entries turns readings into results.
func (c *contest) entries(readings map[string][]reading, now time.Time) []entry {
	entries := make([]entry, len(c.figures))
	for i, f := range c.figures {
		ours := values(readings[f.ours], f.reading)
		theirs := values(readings[f.c], f.reading)
		e := entry{
			Name:    f.name,
			Unit:    f.unit,
			Ours:    median(ours),
			C:       median(theirs),
			Spread:  spread(ours),
			CSpread: spread(theirs),
			Rounds:  len(ours),
			Date:    now.UTC().Truncate(time.Second),
		}
		e.Ratio = e.C / e.Ours
		if f.moreIsGood {
			e.Ratio = e.Ours / e.C
		}
		if allocs := values(readings[f.ours], allocsReading); len(allocs) > 0 {
			a := median(allocs)
			e.Allocs = &a
		}
		entries[i] = e
	}
	return entries
}

// allocsReading is what our programs call their allocations per request.
const allocsReading = "allocs_per_request"

// values returns one value of all readings that have it.
func values(readings []reading, name string) []float64 {
	var vs []float64
	for _, r := range readings {
		if v, ok := r[name]; ok {
			vs = append(vs, v)
		}
	}
	return vs
}
