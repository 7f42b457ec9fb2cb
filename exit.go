package liburing

import (
	"sync/atomic"
	"syscall"
	"time"
)

// What the kernel still has of a ring that was given back: it takes the ring apart
// in a work queue, some 50 ms later.

// release gives back what need not wait for that: files, whose ports and locks would
// stay taken, locked memory, and the eventfd. What there is none of is no error.
func (m *ringMem) release() {
	for _, unregister := range []func(*ringMem) int32{cUnregisterFiles, cUnregisterBuffers, cUnregisterEventfd} {
		for unregister(m) == -int32(syscall.EINTR) {
		}
	}
}

var (
	started  = time.Now()
	lastExit atomic.Int64 // since then, of the last ring; 0 if there was none
)

// exitTakes is how long the memory of a ring that was given back may still count
// against RLIMIT_MEMLOCK.
const exitTakes = 500 * time.Millisecond

// setUpPatiently tries again for want of memory as long as that may be the memory of
// a ring that the kernel is about to take apart.
func setUpPatiently(setUp func() (*ringMem, int32)) (m *ringMem, ret int32) {
	for pause := time.Millisecond; ; pause *= 2 {
		last := lastExit.Load()
		m, ret = setUp()
		if ret != -int32(syscall.ENOMEM) || last == 0 || time.Since(started)-time.Duration(last) > exitTakes {
			return m, ret
		}
		time.Sleep(pause)
	}
}
