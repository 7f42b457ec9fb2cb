package liburing

import "unsafe"

// backlog holds the requests that found no room in the submission queue, in
// their order, until the loop's next submission. Its entries are never moved in
// memory, so a Request can point to one.
type backlog struct {
	queue []*bigSQE
	first int // of queue: those before it have gone
	spare []*bigSQE
}

func (b *backlog) len() int { return len(b.queue) - b.first }

// waiting returns the entries that are in the backlog.
func (b *backlog) waiting() []*bigSQE { return b.queue[b.first:] }

// bigSQE is an entry of a ring with SetupSQE128.
type bigSQE struct {
	SQE
	rest [unsafe.Sizeof(SQE{})]byte
}

// push appends an entry, which has to be cleared.
//
//go:noinline
func (b *backlog) push() *SQE {
	e := b.entry()
	b.queue = append(b.queue, e)
	return &e.SQE
}

func (b *backlog) entry() *bigSQE {
	last := len(b.spare) - 1
	if last < 0 {
		return new(bigSQE)
	}
	e := b.spare[last]
	b.spare = b.spare[:last]
	e.rest = [len(e.rest)]byte{}
	return e
}

// fill moves what fits into the submission queue. A chain goes there as a
// whole, for the kernel ends a chain where a submission ends. One that is longer
// than the queue never fits: fill returns its entries.
func (b *backlog) fill(m *ringMem) (tooLong []*bigSQE) {
	b.takeBack(m, m.lastChain())
	for b.first < len(b.queue) {
		n := chainLength(b.waiting())
		if n > int(m.sq.ringEntries) {
			return b.waiting()[:n]
		}
		if n > m.sqSpace(m.loadSQHead()) {
			break
		}
		for _, e := range b.waiting()[:n] {
			m.copyIn(m.sq.sqeTail, e)
			m.sq.sqeTail++
			e.UserData = 0 // no request's any more
			b.spare = append(b.spare, e)
		}
		b.first += n
	}
	b.tidy()
	return nil
}

// tidy gives the room up of what has gone, once that is most of the queue.
func (b *backlog) tidy() {
	if 2*b.first >= len(b.queue) {
		b.queue = append(b.queue[:0], b.waiting()...)
		b.first = 0
	}
}

// takeBack moves the submission queue's entries from a position on to the head of
// the backlog.
func (b *backlog) takeBack(m *ringMem, first uint32) {
	tail := m.sq.sqeTail
	if first == tail {
		return
	}
	taken := make([]*bigSQE, 0, int(tail-first)+len(b.waiting()))
	for pos := first; pos != tail; pos++ {
		e := b.entry()
		m.copyOut(e, pos)
		taken = append(taken, e)
	}
	b.queue, b.first = append(taken, b.waiting()...), 0
	m.sq.sqeTail = first
}

// lastChain returns where the chain begins that the submission queue ends with and
// whose rest is in the backlog; the tail if there is none.
func (m *ringMem) lastChain() uint32 {
	first := m.sq.sqeTail
	for first != m.sq.sqeHead && m.sqe(first-1).linked() {
		first--
	}
	return first
}

// linked reports whether the next entry belongs to the same chain.
func (s *SQE) linked() bool { return s.Flags&(SQEIOLink|SQEIOHardlink) != 0 }

// chainLength returns the number of entries of the chain that starts the queue.
func chainLength(queue []*bigSQE) int {
	for i, e := range queue {
		if !e.linked() {
			return i + 1
		}
	}
	return len(queue)
}

func (m *ringMem) copyIn(pos uint32, e *bigSQE) {
	if m.sqeSize == unsafe.Sizeof(bigSQE{}) {
		*(*bigSQE)(unsafe.Pointer(m.sqe(pos))) = *e
		return
	}
	*m.sqe(pos) = e.SQE
}

func (m *ringMem) copyOut(e *bigSQE, pos uint32) {
	if m.sqeSize == unsafe.Sizeof(bigSQE{}) {
		*e = *(*bigSQE)(unsafe.Pointer(m.sqe(pos)))
		return
	}
	e.SQE = *m.sqe(pos)
}
