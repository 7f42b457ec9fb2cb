package liburing

// A disk begins to read or write when it is told to, and has nothing to do until then. So
// where requests are those of files, the loop does not tell all that is done before it
// submits what the callbacks have asked for, but a portion at a time.

const (
	portionsInFlight = 16 // portions that all requests in flight make up
	leastPortion     = 2
	mostInline       = 4  // early submissions in a row that were done at once
	pauseAfterInline = 64 // turns for which the loop submits no earlier after that
)

// portions decides how many completions are told in a turn.
type portions struct {
	files  bool  // requests that may block were submitted by the last turn
	inline uint8 // early submissions in a row that were done at once
	pause  uint8 // turns to go until portions are tried again
}

// noteEarly is told how many requests were submitted before all completions were told,
// and how many completions that brought along. What is done at once came from the page
// cache: to submit it earlier is of no use.
func (p *portions) noteEarly(requests, completions uint32) {
	switch {
	case completions < requests:
		p.inline = 0
	case p.inline < mostInline:
		p.inline++
	default:
		p.inline, p.pause = 0, pauseAfterInline
	}
}

// portion returns how many of the completions that wait are told next, at most.
func (l *Loop) portion(wait uint32) int {
	if p := &l.portions; p.files && l.roomForMore() {
		if p.pause == 0 {
			return min(max(l.inFlight/portionsInFlight, int(wait)/portionsInFlight, leastPortion), len(l.batch))
		}
		p.pause--
	}
	return len(l.batch)
}

// roomForMore reports whether requests may be submitted while completions are untold: none
// waits in the backlog, and all that are in flight have room in the completion queue. A loop
// that gathers completions (WithLatency) makes the most of each system call, and for a thread
// of the kernel (SQPOLL) it can't be told what is done at once.
func (l *Loop) roomForMore() bool {
	m := l.ring.mem
	return l.space > 0 && l.gather == 0 && m.flags&SetupSQPoll == 0 && l.inFlight <= int(m.cq.ringEntries)
}

// submitsBeforeAll reports whether requests are submitted before all completions that
// came are told: those of files, unless there is more that is to go with them.
func (l *Loop) submitsBeforeAll() bool {
	if !l.mayBlock || !l.portions.files || l.portions.pause > 0 || len(l.eve.list) != 0 || !l.roomForMore() {
		return false
	}
	last := l.lastEntry()
	return last != nil && !last.linked()
}
