package liburing

import (
	"sync"
	"sync/atomic"
)

// mailbox is the part of a loop that other goroutines may touch: what they want
// of it, and how they wake it.
type mailbox struct {
	// attention is set when the loop should look into the mailbox, sleeping
	// while the loop may be blocked in the kernel: whoever sets the first and
	// finds the second set wakes it. One wake-up serves many.
	attention atomic.Bool
	sleeping  atomic.Bool
	wake      waker

	mu    sync.Mutex
	state loopState
	stop  bool     // Run is to return
	why   error    // what it is to return
	posts []func() // in the order they came
	stats Stats    // of a loop that is being closed

	refused []refused // requests of a loop that is being closed
	answers answers   // which of them are told
	ended   bool      // the loop tells of no refusal any more
}

// leaveStats leaves a closing loop's figures for other goroutines.
func (b *mailbox) leaveStats(s Stats) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stats = s
}

// lastStats returns the figures that were left last.
func (b *mailbox) lastStats() Stats {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.stats
}

type loopState uint8

const (
	loopIdle loopState = iota
	loopRunning
	loopClosing
)

// add queues a function for the loop and tells whether it will be run.
func (b *mailbox) add(f func()) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.state == loopClosing {
		return ErrClosed
	}
	b.posts = append(b.posts, f)
	b.alert()
	return nil
}

// collect returns what was queued, leaving the given empty slice to be filled.
func (b *mailbox) collect(empty []func()) []func() {
	b.mu.Lock()
	defer b.mu.Unlock()
	posts := b.posts
	b.posts = empty
	return posts
}

// alert has the loop look into the mailbox soon.
func (b *mailbox) alert() {
	b.attention.Store(true)
	if b.sleeping.CompareAndSwap(true, false) {
		b.wake.signal()
	}
}

// inRun reports whether the loop is running.
func (b *mailbox) inRun() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.state == loopRunning
}

// stopped reports whether Run is to return, and with which error.
func (b *mailbox) stopped() (bool, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.stop, b.why
}

// requestStop has Run return, with the first error.
func (b *mailbox) requestStop(why error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stop = true
	if b.why == nil {
		b.why = why
	}
	if b.state == loopRunning {
		b.alert()
	}
}

// begin changes from standing still to running.
func (b *mailbox) begin() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch b.state {
	case loopIdle:
		b.state = loopRunning
		b.attention.Store(true)
		return nil
	case loopRunning:
		return ErrRunning
	}
	return ErrClosed
}

// end is begin's counterpart; a loop that is being closed stays so.
func (b *mailbox) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.state == loopRunning {
		b.state = loopIdle
		b.stop, b.why = false, nil
	}
}

// beginClose has the loop take nothing more and reports whether this is the
// first call.
func (b *mailbox) beginClose() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.state == loopClosing {
		return false
	}
	b.state = loopClosing
	b.stop = true
	b.alert()
	return true
}

// addRefused leaves a refused request for the loop to tell of, unless it is one too
// many, and reports whether the loop is there to do so.
func (b *mailbox) addRefused(r refused) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.ended && !b.answers.end(r.depth) {
		b.refused = append(b.refused, r)
	}
	return !b.ended
}

// returnRefused leaves requests that were collected and not told of.
func (b *mailbox) returnRefused(list []refused) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.refused = append(b.refused, list...)
}

// collectRefused returns the requests that were refused since the last call.
func (b *mailbox) collectRefused() []refused {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := b.refused
	b.refused = nil
	return list
}

// endRefusals has the loop tell of no refusal any more, unless there are some now
// and force is false. It reports whether it has ended that.
func (b *mailbox) endRefusals(force bool) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ended = force || len(b.refused) == 0
	return b.ended
}
