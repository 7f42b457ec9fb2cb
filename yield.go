package liburing

import (
	"runtime"
	"time"
)

// yielder keeps Go's monitor off a goroutine that crosses into C all the time.
//
// The monitor preempts a goroutine that the scheduler has not seen for 10 ms.
// One that it finds in a system call can't be asked: it loses its processor,
// and has to win one back when the call ends, which the scheduler does not see
// either. So that goes on at every look of the monitor, and as it found
// something to do, the looks stay 20 µs apart. On a busy ring that was a fifth
// of the time. To yield now and then avoids it.
type yielder struct {
	crossings uint32
	last      time.Time
}

const (
	crossingsPerLook = 32                   // at the time: 5 ms, if each takes 150 µs
	yieldAfter       = 5 * time.Millisecond // half of the monitor's patience
)

// crossed counts a call of C and yields if it is time to.
func (y *yielder) crossed() {
	if y.crossings++; y.crossings%crossingsPerLook == 0 {
		y.look()
	}
}

func (y *yielder) look() {
	if time.Since(y.last) >= yieldAfter { // half of what time.Now costs
		runtime.Gosched()
		y.last = time.Now()
	}
}
