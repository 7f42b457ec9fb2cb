//go:build linux

package ringio

import (
	"math"
	"sync/atomic"
	"time"
)

// crowd tells whether the pump wakes so many goroutines at a time that what they write
// had better wait for the others: it is sent when all have run, in one system call. They
// run before the pump does, so this is soon; where handlers turn out to take their time,
// each sends what it writes itself.
type crowd struct {
	here  atomic.Bool
	since time.Time // of the end of the pump's last turn that has woken many
	size  int       // how many
	quiet int       // turns since
	pace  pace      // whether there is none for some turns, whatever comes
	far   bool      // others compute: it is long until the pump's next turn
	over  bool      // the engine is being shut down: there is no crowd any more
}

const (
	crowdSize      = 4
	crowdQuiet     = 8                      // turns without many, then it has gone
	crowdRuns      = 200 * time.Microsecond // and so much for each of them, or it is slow:
	crowdRunsOne   = 40 * time.Microsecond
	crowdRunsWrite = 8 * time.Microsecond // for each further write of theirs
	crowdFar       = 5 * time.Millisecond // as crowdRuns; a goroutine that computes has 10 ms
)

// ran says that those who were woken have run, and have staged so many requests: it is the
// pump's turn again.
func (c *crowd) ran(staged int) {
	if c.size != 0 {
		c.took(time.Since(c.since), staged)
	}
}

// took is ran with the time that it took.
func (c *crowd) took(all time.Duration, staged int) {
	more := all - time.Duration(c.size)*crowdRunsOne
	c.far = more > crowdFar
	if c.here.Load() {
		c.pace.took(more > crowdRuns+time.Duration(max(0, staged-c.size))*crowdRunsWrite)
	}
	c.size = 0
}

// most is how many completions the pump tells in a turn: all, where those that are left would
// have to wait for long.
func (c *crowd) most() int {
	if c.far {
		return math.MaxInt
	}
	return mostAtOnce
}

// left says that a turn has woken n goroutines and left others to be told, soon.
func (c *crowd) left(n int) { c.since, c.size = time.Now(), max(n, 1) }

// woke says how many goroutines the turn has woken.
func (c *crowd) woke(n int) {
	if n >= crowdSize {
		c.since, c.size = time.Now(), n
	}
	switch {
	case c.pace.rests():
		c.here.Store(false)
	case n >= crowdSize && !c.over:
		c.quiet = 0
		c.here.Store(true)
	case c.here.Load():
		if c.quiet++; c.quiet > crowdQuiet {
			c.here.Store(false)
		}
	}
}

// end has there be no crowd from now on.
func (c *crowd) end() {
	c.over = true
	c.here.Store(false)
}
