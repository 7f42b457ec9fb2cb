package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// program is one of a contest's sides.
type program struct {
	name  string
	takes time.Duration // what a run is expected to take
	run   func(context.Context) (reading, error)
	peer  bool // neither ours nor C's: the contest goes on without it if it fails
}

// reading is what a program measured in one run, by the names it uses.
type reading map[string]float64

// Readings that several programs have.
const (
	allocsReading   = "allocs_per_request"
	cpuReading      = "cpu_us_per_request"
	failuresReading = "failures"
	busyReading     = "server_busy" // a part of the time
)

// startUp is about what a program needs beside its measuring time: to start and
// to warm up.
const startUp = 150 * time.Millisecond

// program returns a contest's side that runs a built program, which gets the
// time to measure for as -seconds.
func (t *tools) program(name, bin string, args ...string) program {
	args = append(args, "-seconds", strconv.FormatFloat(t.seconds, 'g', -1, 64))
	return t.command(name, startUp+t.time(), parseReading, bin, args...)
}

// time is how long a program measures.
func (t *tools) time() time.Duration { return time.Duration(t.seconds * float64(time.Second)) }

// command returns a contest's side that runs a program whose output parse
// understands.
func (t *tools) command(name string, takes time.Duration, parse func([]byte) (reading, error), bin string, args ...string) program {
	return program{name: name, takes: takes, run: func(ctx context.Context) (reading, error) {
		out, err := runOn(ctx, t.cpu, bin, args...)
		if err != nil {
			return nil, err
		}
		return parse(out)
	}}
}

// asPeer marks a program as a peer's.
func (p program) asPeer() program {
	p.peer = true
	return p
}

// runOn runs a program on a processor, or everywhere, and returns what it prints.
func runOn(ctx context.Context, cpu int, bin string, args ...string) ([]byte, error) {
	var out, complaint bytes.Buffer
	cmd := exec.CommandContext(ctx, bin, args...)
	cmd.Stdout, cmd.Stderr = &out, &complaint
	if err := startOn(cpu, cmd); err != nil {
		return nil, err
	}
	if err := cmd.Wait(); err != nil {
		return nil, fmt.Errorf("%w: %s", err, strings.TrimSpace(complaint.String()))
	}
	return out.Bytes(), nil
}

// parseReading reads a line of name=value pairs.
func parseReading(line []byte) (reading, error) {
	r := make(reading)
	for _, field := range strings.Fields(string(line)) {
		name, value, _ := strings.Cut(field, "=")
		v, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return nil, fmt.Errorf("the program printed %q, not name=number", field)
		}
		r[name] = v
	}
	if len(r) == 0 {
		return nil, errors.New("the program printed nothing")
	}
	return r, nil
}
