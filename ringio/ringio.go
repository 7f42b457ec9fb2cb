package ringio

import (
	"time"
)

// Options are wishes for an Engine; the zero value has the defaults.
type Options struct {
	// Entries is how many requests go to the kernel at once, 256 if it is zero. More
	// may be in flight.
	Entries int

	// Rings is how many rings the engine has, one if it is zero. Files and connections
	// are spread over them.
	Rings int

	// SQPoll, if not zero, has a kernel thread take the requests, which sleeps after
	// that long without one. It takes a processor of its own to be worth it.
	SQPoll time.Duration

	// Workers is how many kernel threads each of the process's threads may have for
	// requests that block, 8 if it is zero.
	Workers int
}

func (o Options) entries() int {
	if o.Entries <= 0 {
		return 256
	}
	return min(o.Entries, 4096)
}

func (o Options) workers() int {
	if o.Workers <= 0 {
		return 8
	}
	return o.Workers
}
