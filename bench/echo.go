package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
	"syscall"
	"time"
)

// echoPeers are servers of other libraries: event loops over epoll, and one over
// io_uring. A goroutine for each connection is bench/goservers.
var echoPeers = []peer{
	{name: "gnet", folder: "echo-gnet"},
	{name: "netpoll", folder: "echo-netpoll"},
	{name: "go-uring", folder: "echo-go-uring"},
}

// echoContests has examples/echo-server against liburing's, with one client for
// all servers that keeps them as busy as they can be.
func echoContests(ctx context.Context, t *tools) ([]contest, error) {
	t = t.longer(2)
	bench, err := newEchoBench(ctx, t, echoPeers)
	if err != nil {
		return nil, err
	}
	var contests []contest
	for _, connections := range []int{64, 500, 1000, manyConnections} {
		contest := contest{
			title:    fmt.Sprintf("echo, %d connections", connections),
			programs: bench.longerFor(connections).programs(connections),
			busy:     true,
		}
		contest.figures = []figure{{
			name:       fmt.Sprintf("echo/loop/%d", connections),
			unit:       "1/s",
			reading:    "requests_per_second",
			ours:       "Go",
			c:          "C",
			peers:      contest.peerNames(),
			moreIsGood: true,
		}}
		contests = append(contests, contest)
	}
	for _, connections := range []int{1, fewConnections, 64, 500, 1000, manyConnections} {
		c, err := bench.goroutineEcho(ctx, fmt.Sprintf("echo/ringio/%d", connections), connections)
		if err != nil {
			return nil, err
		}
		contests = append(contests, c)
	}
	return contests, nil
}

// Small messages, many of them in flight on each connection.
const pipelinedConnections = 64

var inFlight = []string{"-size", "32", "-depth", "32"}

// pipelinedContests is echoContests with small messages, many of them in flight on
// each connection.
func pipelinedContests(ctx context.Context, t *tools) ([]contest, error) {
	t = t.longer(2)
	bench, err := newEchoBench(ctx, t, echoPeers)
	if err != nil {
		return nil, err
	}
	twin, err := t.buildC(ctx, "echo-pipelined")
	if err != nil {
		return nil, err
	}
	for _, mode := range []string{"plain", "bundle"} {
		bench.servers = append(bench.servers, server{
			name: "C, " + mode, bin: twin, peer: true,
			args: func(port string) []string { return []string{mode, port} },
		})
	}
	c := contest{title: "pipelined echo, 64 connections", programs: bench.programs(pipelinedConnections, inFlight...), busy: true}
	c.figures = []figure{{
		name:       fmt.Sprintf("echo-pipelined/loop/%d", pipelinedConnections),
		unit:       "1/s",
		reading:    "requests_per_second",
		ours:       "Go",
		c:          "C",
		peers:      c.peerNames(),
		moreIsGood: true,
	}}
	return []contest{c}, nil
}

// echoBench is a client with the servers that it measures, each side on a
// processor of its own.
type echoBench struct {
	*tools
	client    string
	clientCPU int
	apart     *processors // the servers' and the client's
	servers   []server
}

func newEchoBench(ctx context.Context, t *tools, peers []peer) (*echoBench, error) {
	clientCPU, err := otherCPU(t.cpu)
	if err != nil {
		return nil, err
	}
	if err := allowFiles(); err != nil {
		return nil, err
	}
	servers, err := t.buildEchoServers(ctx, peers)
	if err != nil {
		return nil, err
	}
	client, err := t.buildC(ctx, "echo-client")
	return &echoBench{t, client, clientCPU, &processors{a: t.cpu, b: clientCPU, wait: 5 * time.Second}, servers}, err
}

const (
	fewConnections  = 8 // leave a server time between their messages
	manyConnections = 10_000
)

// longerFor measures many connections for longer, so that each has more than a handful
// of messages.
func (b *echoBench) longerFor(connections int) *echoBench {
	if connections < manyConnections {
		return b
	}
	longer := *b
	longer.tools = b.longer(4)
	return &longer
}

// allowFiles has the servers have as many files as the system allows. Go's do so by
// themselves, C's do not.
func allowFiles() error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return os.NewSyscallError("getrlimit", err)
	}
	limit.Cur = limit.Max
	// Without this call a child gets the limit that this process was started with.
	return os.NewSyscallError("setrlimit", syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit))
}

func (t *tools) buildEchoServers(ctx context.Context, peers []peer) ([]server, error) {
	c, err := t.buildEchoExample(ctx)
	if err != nil {
		return nil, err
	}
	ours, err := t.buildGoWith(ctx, "examples/echo-server", "github.com/go-liburing/liburing/bench/mark")
	if err != nil {
		return nil, err
	}
	goservers, err := t.buildGo(ctx, "bench/goservers")
	if err != nil {
		return nil, err
	}
	built, err := t.buildPeers(ctx, peers)
	if err != nil {
		return nil, err
	}
	onLoopback := func(port string) []string { return []string{"-addr", net.JoinHostPort("127.0.0.1", port)} }
	servers := []server{
		{name: "C", bin: c, args: func(port string) []string { return []string{port} }},
		{name: "Go", bin: ours, args: onLoopback, marks: true},
		{name: "Go, WithLatency(50µs)", bin: ours, peer: true, marks: true, args: func(port string) []string {
			return append(onLoopback(port), "-latency", "50us")
		}},
		goServer(goservers, "net", "net", "echo", 1),
	}
	for _, p := range built {
		servers = append(servers, server{name: p.name, bin: p.bin, args: onLoopback, marks: p.marks, peer: true})
	}
	return servers, nil
}

// buildEchoExample builds liburing's echo server with places for as many connections as
// the client can make: as it comes it hangs up on the 1,025th.
func (t *tools) buildEchoExample(ctx context.Context) (string, error) {
	const most = 16384
	source, err := t.exampleWith("echo-server.c", "MAX_CONNS", most)
	if err != nil {
		return "", err
	}
	return t.compile(ctx, "echo-server", "-D_GNU_SOURCE", "-I"+examples, source, examples+"helpers.c")
}

// echoStartUp is about what a server and the client need beside the client's
// measuring time.
const echoStartUp = 500 * time.Millisecond

// programs returns a side of a contest for each server.
func (b *echoBench) programs(connections int, args ...string) []program {
	var programs []program
	for _, s := range b.servers {
		programs = append(programs, program{
			name:  s.name,
			takes: echoStartUp + b.time(),
			run: func(ctx context.Context) (reading, error) {
				return b.apart.whileNear(ctx, func() (reading, error) { return b.run(ctx, s, connections, args) })
			},
			peer: s.peer,
		})
	}
	return programs
}

// run has the client measure a server.
func (b *echoBench) run(ctx context.Context, s server, connections int, args []string) (reading, error) {
	running, end, err := s.startUntil(ctx, b.cpu)
	if err != nil {
		return nil, err
	}
	defer end()
	args = append([]string{
		"-port", running.port,
		"-server", strconv.Itoa(running.cmd.Process.Pid),
		"-connections", strconv.Itoa(connections),
		"-seconds", strconv.FormatFloat(b.seconds, 'g', -1, 64),
	}, args...)
	if s.marks {
		args = append(args, "-mark")
	}
	out, err := runOn(ctx, b.clientCPU, b.client, args...)
	if running.hasEnded() {
		return nil, running.failure()
	}
	if err != nil {
		end()
		return nil, fmt.Errorf("the client: %w%s", err, running.complained())
	}
	r, err := parseReading(out)
	if err != nil {
		return nil, err
	}
	r[busyReading] = r[cpuReading] * r["requests_per_second"] / 1e6
	if !s.marks {
		return r, nil
	}
	objects, err := running.allocated()
	r[allocsReading] = objects / r["requests"]
	return r, err
}
