package liburing

import "unsafe"

// Submission queues of two sizes (SetupSQEMixed): most entries take one place, those
// of a few operations two, which must lie together.

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

// leastEntries returns how many entries a loop's queue has at least: a request with a
// deadline takes two, and a big one with its own three.
func leastEntries(flags SetupFlags) int {
	if flags&SetupSQEMixed != 0 {
		return 4
	}
	return 2
}
