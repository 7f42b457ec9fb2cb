package main

import (
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// progress draws a bar on a terminal, and nothing elsewhere.
type progress struct {
	total    int64
	terminal bool
	last     time.Time
}

func newProgress(total int64) progress {
	_, err := unix.IoctlGetTermios(int(os.Stderr.Fd()), unix.TCGETS)
	return progress{total: total, terminal: err == nil}
}

func (p *progress) show(done int64) {
	if !p.terminal || time.Since(p.last) < 50*time.Millisecond && done < p.total {
		return
	}
	p.last = time.Now()
	const width = 40
	part := float64(done) / float64(max(p.total, 1))
	full := int(part * width)
	fmt.Fprintf(os.Stderr, "\r[%s%s] %3.0f%%  %d of %d MiB",
		strings.Repeat("=", full), strings.Repeat(" ", width-full), 100*part, done>>20, p.total>>20)
}

func (p *progress) end() {
	if p.terminal {
		fmt.Fprintln(os.Stderr)
	}
}
