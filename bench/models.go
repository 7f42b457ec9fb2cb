package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// yardstick is the server in C that all models are compared with.
const yardstick = "C epoll"

// modelContests has the models of servers answer requests on a new connection
// each, and beside them a server in C.
func modelContests(ctx context.Context, t *tools) ([]contest, error) {
	seconds := t.seconds * modelsPart
	loadCPU, err := otherCPU(t.cpu)
	if err != nil {
		return nil, err
	}
	servers, err := t.buildGo(ctx, "bench/models")
	if err != nil {
		return nil, err
	}
	load, err := t.buildGo(ctx, "bench/models/load")
	if err != nil {
		return nil, err
	}
	names, err := exec.CommandContext(ctx, servers, "-list").Output()
	if err != nil {
		return nil, err
	}
	c, err := t.buildC(ctx, "models-epoll")
	if err != nil {
		return nil, err
	}
	var contests []contest
	for _, clients := range []int{1, 10, 100, 1000, 10000} {
		side := func(name string, server ...string) program {
			m := modelSide{server: server, serverCPU: t.cpu, load: load, loadCPU: loadCPU,
				clients: clients, seconds: seconds, say: t.say}
			return program{name: name, takes: modelStartUp + time.Duration(seconds*float64(time.Second)), run: m.run}
		}
		contest := contest{title: fmt.Sprintf("server models, %d clients", clients)}
		contest.programs = []program{side(yardstick, c)}
		for _, name := range strings.Fields(string(names)) {
			contest.programs = append(contest.programs, side(name, servers, "-model", name))
			contest.figures = append(contest.figures, figure{
				name:       fmt.Sprintf("models/%s/%d", name, clients),
				unit:       "1/s",
				reading:    "requests_per_second",
				ours:       name,
				c:          yardstick,
				moreIsGood: true,
			})
		}
		contests = append(contests, contest)
	}
	return contests, nil
}

// modelsPart is how much of the usual time each server is measured for: there
// are fifty to run in each round.
const modelsPart = 0.75

// modelStartUp is about what a server and its clients need beside the measuring
// time.
const modelStartUp = 350 * time.Millisecond

// modelSide is a server with its clients, each on a processor of its own.
type modelSide struct {
	server             []string // command line
	load               string
	serverCPU, loadCPU int
	clients            int
	seconds            float64
	say                func(string)
}

func (m modelSide) run(ctx context.Context) (reading, error) {
	server, err := m.start(ctx)
	if err != nil {
		return nil, err
	}
	out, err := runOn(ctx, m.loadCPU, m.load,
		"-server", server.address,
		"-clients", strconv.Itoa(m.clients),
		"-seconds", strconv.FormatFloat(m.seconds, 'g', -1, 64))
	busy := server.end()
	if err != nil {
		return nil, fmt.Errorf("the clients: %w", err)
	}
	r, err := parseReading(out)
	if err != nil {
		return nil, err
	}
	if n := r[failuresReading]; n > 0 {
		m.say(fmt.Sprintf("%s, %d clients: %.0f requests failed", strings.Join(m.server[1:], " "), m.clients, n))
	}
	if n := r["total_requests"]; n > 0 {
		r[cpuReading] = busy.Seconds() * 1e6 / n
	}
	return r, nil
}

// modelServer is a server that runs.
type modelServer struct {
	cmd     *exec.Cmd
	address string
}

// start starts the server and waits for its address.
func (m modelSide) start(ctx context.Context) (*modelServer, error) {
	var complaint bytes.Buffer
	cmd := exec.CommandContext(ctx, m.server[0], m.server[1:]...)
	cmd.Stderr = &complaint
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := startOn(m.serverCPU, cmd); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		cmd.Wait()
		return nil, fmt.Errorf("the server has ended (%v): %s", cmd.ProcessState, strings.TrimSpace(complaint.String()))
	}
	return &modelServer{cmd: cmd, address: strings.TrimSpace(line)}, nil
}

// end has the server end. It returns the processor time of all its processes,
// from the first moment to the last.
func (s *modelServer) end() time.Duration {
	s.cmd.Process.Signal(syscall.SIGTERM)
	s.cmd.Wait()
	return s.cmd.ProcessState.UserTime() + s.cmd.ProcessState.SystemTime()
}
