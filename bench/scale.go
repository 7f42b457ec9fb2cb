package main

import (
	"context"
	"fmt"
	"time"

	"github.com/go-liburing/liburing/bench/internal/scaling"
)

// scaleContests has the library alone: what one more costs where there are many already.
func scaleContests(ctx context.Context, t *tools) ([]contest, error) {
	bin, err := t.buildGo(ctx, "bench/scale")
	if err != nil {
		return nil, err
	}
	const takes = 75 * time.Second
	c := contest{
		title:    "what grows",
		programs: []program{t.command("Go", takes, parseReading, bin)},
	}
	for _, m := range scaling.Measures {
		for _, n := range m.Sizes {
			what := fmt.Sprintf("%s/%d", m.Name, n)
			c.figures = append(c.figures, figure{name: "scale/" + what, unit: m.Unit, reading: what, ours: "Go"})
		}
	}
	return []contest{c}, nil
}
