package liburing

import (
	"fmt"
	"slices"
	"sync"
	"syscall"
	"unsafe"
)

// Queues of two sizes. In a submission queue (SetupSQEMixed) most entries take one
// place, those of a few operations two, which must lie together.

// udataFiller is the user data of the no-ops that fill a place. No Token is as large.
const udataFiller = UdataTimeout - 1

// mixed reports whether the submission queue is one.
func (m *ringMem) mixed() bool { return m.flags&SetupSQEMixed != 0 }

// atLastPlace reports whether the next entry's place is the queue's last.
func (m *ringMem) atLastPlace() bool { return (m.sq.sqeTail+1)&m.sq.ringMask == 0 }

// fillPlace fills the next place with a no-op, which carries on the chain that the
// entry before is linked by. It can't be a silent one: after that the kernel would
// drain no more.
func (m *ringMem) fillPlace(link SQEFlags) {
	filler := m.nextSQE(1)
	filler.PrepNop()
	filler.UserData = udataFiller
	filler.Flags = link
}

// nextSQE takes the next entry of the submission queue, as many places long.
func (m *ringMem) nextSQE(places uint32) *SQE {
	sqe := m.sqe(m.sq.sqeTail)
	m.sq.sqeTail += places
	sqe.initialize()
	return sqe
}

// sqePlaces returns how many entries of 64 bytes a request has to itself.
func (m *ringMem) sqePlaces(sqe *SQE) int {
	if m.mixed() && sqe.Opcode.facts().big {
		return 2
	}
	return int(m.sqeSize / unsafe.Sizeof(*sqe))
}

// chainPlaces returns how many places of the queue the next n requests, a chain, may
// take: also the one that stays free where a big one would be cut in two by the queue's
// end.
func (b *backlog) chainPlaces(m *ringMem, n int) int {
	if !m.mixed() {
		return n
	}
	bigs := 0
	for i := range n {
		bigs += m.sqePlaces(b.at(i)) - 1
	}
	return n + bigs + min(bigs, 1)
}

// put moves the next n requests, a chain, to the queue's tail.
func (b *backlog) put(m *ringMem, n int) {
	var link SQEFlags
	for range n {
		e := b.at(0)
		halves, places := m.sqePlaces(e), 1
		if m.mixed() {
			places = halves
		}
		if places > 1 && m.atLastPlace() {
			m.fillPlace(link)
		}
		copySQE(m.sqe(m.sq.sqeTail), e, halves)
		m.sq.sqeTail += uint32(places)
		link = e.links()
		b.pop()
	}
}

// takeBackMixed is takeBack where requests take one place or two, which their first says,
// and without what only fills one.
func (b *backlog) takeBackMixed(m *ringMem, first uint32) {
	var requests []*SQE
	for pos := first; pos != m.sq.sqeTail; {
		e := m.sqe(pos)
		pos += uint32(m.sqePlaces(e))
		if e.UserData != udataFiller {
			requests = append(requests, e)
		}
	}
	for _, e := range slices.Backward(requests) {
		copySQE(b.pushFront(), e, m.sqePlaces(e))
	}
	b.surplus -= uint64(m.sq.sqeTail-first) - uint64(len(requests))
	m.sq.sqeTail = first
}

// leastEntries returns how many entries a loop's queue has at least: a request with a
// deadline takes two, and a big one with its own three.
func leastEntries(flags SetupFlags) int {
	if flags&SetupSQEMixed != 0 {
		return 4
	}
	return 2
}

// mixedLosesCompletions reports whether this kernel loses completions of a queue of both
// sizes (SetupCQEMixed) that overflows, as Linux 6.18 to 7.2 do: where a big one has
// found too little room at the queue's end, the next small one moves the tail by two.
var mixedLosesCompletions = sync.OnceValue(func() bool {
	r, err := New(4, WithFlags(SetupCQEMixed), WithCQEntries(4))
	if err != nil {
		return false
	}
	defer r.Close()
	for place := range 5 {
		sqe := r.GetSQE()
		sqe.PrepNop()
		if place == 3 {
			sqe.OpFlags = uint32(NopCQE32)
		}
		if _, err := r.Submit(); err != nil {
			return false
		}
	}
	return r.CQReady() > 4
})

// checkMixed refuses a loop what this kernel does wrong.
func checkMixed(flags SetupFlags) error {
	if flags&SetupCQEMixed == 0 || !mixedLosesCompletions() {
		return nil
	}
	return &OpError{Op: "io_uring_setup", Err: syscall.EINVAL, lacking: true, Hint: fmt.Sprintf(
		"this kernel loses completions of a queue with %v when it is full (Linux 6.18 to 7.2): use SetupCQE32", SetupCQEMixed)}
}
