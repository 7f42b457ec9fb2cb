package main

import (
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// progress says what runs and how much time is left: in a line on the terminal,
// elsewhere in a line for each contest.
type progress struct {
	terminal bool
	start    time.Time
	all, ran time.Duration // as expected beforehand
	contest  string        // that was shown last
}

func newProgress(contests []contest, rounds int) *progress {
	p := &progress{terminal: onTerminal(), start: time.Now()}
	for _, c := range contests {
		for _, prog := range c.programs {
			p.all += time.Duration(rounds) * prog.takes
		}
	}
	return p
}

// show says what is going to run.
func (p *progress) show(contest, what string) {
	left := p.left().Round(time.Second)
	switch {
	case p.terminal:
		fmt.Fprintf(os.Stderr, "\r\x1b[K%3.0f%%  %s left  %s, %s", 100*p.part(), left, contest, what)
	case contest != p.contest:
		sayOnStderr(fmt.Sprintf("%s (%s left)", contest, left))
	}
	p.contest = contest
}

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
func (p *progress) end() { clearLine() }

// sayOnStderr prints a message. Where the line of progress was, it is shown again
// with the next program.
func sayOnStderr(what string) {
	clearLine()
	fmt.Fprintln(os.Stderr, "bench:", what)
}

func clearLine() {
	if onTerminal() {
		fmt.Fprint(os.Stderr, "\r\x1b[K")
	}
}

func onTerminal() bool {
	_, err := unix.IoctlGetTermios(int(os.Stderr.Fd()), unix.TCGETS)
	return err == nil
}
