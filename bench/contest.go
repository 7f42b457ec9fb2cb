package main

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// contest is the same work done by several programs.
type contest struct {
	title    string
	programs []program
	figures  []figure
	busy     bool // programs read how busy they were, and are to be busy all the time
}

// figure is a number of the results: what programs read of one thing.
type figure struct {
	name, unit string
	reading    string   // the reading's name
	ours, c    string   // the programs' names, "" where C has none
	peers      []string // further ones
	moreIsGood bool     // as for requests per second
	histograms bool     // to be kept with it
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
			p.show(c.title, fmt.Sprintf("round %d of %d, %s", round+1, rounds, prog.name))
			r, err := prog.run(ctx)
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			p.done(prog.takes)
			switch {
			case err != nil && prog.peer:
				sayOnStderr(fmt.Sprintf("%s: %s is left out: %v", c.title, prog.name, err))
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

// idlers tells which programs had time left, so that their figures are somebody
// else's; it returns nothing if all were busy.
func (c *contest) idlers(readings map[string][]reading) string {
	const enough = 0.85 // a virtual machine does not get its processors all the time
	var idle []string
	for _, p := range c.programs {
		if busy := medianOf(readings[p.name], busyReading); c.busy && busy != nil && *busy < enough {
			idle = append(idle, fmt.Sprintf("%s %.0f %%", p.name, 100**busy))
		}
	}
	if len(idle) == 0 {
		return ""
	}
	return fmt.Sprintf("%s: not busy all the time, so that these figures are the client's, or another load's: %s",
		c.title, strings.Join(idle, ", "))
}

// entries turns readings into results.
func (c *contest) entries(readings map[string][]reading, where setting, now time.Time) []entry {
	entries := make([]entry, len(c.figures))
	for i, f := range c.figures {
		entries[i] = f.entry(readings)
		entries[i].setting = where
		entries[i].Date = now.UTC().Truncate(time.Second)
	}
	return entries
}

func (f figure) entry(readings map[string][]reading) entry {
	ours, c := readings[f.ours], readings[f.c]
	e := entry{
		Name:       f.name,
		Unit:       f.unit,
		Ours:       median(values(ours, f.reading)),
		Spread:     spread(values(ours, f.reading)),
		Peers:      mediansOf(readings, f.peers, f.reading),
		PeersRatio: make(map[string]float64),
		Allocs:     medianOf(ours, allocsReading),
		CPU:        medianOf(ours, cpuReading),
		CCPU:       medianOf(c, cpuReading),
		PeersCPU:   mediansOf(readings, f.peers, cpuReading),
		Failures:   medianOf(ours, failuresReading),
		Rounds:     len(ours),
	}
	if f.c != "" {
		e.C, e.CSpread = median(values(c, f.reading)), spread(values(c, f.reading))
		e.Ratio = median(f.ratios(ours, c))
	}
	for name := range e.Peers {
		e.PeersRatio[name] = median(f.ratios(ours, readings[name]))
	}
	if f.histograms {
		e.Histograms = histograms(readings)
	}
	return e
}

// ratios returns how much faster ours was than another program in each round: a
// machine that has become slower meanwhile was so for both of them.
func (f figure) ratios(ours, other []reading) []float64 {
	var ratios []float64
	for i := range min(len(ours), len(other)) {
		if f.moreIsGood {
			ratios = append(ratios, ours[i][f.reading]/other[i][f.reading])
		} else {
			ratios = append(ratios, other[i][f.reading]/ours[i][f.reading])
		}
	}
	return ratios
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
