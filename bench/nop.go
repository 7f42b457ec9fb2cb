package main

import (
	"context"
	"fmt"
	"strconv"
)

// nopPeers are libraries like Ring: none calls a function for each completion.
var nopPeers = []peer{
	{name: "giouring", folder: "nop-giouring", flags: []string{"-ldflags=-checklinkname=0"}},
	{name: "go-uring", folder: "nop-go-uring"},
	{name: "dshulyak-uring", folder: "nop-dshulyak-uring"},
}

// nopContests has Ring and Loop each against C that does the same: a plain walk
// over the completions, and a call through a function pointer for each.
func nopContests(ctx context.Context, t *tools) ([]contest, error) {
	ours, err := t.buildGo(ctx, "bench/nop")
	if err != nil {
		return nil, err
	}
	c, err := t.buildC(ctx, "nop")
	if err != nil {
		return nil, err
	}
	peers, err := t.buildPeers(ctx, nopPeers)
	if err != nil {
		return nil, err
	}
	var contests []contest
	for _, batch := range []int{1, 8, 32, 128} {
		contest := contest{title: fmt.Sprintf("nop, batch %d", batch)}
		batch := []string{"-batch", strconv.Itoa(batch)}
		for _, mode := range []string{"ring", "loop"} {
			args := append([]string{"-mode", mode}, batch...)
			contest.programs = append(contest.programs,
				t.program("C "+mode, c, args...),
				t.program("Go "+mode, ours, args...))
			contest.figures = append(contest.figures, figure{
				name:    fmt.Sprintf("nop/%s/%s", mode, batch[1]),
				unit:    "ns",
				reading: "ns_per_request",
				ours:    "Go " + mode,
				c:       "C " + mode,
			})
		}
		for _, p := range peers {
			contest.programs = append(contest.programs, t.program(p.name, p.bin, batch...).asPeer())
		}
		contest.figures[0].peers = contest.peerNames()
		contests = append(contests, contest)
	}
	return contests, nil
}
