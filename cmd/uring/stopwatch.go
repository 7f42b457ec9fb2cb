package main

import (
	"context"
	"time"
)

// tally is how many requests were done in which time.
type tally struct {
	requests int
	took     time.Duration
}

func (t tally) perSecond() float64 { return float64(t.requests) / t.took.Seconds() }

// stopwatch tells when a measurement is over.
type stopwatch struct {
	ctx   context.Context
	start time.Time
	each  time.Duration
	done  int
	next  int // when done reaches it, it is time to look at the clock again
	over  bool
}

func newStopwatch(ctx context.Context, each time.Duration) *stopwatch {
	return &stopwatch{ctx: ctx, start: time.Now(), each: each}
}

// lookEvery is the number of requests between two looks at the clock.
const lookEvery = 128

// isUp counts requests and reports whether the time is over.
func (s *stopwatch) isUp(requests int) bool {
	s.done += requests
	if !s.over && s.done >= s.next {
		s.next = s.done + lookEvery
		s.over = time.Since(s.start) >= s.each || s.ctx.Err() != nil
	}
	return s.over
}

func (s *stopwatch) tally() tally { return tally{s.done, time.Since(s.start)} }
