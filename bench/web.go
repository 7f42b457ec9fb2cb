package main

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"time"
)

// wrkTime is how long wrk measures: it takes whole seconds.
const wrkTime = time.Second

// wrkLoad is wrk, with a processor of its own beside the servers'.
type wrkLoad struct {
	bin       string
	cpu       int
	serverCPU int
}

func findWrk(t *tools) (w wrkLoad, err error) {
	if err := needs("wrk"); err != nil {
		return w, err
	}
	w.bin, w.serverCPU = "wrk", t.cpu
	w.cpu, err = otherCPU(t.cpu)
	return w, err
}

// side is a server that answers wrk.
func (w wrkLoad) side(clients int, server ...string) webSide {
	return webSide{modelSide: modelSide{server: server, serverCPU: w.serverCPU, load: w.bin, loadCPU: w.cpu, clients: clients}}
}

// webContests has some of the models answer wrk, which keeps its connections.
func webContests(ctx context.Context, t *tools) ([]contest, error) {
	wrk, err := findWrk(t)
	if err != nil {
		return nil, err
	}
	servers, err := t.buildGo(ctx, "bench/models")
	if err != nil {
		return nil, err
	}
	c, err := t.buildC(ctx, "models-epoll")
	if err != nil {
		return nil, err
	}
	var contests []contest
	for _, clients := range []int{64, 1000} {
		side := func(name string, server ...string) program {
			w := wrk.side(clients, server...)
			return program{name: name, takes: modelStartUp + wrkTime, run: w.run}
		}
		model := func(name string) program { return side(name, servers, "-model", name) }
		contest := contest{
			title:    fmt.Sprintf("web, %d connections", clients),
			programs: []program{side(yardstick, c), model("iouring"), model("goroutines").asPeer(), model("epoll").asPeer()},
		}
		contest.figures = []figure{{
			name:       fmt.Sprintf("web/loop/%d", clients),
			unit:       "1/s",
			reading:    "requests_per_second",
			ours:       "iouring",
			c:          yardstick,
			peers:      contest.peerNames(),
			moreIsGood: true,
		}}
		contests = append(contests, contest)
	}
	return contests, nil
}

// webSide is a server with wrk as its client.
type webSide struct {
	modelSide
	args []string // wrk's, besides
}

func (w webSide) run(ctx context.Context) (reading, error) {
	server, err := w.start(ctx)
	if err != nil {
		return nil, err
	}
	args := append([]string{"-t", "1", "-c", strconv.Itoa(w.clients), "-d", wrkTime.String()}, w.args...)
	out, err := runOn(ctx, w.loadCPU, w.load, append(args, "http://"+server.address+"/")...)
	busy := server.end()
	if err != nil {
		return nil, fmt.Errorf("wrk: %w", err)
	}
	return parseWrk(out, busy)
}

var (
	wrkTotal  = regexp.MustCompile(`(?m)^\s*(\d+) requests in `)
	wrkRate   = regexp.MustCompile(`(?m)^Requests/sec:\s*([\d.]+)`)
	wrkErrors = regexp.MustCompile(`(?m)^\s*(Socket errors|Non-2xx).*$`)
)

// parseWrk reads wrk's report. busy is the server's processor time.
func parseWrk(out []byte, busy time.Duration) (reading, error) {
	if bad := wrkErrors.Find(out); bad != nil {
		return nil, fmt.Errorf("wrk reports errors: %s", bad)
	}
	total, rate := wrkTotal.FindSubmatch(out), wrkRate.FindSubmatch(out)
	if total == nil || rate == nil || string(total[1]) == "0" {
		return nil, fmt.Errorf("wrk has measured nothing: %s", out)
	}
	n, err := strconv.ParseFloat(string(total[1]), 64)
	if err != nil {
		return nil, err
	}
	perSecond, err := strconv.ParseFloat(string(rate[1]), 64)
	if err != nil {
		return nil, err
	}
	return reading{"requests_per_second": perSecond, cpuReading: busy.Seconds() * 1e6 / n}, nil
}
