// Package yield keeps Go's monitor off goroutines that are in C or in the kernel all the time.
package yield

import (
	"runtime"
	"sync/atomic"
	"time"
)

// Yielder keeps Go's monitor off a goroutine that crosses into C all the time.
//
// The monitor preempts a goroutine that the scheduler has not seen for 10 ms.
// One that it finds in a system call can't be asked: it loses its processor,
// and has to win one back when the call ends, which the scheduler does not see
// either. So that goes on at every look of the monitor, and as it found
// something to do, the looks stay 20 µs apart. On a busy ring that was a fifth
// of the time. To yield now and then avoids it.
type Yielder struct {
	crossings uint32
	last      time.Time
}

const (
	crossingsPerLook = 32                   // at the time: 5 ms, if each takes 150 µs
	yieldAfter       = 5 * time.Millisecond // half of the monitor's patience
)

// Crossed counts a call of C and yields if it is time to.
func (y *Yielder) Crossed() {
	if y.crossings++; y.crossings%crossingsPerLook == 0 {
		y.Look()
	}
}

// Look yields if it has not been done for a while.
func (y *Yielder) Look() {
	if time.Since(y.last) >= yieldAfter { // half of what time.Now costs
		runtime.Gosched()
		y.last = time.Now()
	}
}

// Shared does the same for goroutines that make long system calls, each alone for a while:
// where one reads a disk again and again, a read takes up to a third less time.
type Shared struct{ last atomic.Int64 }

var begun = time.Now()

// Look yields if nobody has for a while.
func (s *Shared) Look() {
	now := int64(time.Since(begun))
	if now-s.last.Load() >= int64(yieldAfter) {
		s.last.Store(now)
		runtime.Gosched()
	}
}
