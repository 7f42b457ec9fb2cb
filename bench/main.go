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
	{"timer", "timeouts armed and cancelled through Loop", timerContests},
	{"randread", "random reads of a file past the page cache, 1 to 128 at once", randreadContests},
	{"cp", "a file copied, from the page cache and from the disk", cpContests},
	{"echo", "a TCP echo server with 64, 500 and 1,000 connections", echoContests},
	{"latency", "the same at a fixed rate: how long single requests take", latencyContests},
	{"web", "some of the models below with wrk as their client", webContests},
	{"models", "a small web server written in nine ways, 1 to 10,000 clients", modelContests},
}

// group is a set of contests under one name. Its contests function builds what
// they run.
type group struct {
	name, about string
	contests    func(context.Context, *tools) ([]contest, error)
}

// options are what the command line chooses, beside groups.
type options struct {
	rounds   int
	seconds  float64
	cpu      int
	copySize int64 // bytes
	out      string
}

func main() {
	var o options
	flag.IntVar(&o.rounds, "rounds", 5, "how often each program runs")
	flag.Float64Var(&o.seconds, "seconds", 0.4, "how long a program measures each time; randread and echo take twice that")
	flag.IntVar(&o.cpu, "cpu", -1, "the processor to pin the programs to, -1 for the last one")
	mib := flag.Int64("cp-size", 1024, "the size in MiB of the file that cp copies")
	flag.StringVar(&o.out, "o", "", "the file of results (default bench/results/latest.json)")
	flag.Usage = usage
	flag.Parse()
	o.copySize = *mib << 20
	if o.rounds < 1 || o.seconds <= 0 || o.copySize < 1 {
		badUsage("-rounds, -seconds and -cp-size must be above zero")
	}
	chosen, err := choose(flag.Args())
	if err != nil {
		badUsage(err.Error())
	}

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	switch err := run(ctx, chosen, o); {
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
// and prints them all in the end, also if that comes early. A contest that fails
// leaves the others as they are.
func run(ctx context.Context, chosen []group, o options) error {
	t, err := newTools(o)
	if err != nil {
		return err
	}
	defer t.close()
	if o.out == "" {
		o.out = t.path("bench/results/latest.json")
	}
	contests, failed := prepare(ctx, t, chosen)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var done []entry
	defer func() { printTable(os.Stdout, done) }()
	p := newProgress(contests, o.rounds)
	defer p.end()
	for _, c := range contests {
		readings, err := c.hold(ctx, o.rounds, p)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		entries := c.entries(readings, time.Now())
		done = append(done, entries...)
		if err := keep(o.out, entries); err != nil {
			return err
		}
	}
	return failed
}

// prepare returns the contests of the groups, and the errors of those that
// can't be held, which leave the others as they are.
func prepare(ctx context.Context, t *tools, chosen []group) ([]contest, error) {
	var contests []contest
	var leftOut error
	for _, g := range chosen {
		cs, err := g.contests(ctx, t)
		if err != nil {
			leftOut = errors.Join(leftOut, fmt.Errorf("%s is left out: %w", g.name, err))
		}
		contests = append(contests, cs...)
	}
	return contests, leftOut
}
