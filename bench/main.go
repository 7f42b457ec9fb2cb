// Bench measures the library against C: the same work, done by programs that
// run in turns, pinned to one processor. README.md tells more.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

// groups are what can be named on the command line, in the order they run.
var groups = []group{
	{"nop", "no-op requests through Ring and Loop, batches 1 to 128", nopContests},
}

// group is a set of contests under one name. Its contests function builds what
// they run.
type group struct {
	name, about string
	contests    func(context.Context, *tools) ([]contest, error)
}

func main() {
	rounds := flag.Int("rounds", 5, "how often each program runs")
	seconds := flag.Float64("seconds", 0.4, "how long a program measures each time")
	cpu := flag.Int("cpu", -1, "the processor to pin the programs to, -1 for the last one")
	out := flag.String("o", "", "the file of results (default bench/results/latest.json)")
	flag.Usage = usage
	flag.Parse()
	if *rounds < 1 || *seconds <= 0 {
		badUsage("-rounds and -seconds must be above zero")
	}
	chosen, err := choose(flag.Args())
	if err != nil {
		badUsage(err.Error())
	}

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	switch err := run(ctx, chosen, *rounds, *seconds, *cpu, *out); {
	case errors.Is(err, context.Canceled):
		fmt.Fprintln(os.Stderr, "bench: interrupted; what was done is kept")
		os.Exit(130)
	case err != nil:
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func usage() {
	out := flag.CommandLine.Output()
	fmt.Fprint(out, "usage: bench [flags] [group...]\n\nMeasures the library against C, all groups or those named:\n")
	for _, g := range groups {
		fmt.Fprintf(out, "  %-10s%s\n", g.name, g.about)
	}
	fmt.Fprint(out, "\nflags:\n")
	flag.PrintDefaults()
}

func badUsage(why string) {
	fmt.Fprintln(os.Stderr, "bench:", why)
	os.Exit(2)
}

// choose returns the named groups, all of them if none is named.
func choose(names []string) ([]group, error) {
	known := make([]string, len(groups))
	for i, g := range groups {
		known[i] = g.name
	}
	for _, name := range names {
		if !slices.Contains(known, name) {
			return nil, fmt.Errorf("there is no group %q; the groups are: %s", name, strings.Join(known, " "))
		}
	}
	if len(names) == 0 {
		return groups, nil
	}
	return slices.DeleteFunc(slices.Clone(groups), func(g group) bool { return !slices.Contains(names, g.name) }), nil
}

// run holds the contests of the groups, keeps the results of each when it ends,
// and prints them all in the end, also if that comes early.
func run(ctx context.Context, chosen []group, rounds int, seconds float64, cpu int, out string) error {
	t, err := newTools(seconds, cpu)
	if err != nil {
		return err
	}
	defer t.close()
	if out == "" {
		out = t.path("bench/results/latest.json")
	}
	var contests []contest
	for _, g := range chosen {
		cs, err := g.contests(ctx, t)
		if err != nil {
			return fmt.Errorf("%s: %w", g.name, err)
		}
		contests = append(contests, cs...)
	}
	var done []entry
	defer func() { printTable(os.Stdout, done) }()
	p := newProgress(contests, rounds)
	defer p.end()
	for _, c := range contests {
		readings, err := c.hold(ctx, rounds, p)
		if err != nil {
			return err
		}
		entries := c.entries(readings, time.Now())
		done = append(done, entries...)
		if err := keep(out, entries); err != nil {
			return err
		}
	}
	return nil
}
