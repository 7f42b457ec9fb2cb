package main

import (
	"context"
	"strconv"
	"time"
)

// timeouts is how many a program arms and cancels in each run.
const timeouts = 1_000_000

// timerContests has Loop's timers against C's timeouts: a batch armed and cancelled in
// each turn, and there in each system call.
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
	side := func(name, bin string) program {
		return t.command(name, takes, parseReading, bin, "-batch", "128", "-timeouts", strconv.Itoa(timeouts))
	}
	return []contest{{
		title:    "timeouts",
		programs: []program{side("C", c), side("Go", ours)},
		figures: []figure{{
			name:    "timer/loop",
			unit:    "ns",
			reading: "ns_per_timeout",
			ours:    "Go",
			c:       "C",
		}},
	}}, nil
}
