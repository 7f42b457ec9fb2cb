package liburing

import (
	"encoding/binary"
	"strings"
	"unsafe"
)

// How the arguments of requests become what the kernel takes.

// addr returns the address of memory that a request names, for the kernel.
//
// The pointer leaves through a variable that the compiler can't see through, so
// what it points to is on the heap: a goroutine's stack moves when it grows,
// and the kernel would write to where it was. Whoever prepares the request
// keeps the memory reachable until the terminal completion.
func addr[T any](p *T) uint64 {
	if escape.always {
		escape.to = unsafe.Pointer(p)
	}
	return uint64(uintptr(unsafe.Pointer(p)))
}

// data is addr for the bytes of a slice.
func data[T any](s []T) uint64 { return addr(unsafe.SliceData(s)) }

var escape struct {
	always bool // never set
	to     unsafe.Pointer
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
		v := Iovec{Base: unsafe.SliceData(b)}
		v.SetLen(len(b)) // whose type depends on the machine
		iov = append(iov, v)
	}
	return iov
}

// pollMask puts the events of poll(2) as the kernel wants them: the halves of
// the word change places on big-endian machines (__io_uring_prep_poll_mask).
func pollMask(mask uint32) uint32 {
	if binary.NativeEndian.Uint16([]byte{0, 1}) == 1 {
		return mask<<16 | mask>>16
	}
	return mask
}

// FutexWaitv is struct futex_waitv on 64-bit machines: one of several futexes to
// wait for.
type FutexWaitv struct {
	Val   uint64  // the value it must have
	Futex *uint32 // on the heap, or in memory of one's own
	Flags Futex2Flags
	_     uint32
}
