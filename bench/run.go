package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"
)

// group is a set of contests under one name. Its contests function builds what
// they run.
type group struct {
	name, about string
	contests    func(context.Context, *tools) ([]contest, error)
}

// missing tells what a group needs and this machine does not have, and what to
// do about it. It is no failure: the group is skipped.
type missing string

func (m missing) Error() string { return string(m) }

// run holds the contests that names stand for, keeps the results of each when it
// ends, and prints them all in the end, also if that comes early. A contest that
// fails leaves the others as they are.
func run(ctx context.Context, names []string, o options) error {
	t, err := newTools(o)
	if err != nil {
		return err
	}
	defer t.close()
	if o.out == "" {
		o.out = t.path("bench/results/latest.json")
	}
	contests, failed := prepare(ctx, t, names)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	where := t.setting()
	var done []entry
	defer func() { printTable(os.Stdout, done) }()
	p := newProgress(contests, o.rounds)
	defer p.end()
	for _, c := range contests {
		entries, err := results(ctx, c, o.rounds, where, p)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		done = append(done, entries...)
		if err := keep(o.out, entries); err != nil {
			return err
		}
	}
	if failed == nil && len(done) == 0 {
		failed = errors.New("nothing was measured: what is missing is said above")
	}
	return failed
}

// results holds a contest and returns what came of it.
func results(ctx context.Context, c contest, rounds int, where setting, p *progress) ([]entry, error) {
	readings, err := c.hold(ctx, rounds, p)
	if err != nil {
		return nil, err
	}
	if idle := c.idlers(readings); idle != "" {
		sayOnStderr(idle)
	}
	return c.entries(readings, where, time.Now()), nil
}

// prepare returns the contests that names stand for, and the errors of those
// groups that can't be held, which leave the others as they are.
func prepare(ctx context.Context, t *tools, names []string) (contests []contest, failed error) {
	for _, g := range groups {
		own := g.of(names)
		if len(names) > 0 && len(own) == 0 {
			continue
		}
		cs, err := g.contests(ctx, t)
		if err == nil {
			cs, err = choose(cs, own)
		}
		if why := missing(""); errors.As(err, &why) {
			t.say(fmt.Sprintf("%s is skipped: %s", g.name, why))
			continue
		}
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s is left out: %w", g.name, err))
			continue
		}
		contests = append(contests, cs...)
	}
	return contests, failed
}
