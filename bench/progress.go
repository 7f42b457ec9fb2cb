package main

import (
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// progress is a line on the terminal that says what runs and how much time is
// left; elsewhere it is nothing.
type progress struct {
	terminal bool
	start    time.Time
	all, ran time.Duration // as expected beforehand
}

func newProgress(contests []contest, rounds int) *progress {
	_, err := unix.IoctlGetTermios(int(os.Stderr.Fd()), unix.TCGETS)
	p := &progress{terminal: err == nil, start: time.Now()}
	for _, c := range contests {
		for _, prog := range c.programs {
			p.all += time.Duration(rounds) * prog.takes
		}
	}
	return p
}

// show says what is going to run.
func (p *progress) show(what string) {
	if p.terminal {
		fmt.Fprintf(os.Stderr, "\r\x1b[K%3.0f%%  %s left  %s", 100*p.part(), p.left().Round(time.Second), what)
	}
}

// say prints a message; what runs is shown again by the next show.
func (p *progress) say(what string) {
	p.end()
	sayOnStderr(what)
}

func sayOnStderr(what string) { fmt.Fprintln(os.Stderr, "bench:", what) }

// done counts a run that was expected to take a time.
func (p *progress) done(took time.Duration) { p.ran += took }

func (p *progress) part() float64 { return float64(p.ran) / float64(max(p.all, 1)) }

// left is the time that the rest takes if it keeps to its expectations as well
// as what ran did.
func (p *progress) left() time.Duration {
	rest := p.all - p.ran
	if p.ran == 0 {
		return rest
	}
	return time.Duration(float64(time.Since(p.start)) * float64(rest) / float64(p.ran))
}

// end takes the line away.
func (p *progress) end() {
	if p.terminal {
		fmt.Fprint(os.Stderr, "\r\x1b[K")
	}
}
