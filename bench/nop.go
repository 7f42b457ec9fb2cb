package main

import (
	"context"
	"fmt"
	"strconv"
)

// nopContests has Ring and Loop each against C that does the same: a plain walk
// over the completions, and a call through a function pointer for each.
func nopContests(ctx context.Context, t *tools) ([]contest, error) {
	ours, err := t.buildGo(ctx, "nop")
	if err != nil {
		return nil, err
	}
	c, err := t.buildC(ctx, "nop")
	if err != nil {
		return nil, err
	}
	var contests []contest
	for _, batch := range []int{1, 8, 32, 128} {
		contest := contest{title: fmt.Sprintf("nop, batch %d", batch)}
		for _, mode := range []string{"ring", "loop"} {
			args := []string{"-mode", mode, "-batch", strconv.Itoa(batch)}
			contest.programs = append(contest.programs,
				t.program("C "+mode, c, args...),
				t.program("Go "+mode, ours, args...))
			contest.figures = append(contest.figures, figure{
				name:    fmt.Sprintf("nop/%s/%d", mode, batch),
				unit:    "ns",
				reading: "ns_per_request",
				ours:    "Go " + mode,
				c:       "C " + mode,
			})
		}
		contests = append(contests, contest)
	}
	return contests, nil
}
