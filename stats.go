package liburing

// Stats counts what a loop has done.
type Stats struct {
	Submitted uint64 // requests handed to the kernel, the loop's own among them
	Completed uint64 // completions given to callbacks
	Enters    uint64 // system calls to submit or wait
	Batches   uint64 // times that completions were taken off the ring
	Stale     uint64 // completions that belonged to no request: 0 unless others ring messages in
	InFlight  int    // requests without their terminal completion

	// Overflows is how often the completion queue was found to have been too
	// small. The kernel keeps what does not fit, so nothing is lost, but slowly.
	Overflows uint64

	// BuffersShort is how many requests ended because their BufGroup had no
	// buffer left.
	BuffersShort uint64

	// StreamPauses is how often a stream paused because its requests ended again
	// and again and brought nothing; see Rearm.
	StreamPauses uint64
}

// Stats returns what the loop has counted so far. The loop's thread counts for
// itself, which costs next to nothing, and is asked for the figures.
func (l *Loop) Stats() Stats {
	var s Stats
	err := l.call(func() error {
		s = l.counted()
		return nil
	})
	if err != nil {
		return l.mail.lastStats()
	}
	return s
}

// counted returns the figures, on the loop's thread.
func (l *Loop) counted() Stats {
	s := l.stats
	s.InFlight = l.inFlight - l.inner
	return s
}
