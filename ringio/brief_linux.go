//go:build linux

package ringio

import "time"

// brief has requests submitted by a call of which Go's scheduler does not know, where nothing
// of them takes long. Of an ordinary call it wakes its monitor if all was idle, which then looks
// every 20 µs, and that costs a fifth of what a read does. It is for reads past the page cache,
// which as a rule take a few µs each. One for which the file system has to look on the disk
// first where the file lies takes longer: then the calls are ordinary ones for a while.
type brief struct {
	pace
	limit   time.Duration // of a submission that is not slow
	lasting bool          // something in the ring's queue may take long
}

const (
	briefLimit = 500 * time.Microsecond
	briefOne   = 10 * time.Microsecond // and so much for each request
	mostBrief  = 64 << 10              // bytes of one read
)

// submitFilled hands over what is in the ring's queue.
func (e *engine) submitFilled() (n int, err error) {
	if b := &e.brief; b.lasting || b.rests() {
		n, err = e.ring.Submit()
		b.lasting = b.lasting && e.ring.SQReady() != 0
		return n, err
	}
	began := time.Now()
	n, err = e.ring.SubmitRaw()
	e.brief.took(time.Since(began) > e.brief.limit+time.Duration(n)*briefOne)
	return n, err
}

// readsBriefly reports whether a read of n bytes by the ring takes no time to submit.
func (d *disk) readsBriefly(n int) bool { return n <= mostBrief && d.reading.Load() == straight }
