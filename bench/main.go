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
	"syscall"
)

// groups are what can be named on the command line, in the order they run.
var groups = []group{
	{"nop", "no-op requests through Ring and Loop, batches 1 to 128", nopContests},
	{"timer", "timeouts armed and cancelled through Loop", timerContests},
	{"randread", "random reads of a file past the page cache, 1 to 128 at once", randreadContests},
	{"cp", "a file copied, from the page cache and from the disk", cpContests},
	{"copies", "a file and a tree of 20,000 small ones, by the uring command", copiesContests},
	{"echo", "a TCP echo server with 64 to 10,000 connections", echoContests},
	{"echo-pipelined", "the same with 64 connections and 32 small messages in flight on each", pipelinedContests},
	{"pipeline", "the same by goroutines", goroutinePipelines},
	{"latency", "the same at a fixed rate: how long single messages take", latencyContests},
	{"load", "the same by goroutines: how long messages take, and how much of the processor", loadContests},
	{"web", "some of the models below with wrk as their client", webContests},
	{"cached", "random reads of the page cache by goroutines", cachedContests},
	{"wal", "a log that 64 goroutines append to", walContests},
	{"http", "net/http on net's and on ringio's connections, with wrk", httpContests},
	{"pebble", "a storage engine on its own files and on ringio's, with little page cache", pebbleContests},
	{"memory", "what an idle connection takes of a server's memory", memoryContests},
	{"walk", "the sizes of 100,000 files, their inodes in memory or not", walkContests},
	{"scale", "what one more costs where there are 10 to 1,000,000 already", scaleContests},
	{"models", "a small web server written in nine ways, 1 to 10,000 clients", modelContests},
}

// options are what the command line chooses, beside names.
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
	flag.Float64Var(&o.seconds, "seconds", 0.4, "how long a program measures each time; randread, echo and latency take twice that")
	flag.IntVar(&o.cpu, "cpu", -1, "the processor to pin the programs to, -1 for the last one")
	mib := flag.Int64("cp-size", 1024, "the size in MiB of the file that cp copies")
	flag.StringVar(&o.out, "o", "", "the file of results (default bench/results/latest.json)")
	flag.Usage = usage
	flag.Parse()
	o.copySize = *mib << 20
	if o.rounds < 1 || o.seconds <= 0 || o.copySize < 1 {
		badUsage(errors.New("-rounds, -seconds and -cp-size must be above zero"))
	}
	if err := checkNames(flag.Args()); err != nil {
		badUsage(err)
	}

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	switch err := run(ctx, flag.Args(), o); {
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
	fmt.Fprint(out, "usage: bench [flags] [name...]\n\n"+
		"Measures the library against C. A name is that of a group, or of one or some of its\n"+
		"results, such as echo/loop/64; without names all are measured. The groups are:\n")
	for _, g := range groups {
		fmt.Fprintf(out, "  %-16s%s\n", g.name, g.about)
	}
	fmt.Fprint(out, "\nflags:\n")
	flag.PrintDefaults()
}

func badUsage(why error) {
	fmt.Fprintln(os.Stderr, "bench:", why)
	fmt.Fprintln(os.Stderr)
	flag.CommandLine.SetOutput(os.Stderr)
	usage()
	os.Exit(2)
}
