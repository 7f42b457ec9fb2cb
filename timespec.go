package liburing

import (
	"math"
	"time"
)

// Timespec is struct __kernel_timespec: a time, or a length of time.
type Timespec struct {
	Sec  int64
	Nsec int64
}

// NoTimeout is the timeout that never ends.
var NoTimeout = Timespec{Sec: -1, Nsec: -1}

// NewTimespec returns d as a Timespec.
func NewTimespec(d time.Duration) Timespec {
	return Timespec{Sec: int64(d / time.Second), Nsec: int64(d % time.Second)}
}

// without returns what is left of a timeout when some of it has passed.
func (ts Timespec) without(passed time.Duration) Timespec {
	if ts == NoTimeout {
		return ts
	}
	left := Timespec{Sec: ts.Sec - int64(passed/time.Second), Nsec: ts.Nsec - int64(passed%time.Second)}
	if left.Nsec < 0 {
		left.Sec--
		left.Nsec += int64(time.Second)
	}
	if left.Sec < 0 {
		return Timespec{}
	}
	return left
}

// duration returns a length of time, as long as a Duration can be.
func (ts Timespec) duration() time.Duration {
	return time.Duration(min(max(ts.Sec, 0), math.MaxInt64/int64(time.Second)-1))*time.Second + time.Duration(ts.Nsec)
}
