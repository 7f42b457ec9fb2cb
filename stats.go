package liburing

// Stats counts what a loop has done.
type Stats struct {
	Submitted uint64 // requests handed to the kernel
	Completed uint64 // completions given to callbacks
	Enters    uint64 // system calls to submit or wait
	Stale     uint64 // completions that belonged to no request: always 0
	InFlight  int    // requests without their terminal completion
}

// Stats returns what the loop has counted so far. The loop's thread counts for
// itself, which costs next to nothing, and is asked for the figures.
func (l *Loop) Stats() Stats {
	var s Stats
	read := func(*Ring) error {
		s = l.stats
		s.InFlight = l.inFlight - l.inner
		return nil
	}
	if l.Control(read) != nil {
		read(nil) // closed: nobody counts any more
	}
	return s
}
