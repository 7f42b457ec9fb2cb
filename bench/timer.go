package main

import (
	"context"
	"strconv"
	"time"
)

// timeouts is how many a program arms and cancels in each run.
const timeouts = 1_000_000

// timerContests has Loop's timers against C's timeouts: a batch armed and cancelled in
// each turn, and there in each system call. C's are the same again and again, and so are
// ours that are reset; otherwise each is a new one.
func timerContests(ctx context.Context, t *tools) ([]contest, error) {
	ours, err := t.buildGo(ctx, "bench/timer")
	if err != nil {
		return nil, err
	}
	c, err := t.buildC(ctx, "timer")
	if err != nil {
		return nil, err
	}
	const takes = timeouts * 500 * time.Nanosecond
	side := func(name, bin string, args ...string) program {
		args = append(args, "-batch", "128", "-timeouts", strconv.Itoa(timeouts))
		return t.command(name, takes, parseReading, bin, args...)
	}
	against := func(name, ours string) figure {
		return figure{name: name, unit: "ns", reading: "ns_per_timeout", ours: ours, c: "C"}
	}
	return []contest{{
		title:    "timeouts",
		programs: []program{side("C", c), side("Go", ours), side("Go, Reset", ours, "-reset")},
		figures:  []figure{against("timer/loop", "Go"), against("timer/loop/reset", "Go, Reset")},
	}}, nil
}
