package main

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// progress draws a bar on the standard error if that is a terminal, and nothing
// elsewhere.
type progress struct {
	mu          sync.Mutex // for add
	terminal    bool
	total, done int64
	began, last time.Time
}

func isTerminal() bool {
	_, err := unix.IoctlGetTermios(unix.Stderr, unix.TCGETS)
	return err == nil
}

// start says how many bytes there are to do.
func (p *progress) start(total int64) { p.total, p.began = total, time.Now() }

// add counts bytes that have been done.
func (p *progress) add(n int64) {
	if !p.terminal {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done += n
	if time.Since(p.last) >= 50*time.Millisecond {
		p.draw()
	}
}

func (p *progress) draw() {
	const width = 30
	p.last = time.Now()
	part := min(float64(p.done)/float64(max(p.total, 1)), 1) // a file may have grown
	full := int(part * width)
	rate := float64(p.done>>20) / max(time.Since(p.began).Seconds(), 0.001)
	fmt.Fprintf(os.Stderr, "\r[%s%s] %3.0f%%  %d of %d MiB, %.0f MiB/s\x1b[K",
		strings.Repeat("=", full), strings.Repeat(" ", width-full), 100*part, p.done>>20, p.total>>20, rate)
}

// end leaves the last state of the bar on a line of its own.
func (p *progress) end() {
	if !p.last.IsZero() {
		p.draw()
		fmt.Fprintln(os.Stderr)
	}
}
