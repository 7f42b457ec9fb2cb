//go:build linux

package ringio

import (
	"unsafe"

	"github.com/go-liburing/liburing"
)

// fixed are the registered buffers of a ring: pieces of one mapping.
type fixed struct {
	base   uintptr // of the mapping, which is not of Go's heap and does not move
	length uintptr
	size   uintptr // of a buffer
}

// registerFixed has the ring know a pool's buffers, if it can: registered memory counts
// as locked.
func (e *engine) registerFixed(pool *liburing.BufferPool) bool {
	all := pool.Buffers()
	e.mu.Lock()
	defer e.unlock()
	if e.ring.RegisterBuffers(all) != nil {
		return false
	}
	size := uintptr(len(all[0]))
	e.fixed = fixed{addressOf(all[0]), size * uintptr(len(all)), size}
	return true
}

// addressOf is for comparing, and the pool's memory, which it is compared with, does not move.
func addressOf(b []byte) uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(b))) }

// index returns which registered buffer b lies in, -1 if in none.
func (f *fixed) index(b []byte) int {
	at := addressOf(b) - f.base
	if f.size == 0 || at >= f.length || at%f.size+uintptr(len(b)) > f.size {
		return -1
	}
	return int(at / f.size)
}

// prepRead prepares a read into b, the faster if b is registered.
func (f *fixed) prepRead(sqe *liburing.SQE, fd int, b []byte, off uint64) {
	if index := f.index(b); index >= 0 {
		sqe.PrepReadFixed(fd, b, off, index)
	} else {
		sqe.PrepRead(fd, b, off)
	}
}

// prepWrite prepares a write of b.
func (f *fixed) prepWrite(sqe *liburing.SQE, fd int, b []byte, off uint64) {
	if index := f.index(b); index >= 0 {
		sqe.PrepWriteFixed(fd, b, off, index)
	} else {
		sqe.PrepWrite(fd, b, off)
	}
}
