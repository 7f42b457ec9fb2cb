package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// echoPeers are servers of other kinds: a goroutine for each connection, event
// loops over epoll, and one over io_uring.
var echoPeers = []peer{
	{name: "net", folder: "echo-net"},
	{name: "gnet", folder: "echo-gnet"},
	{name: "netpoll", folder: "echo-netpoll"},
	{name: "go-uring", folder: "echo-go-uring"},
}

// echoContests has examples/echo-server against liburing's, with one client for
// all servers.
func echoContests(ctx context.Context, t *tools) ([]contest, error) {
	t = t.longer()
	sides, err := buildEcho(ctx, t, echoPeers)
	if err != nil {
		return nil, err
	}
	var contests []contest
	for _, connections := range []int{64, 500, 1000} {
		contest := contest{title: fmt.Sprintf("echo, %d connections", connections)}
		for _, side := range sides {
			side.connections = connections
			contest.programs = append(contest.programs, side.program(t))
		}
		contest.figures = []figure{{
			name:       fmt.Sprintf("echo/loop/%d", connections),
			unit:       "1/s",
			reading:    "requests_per_second",
			cpu:        "server_cpu_us_per_request",
			ours:       "Go",
			c:          "C",
			peers:      contest.peerNames(),
			moreIsGood: true,
		}}
		contests = append(contests, contest)
	}
	return contests, nil
}

// latencyContests has the same servers get requests at a fixed rate, and their
// client look how long each takes.
func latencyContests(ctx context.Context, t *tools) ([]contest, error) {
	t = t.longer()
	sides, err := buildEcho(ctx, t, echoPeers[:1])
	if err != nil {
		return nil, err
	}
	var contests []contest
	for _, rate := range []int{10_000, 50_000} {
		contest := contest{title: fmt.Sprintf("latency, %d requests per second", rate)}
		for _, side := range sides {
			side.connections, side.rate = 64, rate
			contest.programs = append(contest.programs, side.program(t))
		}
		for _, percentile := range []string{"p50", "p99", "p999"} {
			contest.figures = append(contest.figures, figure{
				name:    fmt.Sprintf("latency/%d/%s", rate, percentile),
				unit:    "µs",
				reading: percentile + "_us",
				cpu:     "server_cpu_us_per_request",
				ours:    "Go",
				c:       "C",
				peers:   contest.peerNames(),
			})
		}
		contests = append(contests, contest)
	}
	return contests, nil
}

// buildEcho returns the servers, with the one client of all of them.
func buildEcho(ctx context.Context, t *tools, peers []peer) ([]echoSide, error) {
	clientCPU, err := otherCPU(t.cpu)
	if err != nil {
		return nil, err
	}
	client, err := t.buildC(ctx, "echo-client")
	if err != nil {
		return nil, err
	}
	servers, err := buildEchoServers(ctx, t, peers)
	if err != nil {
		return nil, err
	}
	var sides []echoSide
	for _, s := range servers {
		sides = append(sides, echoSide{server: s, serverCPU: t.cpu, client: client, clientCPU: clientCPU, seconds: t.seconds})
	}
	return sides, nil
}

// echoServer is a program that sends back what it receives.
type echoServer struct {
	name, bin string
	args      func(port string) []string
	peer      bool
}

func buildEchoServers(ctx context.Context, t *tools, wanted []peer) ([]echoServer, error) {
	c, err := t.buildExample(ctx, "echo-server", "echo-server.c", "helpers.c")
	if err != nil {
		return nil, err
	}
	ours, err := t.buildGo(ctx, "examples/echo-server")
	if err != nil {
		return nil, err
	}
	peers, err := t.buildPeers(ctx, wanted)
	if err != nil {
		return nil, err
	}
	onLoopback := func(port string) []string { return []string{"-addr", net.JoinHostPort("127.0.0.1", port)} }
	servers := []echoServer{
		{name: "C", bin: c, args: func(port string) []string { return []string{port} }},
		{name: "Go", bin: ours, args: onLoopback},
	}
	for _, p := range peers {
		servers = append(servers, echoServer{p.name, p.bin, onLoopback, true})
	}
	return servers, nil
}

// echoStartUp is about what a server and the client need beside the client's
// measuring time.
const echoStartUp = 500 * time.Millisecond

// echoSide is a server with the client, each on a processor of its own.
type echoSide struct {
	server               echoServer
	client               string
	serverCPU, clientCPU int
	connections          int
	rate                 int // requests per second, 0: as many as possible
	seconds              float64
}

// program returns the side of a contest that it is.
func (e echoSide) program(t *tools) program {
	return program{name: e.server.name, takes: echoStartUp + t.time(), run: e.run, peer: e.server.peer}
}

func (e echoSide) run(ctx context.Context) (reading, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	server, err := startServer(ctx, e.serverCPU, port, e.server)
	if err != nil {
		return nil, err
	}
	out, err := runOn(ctx, e.clientCPU, e.client,
		"-port", port,
		"-connections", strconv.Itoa(e.connections),
		"-rate", strconv.Itoa(e.rate),
		"-server", strconv.Itoa(server.cmd.Process.Pid),
		"-seconds", strconv.FormatFloat(e.seconds, 'g', -1, 64))
	select {
	case <-server.ended:
		return nil, server.failure()
	default:
	}
	stop()
	<-server.ended
	if err != nil {
		return nil, fmt.Errorf("the client: %w", err)
	}
	return parseReading(out)
}

// runningServer is a server that has been started.
type runningServer struct {
	cmd       *exec.Cmd
	complaint bytes.Buffer
	ended     chan struct{} // closed when it has
}

// startServer starts a server and waits until it takes connections.
func startServer(ctx context.Context, cpu int, port string, s echoServer) (*runningServer, error) {
	r := &runningServer{cmd: exec.CommandContext(ctx, s.bin, s.args(port)...), ended: make(chan struct{})}
	r.cmd.Stderr = &r.complaint
	if err := startOn(cpu, r.cmd); err != nil {
		return nil, err
	}
	go func() {
		r.cmd.Wait()
		close(r.ended)
	}()
	for patience := time.After(5 * time.Second); ; {
		select {
		case <-r.ended:
			return nil, r.failure()
		case <-patience:
			return nil, errors.New("the server takes no connections after five seconds")
		case <-time.After(5 * time.Millisecond):
		}
		if takesConnections(port) {
			return r, nil
		}
	}
}

// failure tells why the server has ended, which it should not.
func (r *runningServer) failure() error {
	return fmt.Errorf("the server has ended (%v): %s", r.cmd.ProcessState, strings.TrimSpace(r.complaint.String()))
}

func takesConnections(port string) bool {
	conn, err := net.Dial("tcp4", net.JoinHostPort("127.0.0.1", port))
	if err != nil {
		return false
	}
	defer conn.Close()
	// As long as nobody listens there, the kernel may pick the very port for
	// this end, and a socket that connects to itself succeeds.
	return conn.LocalAddr().String() != conn.RemoteAddr().String()
}

// freePort returns a port of the loopback that nobody listens on.
func freePort() (string, error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, err
}
