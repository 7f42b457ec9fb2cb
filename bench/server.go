package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/go-liburing/liburing/bench/mark"
)

// server is a program that listens on a port of the loopback until it is killed.
type server struct {
	name, bin string
	args      func(port string) []string
	marks     bool // it imports the package mark
	peer      bool
}

// runningServer is a server that has been started.
type runningServer struct {
	cmd       *exec.Cmd
	port      string
	complaint bytes.Buffer
	mallocs   chan float64  // as it says at both ends of a measurement
	heap      chan float64  // as it says when it is asked
	ended     chan struct{} // closed when it has
}

// startUntil starts a server that runs until end is called.
func (s server) startUntil(ctx context.Context, cpu int) (r *runningServer, end func(), err error) {
	ctx, stop := context.WithCancel(ctx)
	if r, err = s.start(ctx, cpu); err != nil {
		stop()
		return nil, nil, err
	}
	return r, func() {
		stop()
		<-r.ended
	}, nil
}

// start starts a server and waits until it takes connections. It ends with the
// context.
func (s server) start(ctx context.Context, cpu int) (*runningServer, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	r := &runningServer{
		cmd:     exec.CommandContext(ctx, s.bin, s.args(port)...),
		port:    port,
		mallocs: make(chan float64, 2),
		heap:    make(chan float64, 1),
		ended:   make(chan struct{}),
	}
	r.cmd.Stderr = &r.complaint
	out, err := r.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := startOn(cpu, r.cmd); err != nil {
		return nil, err
	}
	go func() {
		r.listen(out)
		r.cmd.Wait()
		close(r.ended)
	}()
	return r, r.awaitConnections()
}

// listen reads what the server prints.
func (r *runningServer) listen(out io.Reader) {
	for lines := bufio.NewScanner(out); lines.Scan(); {
		says(lines.Text(), mark.Prefix, r.mallocs)
		says(lines.Text(), mark.HeapPrefix, r.heap)
	}
}

// says sends the number of a line that has it behind prefix.
func says(line, prefix string, to chan<- float64) {
	number, ok := strings.CutPrefix(line, prefix)
	if n, err := strconv.ParseFloat(number, 64); ok && err == nil {
		to <- n
	}
}

func (r *runningServer) awaitConnections() error {
	for patience := time.After(5 * time.Second); ; {
		select {
		case <-r.ended:
			return r.failure()
		case <-patience:
			return errors.New("the server takes no connections after five seconds")
		case <-time.After(5 * time.Millisecond):
		}
		if takesConnections(r.port) {
			return nil
		}
	}
}

// hasEnded reports whether the server has, which it should not by itself.
func (r *runningServer) hasEnded() bool {
	select {
	case <-r.ended:
		return true
	default:
		return false
	}
}

// failure tells why the server has ended.
func (r *runningServer) failure() error {
	return fmt.Errorf("the server has ended (%v): %s", r.cmd.ProcessState, strings.TrimSpace(r.complaint.String()))
}

// complained returns what the server has said first of what went wrong, in brackets, ""
// if nothing did. It must have ended.
func (r *runningServer) complained() string {
	first, _, _ := strings.Cut(strings.TrimSpace(r.complaint.String()), "\n")
	if first == "" {
		return ""
	}
	return " (the server: " + first + ")"
}

// allocated returns how many objects the server has allocated during the
// measurement that has just ended.
func (r *runningServer) allocated() (float64, error) {
	var ends [2]float64
	for i := range ends {
		select {
		case ends[i] = <-r.mallocs:
		case <-time.After(time.Second):
			return 0, errors.New("the server does not say what it has allocated")
		}
	}
	return ends[1] - ends[0], nil
}

// heapInUse returns what the server, which imports the package mark, has in use of Go's
// heap, with its goroutines' stacks, in bytes.
func (r *runningServer) heapInUse() (float64, error) {
	if err := r.cmd.Process.Signal(syscall.SIGUSR2); err != nil {
		return 0, err
	}
	select {
	case n := <-r.heap:
		return n, nil
	case <-time.After(5 * time.Second):
		return 0, errors.New("the server does not say what it has of the heap")
	}
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
