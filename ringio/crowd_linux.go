//go:build linux

package ringio

import (
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
	slow  int       // turns for which there is no crowd, whatever comes
}

const (
	crowdSize    = 4
	crowdQuiet   = 8                      // turns without many, then it has gone
	crowdRuns    = 200 * time.Microsecond // and so much for each of them, or it is slow:
	crowdRunsOne = 20 * time.Microsecond
	crowdPenalty = 64 // turns
)

// ran says that those who were woken have run, and it is the pump's turn again.
func (c *crowd) ran() {
	if c.size == 0 {
		return
	}
	if time.Since(c.since) > crowdRuns+time.Duration(c.size)*crowdRunsOne {
		c.slow = crowdPenalty
	}
	c.size = 0
}

// woke says how many goroutines the turn has woken.
func (c *crowd) woke(n int) {
	switch {
	case c.slow > 0:
		c.slow--
		c.here.Store(false)
	case n >= crowdSize:
		c.since, c.size, c.quiet = time.Now(), n, 0
		c.here.Store(true)
	case c.here.Load():
		if c.quiet++; c.quiet > crowdQuiet {
			c.here.Store(false)
		}
	}
}
