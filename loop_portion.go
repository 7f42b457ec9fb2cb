package liburing

// A disk begins to read or write when it is told to, and has nothing to do until then. So
// where requests are those of files, the loop does not tell all that is done before it
// submits what the callbacks have asked for, but a portion at a time.

const (
	portionsInFlight = 16 // portions that all requests in flight make up
	leastPortion     = 2
	pauseAfterInline = 64 // turns for which the loop submits no earlier
)

// portions decides how many completions are told in a turn.
type portions struct {
	files bool  // requests that may block were submitted by the last turn
	pause uint8 // turns to go until portions are tried again
}

// noteEarly is told how many requests were submitted before all completions were told,
// and how many completions that brought along. What is done at once came from the page
// cache: to submit it earlier is of no use.
func (p *portions) noteEarly(requests, completions uint32) {
	if completions >= requests {
		p.pause = pauseAfterInline
	}
}

// portion returns how many completions are told next, at most.
func (l *Loop) portion() uint32 {
	most := len(l.batch)
	p := &l.portions
	switch {
	case !p.files, l.gather > 0: // which gathers to make the most of a system call
	case p.pause > 0:
		p.pause--
	default:
		most = min(max(l.inFlight/portionsInFlight, leastPortion), most)
	}
	return uint32(most)
}

// submitsBeforeAll reports whether requests are submitted before all completions that
// came are told: those of files, unless there is more that is to go with them.
func (l *Loop) submitsBeforeAll() bool {
	if !l.mayBlock || !l.portions.files || l.portions.pause > 0 || len(l.eve.list) != 0 {
		return false
	}
	last := l.lastEntry()
	return last != nil && !last.linked()
}
