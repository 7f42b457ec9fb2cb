package liburing

import "unsafe"

// backlog holds the requests that found no room in the submission queue, in
// their order, until the loop's next submission. Its entries are never moved in
// memory, so a Request can point to one.
type backlog struct {
	queue []*bigSQE
	spare []*bigSQE
}

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
// whole, for the kernel ends a chain where a submission ends.
func (b *backlog) fill(m *ringMem) {
	if len(b.queue) == 0 {
		return
	}
	b.takeBack(m)
	moved := 0
	for moved < len(b.queue) {
		n := chainLength(b.queue[moved:])
		if n > m.sqSpaceLeft() {
			break
		}
		for _, e := range b.queue[moved : moved+n] {
			m.copyIn(m.sq.sqeTail, e)
			m.sq.sqeTail++
		}
		moved += n
	}
	b.spare = append(b.spare, b.queue[:moved]...)
	b.queue = append(b.queue[:0], b.queue[moved:]...)
}

// takeBack moves the last chain of the submission queue to the head of the
// backlog, where the rest of it is.
func (b *backlog) takeBack(m *ringMem) {
	tail := m.sq.sqeTail
	first := tail
	for first != m.sq.sqeHead && m.sqe(first-1).linked() {
		first--
	}
	if first == tail {
		return
	}
	chain := make([]*bigSQE, 0, int(tail-first)+len(b.queue))
	for pos := first; pos != tail; pos++ {
		e := b.entry()
		m.copyOut(e, pos)
		chain = append(chain, e)
	}
	b.queue = append(chain, b.queue...)
	m.sq.sqeTail = first
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

func (m *ringMem) sqSpaceLeft() int {
	return int(m.sq.ringEntries - (m.sq.sqeTail - m.loadSQHead()))
}

func (m *ringMem) copyIn(pos uint32, e *bigSQE) {
	if m.sqeShift == 1 {
		*(*bigSQE)(unsafe.Pointer(m.sqe(pos))) = *e
		return
	}
	*m.sqe(pos) = e.SQE
}

func (m *ringMem) copyOut(e *bigSQE, pos uint32) {
	if m.sqeShift == 1 {
		*e = *(*bigSQE)(unsafe.Pointer(m.sqe(pos)))
		return
	}
	e.SQE = *m.sqe(pos)
}
