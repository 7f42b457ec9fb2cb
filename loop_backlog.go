package liburing

import (
	"slices"
	"unsafe"
)

// backlog holds the requests that found no room in the submission queue, in
// their order, until the loop's next submission. Its entries are never moved in
// memory, so a Request can point to one.
type backlog struct {
	chunks []*chunk // in order
	first  int      // the place in the first of them of the request that goes next
	number uint16   // of that request: they are numbered in their order, from 0 on again behind 65,535
	n      int      // requests
	step   int      // entries that a request takes: two where they may be big
	per    int      // requests that a chunk has room for
	spare  []*chunk
	table  *handleTable

	surplus uint64 // places taken in the queue beyond one for each request
}

// chunk is memory for some of them.
type chunk [128]SQE

// maxSpare is how many chunks are kept for the next time: half a megabyte.
const maxSpare = 64

func newBacklog(m *ringMem, table *handleTable) backlog {
	step := 1
	if m.flags&(SetupSQE128|SetupSQEMixed) != 0 {
		step = 2
	}
	return backlog{step: step, per: len(chunk{}) / step, table: table}
}

func (b *backlog) len() int { return b.n }

// at returns the entry of a request, the next to go being 0.
func (b *backlog) at(i int) *SQE {
	pos := (b.first + i) * b.step
	return &b.chunks[pos/len(chunk{})][pos%len(chunk{})]
}

// find returns the entry of a request that has this number, as every 65,536th has; nil if
// it is not there.
func (b *backlog) find(t Token, number uint16) *SQE {
	for i := int(number - b.number); i < b.n; i += 1 << 16 {
		if e := b.at(i); e.UserData == uint64(t) {
			return e
		}
	}
	return nil
}

// push appends an entry, whose first 64 bytes have to be cleared.
//
//go:noinline
func (b *backlog) push() *SQE {
	if b.first+b.n == len(b.chunks)*b.per {
		b.chunks = append(b.chunks, b.chunk())
	}
	b.n++
	e := b.at(b.n - 1)
	if b.step > 1 {
		*e.half() = SQE{}
	}
	return e
}

// pushFront puts an entry in front of all others.
func (b *backlog) pushFront() *SQE {
	if b.first == 0 {
		b.chunks = slices.Insert(b.chunks, 0, b.chunk())
		b.first = b.per
	}
	b.first--
	b.number--
	b.n++
	return b.at(0)
}

// half returns the second half of a big entry.
func (s *SQE) half() *SQE { return (*SQE)(unsafe.Add(unsafe.Pointer(s), unsafe.Sizeof(*s))) }

func (b *backlog) chunk() *chunk {
	last := len(b.spare) - 1
	if last < 0 {
		return new(chunk)
	}
	c := b.spare[last]
	b.spare = b.spare[:last]
	return c
}

// pop drops the request that goes next.
func (b *backlog) pop() {
	b.at(0).UserData = 0 // no request's any more
	b.first++
	b.number++
	b.n--
	if b.first < b.per {
		return
	}
	if len(b.spare) < maxSpare {
		b.spare = append(b.spare, b.chunks[0])
	}
	b.chunks = slices.Delete(b.chunks, 0, 1)
	b.first = 0
}

// takeInFront puts the requests of another backlog in front, which is empty then.
func (b *backlog) takeInFront(other *backlog) {
	for i := other.n; i > 0; i-- {
		b.addFront(other.at(i-1), b.step)
	}
	for other.n > 0 {
		other.pop()
	}
}

// take appends the requests of another backlog, which is empty then.
func (b *backlog) take(other *backlog) {
	for other.n > 0 {
		b.takeNext(other)
	}
}

// takeNext appends the request that goes next of another backlog.
func (b *backlog) takeNext(other *backlog) {
	e := other.at(0)
	copySQE(b.push(), e, b.step)
	b.table.moved(e.UserData, true, b.number+uint16(b.n-1))
	other.pop()
}

// addFront puts a copy of a request's entry, of one half or two, in front of all others.
func (b *backlog) addFront(e *SQE, halves int) {
	copySQE(b.pushFront(), e, halves)
	b.table.moved(e.UserData, true, b.number)
}

// fill moves what fits into the submission queue. A chain goes there as a
// whole, for the kernel ends a chain where a submission ends. One that is longer
// than the queue never fits: fill returns its length. What is held back stays.
func (b *backlog) fill(m *ringMem, heldBack func(n int) bool) (tooLong int) {
	b.takeBack(m, m.lastChain())
	for b.n > 0 {
		n := b.chainLength()
		places := b.chainPlaces(m, n)
		if places > int(m.sq.ringEntries) {
			return n
		}
		if places > m.sqSpace(m.loadSQHead()) || heldBack(n) {
			break
		}
		before := m.sq.sqeTail
		b.put(m, n)
		b.surplus += uint64(m.sq.sqeTail - before - uint32(n))
	}
	return 0
}

// takeBack moves the submission queue's entries from a position on to the head of
// the backlog.
func (b *backlog) takeBack(m *ringMem, first uint32) {
	if m.mixed() {
		b.takeBackMixed(m, first)
		return
	}
	for m.sq.sqeTail != first {
		m.sq.sqeTail--
		b.addFront(m.sqe(m.sq.sqeTail), b.step)
	}
}

// lastChain returns where the chain begins that the submission queue ends with and
// whose rest is in the backlog; the tail if there is none.
func (m *ringMem) lastChain() uint32 {
	first := m.sq.sqeTail
	if m.mixed() { // whole chains are all that is in the queue
		return first
	}
	for first != m.sq.sqeHead && m.sqe(first-1).linked() {
		first--
	}
	return first
}

// linked reports whether the next entry belongs to the same chain.
func (s *SQE) linked() bool { return s.links() != 0 }

// links returns the flags that say so.
func (s *SQE) links() SQEFlags { return s.Flags & (SQEIOLink | SQEIOHardlink) }

// chainLength returns the number of entries of the chain that goes next.
func (b *backlog) chainLength() int {
	for i := range b.n {
		if !b.at(i).linked() {
			return i + 1
		}
	}
	return b.n
}

// copySQE copies an entry, of one half or two.
func copySQE(to, from *SQE, halves int) {
	*to = *from
	if halves > 1 {
		*to.half() = *from.half()
	}
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
		b.table.moved(e.UserData, false, uint16(m.sq.sqeTail))
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
		b.addFront(e, m.sqePlaces(e))
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
