package main

import (
	"context"
	"fmt"
	"net"
	"strconv"
)

// Programs as most in Go are written, a goroutine for each connection or read: with
// package ringio, and with os and net, which they are compared with. There is no C in
// these contests.

// ringioName is the side of the library in them.
const ringioName = "ringio"

// against returns the figure of a contest that ringio is ours in.
func (c *contest) against(name, unit, reading string) figure {
	return figure{name: name, unit: unit, reading: reading, ours: ringioName, peers: c.peerNames(), moreIsGood: true}
}

// goroutineReads has goroutines read a file past the page cache, each one block at a
// time. Beside them is a Loop with as many reads in flight.
func (t *tools) goroutineReads(bin, file string) (contests []contest) {
	for _, n := range []int{1, 16, 64, 256, 1024} {
		side := func(name, mode string, procs int) program {
			return t.program(name, bin, "-file", file, "-depth", strconv.Itoa(n), "-mode", mode, "-procs", strconv.Itoa(procs))
		}
		contests = append(contests, t.reads("randread/ringio", "random reads by goroutines", n,
			side("Loop", "loop", 2).asPeer(),
			side(ringioName, "ringio", readProcs(n)),
			side("os.File", "os", 2).asPeer(),
			side("os.File, GOMAXPROCS=1", "os", 1).asPeer()))
	}
	return contests
}

// readProcs is the number of processors that Go's scheduler had best believe in where n
// goroutines read by ringio on one: with two it wakes another thread for each of them, with
// one its monitor takes that away at each longer wait, of which there are many if they wait
// for single reads.
func readProcs(n int) int {
	if n > 1 {
		return 1
	}
	return 2
}

func (t *tools) reads(name, title string, goroutines int, programs ...program) contest {
	c := contest{title: fmt.Sprintf("%s, %d at once", title, goroutines), programs: programs}
	c.figures = []figure{c.against(fmt.Sprintf("%s/%d", name, goroutines), "1/s", "iops")}
	return c
}

// cachedSize is that of a file that the page cache surely holds.
const cachedSize = 256 << 20

// cachedContests has goroutines read a file that is in the page cache.
func cachedContests(ctx context.Context, t *tools) ([]contest, error) {
	bin, err := t.buildGo(ctx, "bench/randread")
	if err != nil {
		return nil, err
	}
	file, err := t.dataFile(ctx, "cached.data", cachedSize, 0)
	if err != nil {
		return nil, err
	}
	if err := warm(file); err != nil {
		return nil, err
	}
	var contests []contest
	for _, n := range []int{1, 64} {
		args := []string{"-file", file, "-cached", "-depth", strconv.Itoa(n)}
		contests = append(contests, t.reads("cached/ringio", "random reads of the page cache", n,
			t.program(ringioName, bin, append(args, "-mode", "ringio")...),
			t.program("os.File", bin, append(args, "-mode", "os")...).asPeer()))
	}
	return contests, nil
}

// walContests has goroutines append to a log.
func walContests(ctx context.Context, t *tools) ([]contest, error) {
	t = t.longer(2)
	bin, err := t.buildGo(ctx, "bench/wal")
	if err != nil {
		return nil, err
	}
	folder := t.path("bench/tmp")
	if err := checkRoom(folder, 1<<30); err != nil {
		return nil, err
	}
	side := func(name, mode string) program { return t.program(name, bin, "-dir", folder, "-mode", mode) }
	c := contest{title: "a log, 64 goroutines", programs: []program{
		side(ringioName, "ringio"),
		side("os.File, each syncs", "os").asPeer(),
		side("os.File, group commit", "os-group").asPeer(),
	}}
	c.figures = []figure{c.against("wal/ringio", "1/s", "appends_per_second")}
	return []contest{c}, nil
}

// goServers are the servers of bench/goservers, with their best number of processors:
// on one processor net and ringio are fastest if Go's scheduler believes in one, but
// for few connections.
func (t *tools) goServers(bin, kind string) []server {
	return []server{
		goServer(bin, ringioName, "ringio", kind, 1),
		goServer(bin, "net", "net", kind, 1),
		goServer(bin, "net, GOMAXPROCS=2", "net", kind, 2),
	}
}

// goServer is one of them, of connections that are net's or ringio's.
func goServer(bin, name, on, kind string, procs int) server {
	return server{
		name: name, bin: bin, marks: true, peer: name != ringioName,
		args: func(port string) []string {
			return []string{"-on", on, "-kind", kind, "-procs", strconv.Itoa(procs), "-addr", net.JoinHostPort("127.0.0.1", port)}
		},
	}
}

// goroutineEcho has goroutines echo what their connections bring.
func (b *echoBench) goroutineEcho(ctx context.Context, name string, connections int, args ...string) (contest, error) {
	var besides []server
	for _, s := range b.servers {
		if s.name == "Go" {
			s.name, s.peer = "Loop", true
		}
		if s.name == "Loop" || s.name == "gnet" {
			besides = append(besides, s)
		}
	}
	return b.goroutines(ctx, name, fmt.Sprintf("echo by goroutines, %d connections", connections), "echo", besides, connections, args...)
}

// goroutines has servers of a goroutine for each connection against each other, and others
// besides.
func (b *echoBench) goroutines(ctx context.Context, name, title, kind string, besides []server, connections int, args ...string) (contest, error) {
	bin, err := b.buildGo(ctx, "bench/goservers")
	if err != nil {
		return contest{}, err
	}
	all := *b.longerFor(connections)
	all.servers = append(b.goServers(bin, kind), besides...)
	c := contest{title: title, programs: all.programs(connections, args...), busy: connections > fewConnections}
	c.figures = []figure{c.against(name, "1/s", "requests_per_second")}
	return c, nil
}

// goroutinePipelines has many requests in flight on each connection: answered one by one, as
// they come, or with the answers of those that came together written together; and bytes
// that are sent back as they are.
func goroutinePipelines(ctx context.Context, t *tools) (contests []contest, err error) {
	t = t.longer(2)
	bench, err := newEchoBench(ctx, t, echoPeers)
	if err != nil {
		return nil, err
	}
	for _, p := range []struct{ name, title, kind string }{
		{"pipeline/ringio", "requests in flight, answered one by one", "answers"},
		{"pipeline/ringio/gathered", "requests in flight, answered together", "gathered"},
	} {
		c, err := bench.goroutines(ctx, p.name, fmt.Sprintf("%s, %d connections", p.title, pipelinedConnections), p.kind, nil, pipelinedConnections, inFlight...)
		if err != nil {
			return nil, err
		}
		contests = append(contests, c)
	}
	echo, err := bench.goroutineEcho(ctx, "pipeline/ringio/echo", pipelinedConnections, inFlight...)
	return append(contests, echo), err
}

// loadContests has goroutines echo messages that come at a fixed rate, far below what they can
// do, as in most services: what counts is how long one takes, and how much of the processor.
func loadContests(ctx context.Context, t *tools) ([]contest, error) {
	t = t.longer(2)
	bench, err := newEchoBench(ctx, t, echoPeers)
	if err != nil {
		return nil, err
	}
	var contests []contest
	for _, rate := range []int{1_000, 10_000, 50_000} {
		name := fmt.Sprintf("load/ringio/%d", rate)
		c, err := bench.goroutineEcho(ctx, name, latencyConnections, "-rate", strconv.Itoa(rate))
		if err != nil {
			return nil, err
		}
		c.title, c.busy = fmt.Sprintf("echo by goroutines, %d messages per second", rate), false
		median, processor := c.against(name+"/p50", "µs", "p50_us"), c.against(name+"/cpu", "µs", "cpu_us_per_request")
		median.moreIsGood, processor.moreIsGood = false, false
		c.figures = []figure{median, processor}
		contests = append(contests, c)
	}
	return contests, nil
}

// httpContests has net/http answer wrk, on net's connections and on ringio's.
func httpContests(ctx context.Context, t *tools) ([]contest, error) {
	wrk, err := findWrk(t)
	if err != nil {
		return nil, err
	}
	bin, err := t.buildGo(ctx, "bench/goservers")
	if err != nil {
		return nil, err
	}
	var contests []contest
	for _, load := range []struct {
		name, title string
		clients     int
		args        []string
	}{
		{"http/ringio", "net/http, %d connections", 256, nil},
		{"http/ringio/few", "net/http, %d connections", fewConnections, nil},
		{"http/ringio/pipelined", "net/http, 16 requests in flight on each of %d connections", 64, []string{"-s", t.path("bench/wrk/pipelined.lua")}},
	} {
		c := contest{title: fmt.Sprintf(load.title, load.clients)}
		for _, s := range t.goServers(bin, "http") {
			w := wrk.side(load.clients, append([]string{s.bin}, s.args("0")...)...)
			w.args = load.args
			c.programs = append(c.programs, program{name: s.name, takes: modelStartUp + wrkTime, run: w.run, peer: s.peer})
		}
		c.figures = []figure{c.against(load.name, "1/s", "requests_per_second")}
		contests = append(contests, c)
	}
	return contests, nil
}
