//go:build linux

package ringio

import (
	"sync/atomic"
	"unsafe"

	"github.com/go-liburing/liburing/internal/prefetch"
)

// Of thousands of connections nothing is in the processor's caches when its turn comes, and
// a goroutine that goes on would wait for one line after the other: its own, its stack's, its
// socket's. So before the pump tells many completions it has all that fetched at the same
// time. What the kernel touches for a message can't be had so.

// coldCrowd is from how many requests in flight on this pays.
const coldCrowd = 256

// near is where that is which a reader touches when it goes on.
type near struct {
	goroutine, stack, memory atomic.Uintptr
	socket, outbox           atomic.Uintptr
	_                        [24]byte // to a whole line
}

// How many lines are fetched of each.
const (
	readPollLines  = 2
	channelLines   = 2
	goroutineLines = 7
	linesBelow     = 4 // of the stack, from where the reader is: for what it calls until it waits
	linesAbove     = 12
	socketLines    = 2 // see socket
)

// to notes the socket.
func (n *near) to(s *socket) {
	n.socket.Store(where(s))
	n.outbox.Store(where(s.box.Load()))
}

// waits notes the caller, who is about to wait for p to be filled. As a rule it is the same
// each time: to look is cheaper than to store.
func (n *near) waits(p []byte) {
	goroutine, stack := prefetch.Here()
	note(&n.goroutine, goroutine)
	note(&n.stack, stack)
	note(&n.memory, where(unsafe.SliceData(p)))
}

func note(to *atomic.Uintptr, address uintptr) {
	if to.Load() != address {
		to.Store(address)
	}
}

// fetch has all fetched that is touched when a full batch is told. The ring is locked.
func (b *reaped) fetch(e *engine) {
	some := b.polls[:0]
	for _, cqe := range b.cqes {
		o := e.table.find(cqe.UserData)
		if o == nil {
			continue
		}
		switch of := o.keep.(type) {
		case *readPoll:
			prefetch.Lines(where(of), readPollLines)
			some = append(some, of)
		case *outbox:
			prefetch.Lines(where(of), 1)
		}
	}
	for _, r := range some {
		r.fetchReader()
	}
	clear(some) // they may be gone soon
}

// fetchReader has what the reader is going to touch fetched.
func (r *readPoll) fetchReader() {
	n := &r.near
	prefetch.Lines(n.memory.Load(), 1)
	prefetch.Lines(*(*uintptr)(unsafe.Pointer(&r.wake)), channelLines) // a channel is a pointer
	prefetch.Lines(n.goroutine.Load(), goroutineLines)
	prefetch.Lines(n.stack.Load()-linesBelow*prefetch.Line, linesBelow+linesAbove)
	prefetch.Lines(n.socket.Load(), socketLines)
	prefetch.Lines(n.outbox.Load(), 1)
}

// where is the number of a pointer, which only the processor's caches get to see.
func where[T any](p *T) uintptr { return uintptr(unsafe.Pointer(p)) }
