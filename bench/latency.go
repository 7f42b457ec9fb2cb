package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

const latencyConnections = 64

// latencyContests has the echo servers get messages at a fixed rate, and their
// client look how long each takes.
func latencyContests(ctx context.Context, t *tools) ([]contest, error) {
	t = t.longer(2)
	bench, err := newEchoBench(ctx, t, nil)
	if err != nil {
		return nil, err
	}
	var contests []contest
	for _, rate := range []int{10_000, 50_000} {
		contest := contest{
			title:    fmt.Sprintf("latency, %d messages per second", rate),
			programs: bench.programs(latencyConnections, "-rate", strconv.Itoa(rate)),
		}
		for _, percentile := range []string{"p50", "p99", "p999"} {
			contest.figures = append(contest.figures, figure{
				name:       fmt.Sprintf("latency/%d/%s", rate, percentile),
				unit:       "µs",
				reading:    percentile + "_us",
				ours:       "Go",
				c:          "C",
				peers:      contest.peerNames(),
				histograms: percentile == "p50", // once for the contest
			})
		}
		contests = append(contests, contest)
	}
	return contests, nil
}

// bucket is a bar of a histogram.
type bucket struct {
	Micros float64 `json:"us"`    // what the requests in it took at most
	Share  float64 `json:"share"` // of all requests
}

// bucketReading is what the name of a reading begins with that counts the
// requests of a bucket; its limit follows.
const bucketReading = "within_"

// histograms returns that of each program, over all rounds.
func histograms(readings map[string][]reading) map[string][]bucket {
	all := make(map[string][]bucket)
	for program, rounds := range readings {
		all[program] = histogram(rounds)
	}
	return all
}

func histogram(rounds []reading) []bucket {
	counts := make(map[float64]float64)
	var total float64
	for _, r := range rounds {
		for name, count := range r {
			if limit, ok := strings.CutPrefix(name, bucketReading); ok {
				micros, err := strconv.ParseFloat(limit, 64)
				if err != nil {
					continue // another's reading
				}
				counts[micros] += count
				total += count
			}
		}
	}
	var buckets []bucket
	for micros := range maps.Keys(counts) {
		if counts[micros] > 0 {
			buckets = append(buckets, bucket{micros, counts[micros] / total})
		}
	}
	slices.SortFunc(buckets, func(a, b bucket) int { return cmp.Compare(a.Micros, b.Micros) })
	return buckets
}
