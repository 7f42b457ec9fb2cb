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

// figure is a number of the results: what programs read of one thing.
type figure struct {
	name, unit string
	reading    string   // the reading's name
	cpu        string   // that of the processor time per request, if it is read
	ours, c    string   // the programs' names
	peers      []string // further ones
	moreIsGood bool     // as for requests per second
}

// peerNames returns the names of a contest's peers.
func (c *contest) peerNames() []string {
	var names []string
	for _, p := range c.programs {
		if p.peer {
			names = append(names, p.name)
		}
	}
	return names
}

// hold runs the programs in turns, so that what else the machine does meets all
// of them alike, and returns their readings by program.
func (c *contest) hold(ctx context.Context, rounds int, p *progress) (map[string][]reading, error) {
	readings := make(map[string][]reading)
	failed := make(map[string]bool)
	for round := range rounds {
		for _, prog := range c.programs {
			if failed[prog.name] {
				p.done(prog.takes)
				continue
			}
			p.show(fmt.Sprintf("%s, round %d of %d, %s", c.title, round+1, rounds, prog.name))
			r, err := prog.run(ctx)
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			p.done(prog.takes)
			switch {
			case err != nil && prog.peer:
				p.say(fmt.Sprintf("%s: %s is left out: %v", c.title, prog.name, err))
				failed[prog.name] = true
				delete(readings, prog.name)
			case err != nil:
				return nil, fmt.Errorf("%s, %s: %w", c.title, prog.name, err)
			default:
				readings[prog.name] = append(readings[prog.name], r)
			}
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
			Name:       f.name,
			Unit:       f.unit,
			Ours:       median(ours),
			C:          median(theirs),
			Spread:     spread(ours),
			CSpread:    spread(theirs),
			Allocs:     medianOf(readings[f.ours], allocsReading),
			CPU:        medianOf(readings[f.ours], f.cpu),
			CCPU:       medianOf(readings[f.c], f.cpu),
			Peers:      mediansOf(readings, f.peers, f.reading),
			PeersCPU:   mediansOf(readings, f.peers, f.cpu),
			Failures:   medianOf(readings[f.ours], "failures"),
			Rounds:     len(ours),
			Date:       now.UTC().Truncate(time.Second),
			moreIsGood: f.moreIsGood,
		}
		e.Ratio = e.ratioTo(e.C)
		entries[i] = e
	}
	return entries
}

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

// medianOf returns the median of one value of the readings, nil if none has it.
func medianOf(readings []reading, name string) *float64 {
	vs := values(readings, name)
	if len(vs) == 0 {
		return nil
	}
	m := median(vs)
	return &m
}

// mediansOf returns the medians of one value by program, without the programs
// that have not read it.
func mediansOf(readings map[string][]reading, programs []string, name string) map[string]float64 {
	medians := make(map[string]float64)
	for _, prog := range programs {
		if m := medianOf(readings[prog], name); m != nil {
			medians[prog] = *m
		}
	}
	return medians
}
