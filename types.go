package liburing

import (
	"encoding/binary"
	"strings"
	"time"
	"unsafe"
)

// Timespec is struct __kernel_timespec: a time, or a length of time.
type Timespec struct {
	Sec  int64
	Nsec int64
}

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

// FutexWaitv is struct futex_waitv on 64-bit machines: a futex to wait for, with
// others.
type FutexWaitv struct {
	Val   uint64  // the value it must have
	Futex *uint32 // on the heap, or in memory of one's own
	Flags Futex2Flags
	_     uint32
}

// pollMask puts the events of poll(2) as the kernel wants them: the halves of
// the word change places on big-endian machines (__io_uring_prep_poll_mask).
func pollMask(mask uint32) uint32 {
	if binary.NativeEndian.Uint16([]byte{0, 1}) == 1 {
		return mask<<16 | mask>>16
	}
	return mask
}

// cString returns s with a NUL behind it, for the kernel; the error is for a
// string that has one inside.
func cString(op Op, s string) (*byte, error) {
	if strings.IndexByte(s, 0) >= 0 {
		return nil, badInput(op.String(), "the path has a NUL byte: %q", s)
	}
	b := make([]byte, len(s)+1)
	copy(b, s)
	return &b[0], nil
}

// appendIovecs makes iovecs of buffers.
func appendIovecs(iov []Iovec, bufs [][]byte) []Iovec {
	for _, b := range bufs {
		iov = append(iov, Iovec{Base: unsafe.SliceData(b), Len: uint64(len(b))})
	}
	return iov
}
