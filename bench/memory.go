package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// idleConnections is how many there are where a figure's name does not say it.
const idleConnections = 4000

// idleSizes are all numbers of them, the least first. Go's heap is looked at with the
// last one: what that collects would be missing in the resident memory of more.
var idleSizes = []int{1000, idleConnections, manyConnections}

// noBuffer is of servers whose goroutines have none while they wait.
const noBuffer = ", no buffer"

// memoryContests has servers hold connections on which nothing comes any more, and looks
// at their resident memory, and at Go's heap. The kernel's own, for sockets and requests,
// is not in it.
func memoryContests(ctx context.Context, t *tools) ([]contest, error) {
	peers := slices.Clone(echoPeers)
	for i := range peers {
		peers[i].marks = true
	}
	bench, err := newEchoBench(ctx, t, peers)
	if err != nil {
		return nil, err
	}
	bin, err := t.buildGo(ctx, "bench/goservers")
	if err != nil {
		return nil, err
	}
	servers := append(bench.servers, t.goServers(bin, "echo")...)
	for _, s := range t.goServers(bin, "waiting")[:2] {
		s.name += noBuffer
		servers = append(servers, s)
	}
	c := contest{title: "memory of idle connections"}
	names := map[string]bool{"C": true} // which has places for all connections from the start
	for _, s := range servers {
		if names[s.name] { // net is among both
			continue
		}
		names[s.name] = true
		c.programs = append(c.programs, program{
			name: s.name, takes: 2 * time.Second, peer: s.peer || s.name != "Go",
			run: func(ctx context.Context) (reading, error) { return bench.idle(ctx, s) },
		})
	}
	figureOf := func(name, reading string) figure {
		return figure{name: name, unit: "B", reading: reading, ours: "Go", peers: c.peerNames()}
	}
	for _, n := range idleSizes {
		c.figures = append(c.figures, figureOf("memory/connection"+of(n), "resident"+of(n)))
	}
	c.figures = append(c.figures, figureOf("memory/heap", "heap"))
	c.figures = append(c.figures, figure{name: "memory/ringio", unit: "B", reading: "resident", ours: ringioName + noBuffer, peers: []string{ringioName, "net", "net" + noBuffer}})
	return []contest{c}, nil
}

// of is the end of the names of figures of so many connections.
func of(connections int) string {
	if connections == idleConnections {
		return ""
	}
	return fmt.Sprintf("/%d", connections)
}

// idle returns what a connection takes of a server's memory that has echoed once.
func (b *echoBench) idle(ctx context.Context, s server) (reading, error) {
	running, end, err := s.startUntil(ctx, b.cpu)
	if err != nil {
		return nil, err
	}
	defer end()
	heap, err := running.heapInUse()
	if err != nil {
		return nil, err
	}
	before, err := resident(running.cmd.Process.Pid)
	if err != nil {
		return nil, err
	}
	r, open := reading{}, 0
	for _, n := range idleSizes {
		for ; open < n; open++ {
			conn, err := echoOnce(running.port)
			if err != nil {
				return nil, err
			}
			defer conn.Close()
		}
		after, err := resident(running.cmd.Process.Pid)
		if err != nil {
			return nil, err
		}
		r["resident"+of(n)] = float64(after-before) / float64(n)
	}
	full, err := running.heapInUse()
	r["heap"] = (full - heap) / float64(open)
	return r, err
}

// echoOnce connects to a server and gets a message back.
func echoOnce(port string) (net.Conn, error) {
	conn, err := net.DialTimeout("tcp4", net.JoinHostPort("127.0.0.1", port), 5*time.Second)
	if err != nil {
		return nil, err
	}
	conn.SetDeadline(time.Now().Add(5 * time.Second))
	message := []byte("sixty-four bytes, as all that the servers of this bench echo be.")
	got := make([]byte, len(message))
	if _, err = conn.Write(message); err == nil {
		_, err = io.ReadFull(conn, got)
	}
	if err == nil && !bytes.Equal(got, message) {
		err = fmt.Errorf("the server sent %q back", got)
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

// resident returns the resident memory of a process, in bytes.
func resident(pid int) (int, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(text))
	if len(fields) < 2 {
		return 0, fmt.Errorf("/proc/%d/statm has %q", pid, text)
	}
	pages, err := strconv.Atoi(fields[1])
	return pages * os.Getpagesize(), err
}
