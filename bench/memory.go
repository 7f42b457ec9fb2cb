package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"time"
)

const idleConnections = 4000

// noBuffer is of servers whose goroutines have none while they wait.
const noBuffer = ", no buffer"

// memoryContests has servers hold connections on which nothing comes any more, and looks
// at their resident memory. The kernel's own, for sockets and requests, is not in it.
func memoryContests(ctx context.Context, t *tools) ([]contest, error) {
	bench, err := newEchoBench(ctx, t, echoPeers)
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
	c := contest{title: fmt.Sprintf("memory of %d idle connections", idleConnections)}
	names := map[string]bool{"C": true} // which has places for all connections from the start
	for _, s := range servers {
		if names[s.name] { // net is among both
			continue
		}
		names[s.name] = true
		c.programs = append(c.programs, program{
			name: s.name, takes: 3 * time.Second, peer: s.peer || s.name != "Go",
			run: func(ctx context.Context) (reading, error) { return bench.idle(ctx, s) },
		})
	}
	c.figures = []figure{{name: "memory/connection", unit: "B", reading: "bytes", ours: "Go", peers: c.peerNames()}}
	c.figures = append(c.figures, figure{name: "memory/ringio", unit: "B", reading: "bytes", ours: ringioName + noBuffer, peers: []string{ringioName, "net", "net" + noBuffer}})
	return []contest{c}, nil
}

// idle returns what a connection takes of a server's memory that has echoed once.
func (b *echoBench) idle(ctx context.Context, s server) (reading, error) {
	running, end, err := s.startUntil(ctx, b.cpu)
	if err != nil {
		return nil, err
	}
	defer end()
	before, err := resident(running.cmd.Process.Pid)
	if err != nil {
		return nil, err
	}
	for range idleConnections {
		conn, err := echoOnce(running.port)
		if err != nil {
			return nil, err
		}
		defer conn.Close()
	}
	after, err := resident(running.cmd.Process.Pid)
	return reading{"bytes": float64(after-before) / idleConnections}, err
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
