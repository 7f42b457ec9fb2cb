package liburing

// writers is what the Writers of a loop share, so that one that has nothing to send
// takes little memory.
type writers struct {
	dirty   []*Writer // those with something to do before the loop submits
	next    int       // the first of them whose turn has not come
	chunks  [][]byte  // in stock
	flights []*flight // in stock
}

const (
	chunkSize  = 16 << 10
	mostChunks = 256 // in stock
)

func (s *writers) chunk() []byte {
	last := len(s.chunks) - 1
	if last < 0 {
		return make([]byte, chunkSize)
	}
	chunk := s.chunks[last]
	s.chunks = s.chunks[:last]
	return chunk
}

// release lets go of a piece that the kernel is done with.
func (s *writers) release(p piece, err error) {
	if p.chunk != nil && len(s.chunks) < mostChunks {
		s.chunks = append(s.chunks, p.chunk)
	}
	if p.done != nil {
		p.done(err)
	}
}

func (s *writers) flight(w *Writer) *flight {
	last := len(s.flights) - 1
	if last < 0 {
		f := &flight{writer: w}
		f.cb = f.completed
		return f
	}
	f := s.flights[last]
	s.flights = s.flights[:last]
	f.writer = w
	return f
}

// land puts a flight into the stock.
func (s *writers) land(f *flight) {
	clear(f.pieces)
	clear(f.bufs)
	clear(f.iov)
	*f = flight{cb: f.cb, pieces: f.pieces[:0], bufs: f.bufs[:0], iov: f.iov[:0]}
	s.flights = append(s.flights, f)
}

// wake has the loop call flush before it submits the next time: what callbacks write
// until then goes in one send.
func (w *Writer) wake() {
	if w.dirty {
		return
	}
	w.dirty = true
	w.loop.writers.dirty = append(w.loop.writers.dirty, w)
	select {
	case <-w.loop.done: // it does not submit any more
		w.loop.flushWriters()
	default:
	}
}

// flushWriters has the Writers send what was written. Should a function that one of
// them calls panic, the next turn goes on behind it.
func (l *Loop) flushWriters() {
	s := &l.writers
	for s.next < len(s.dirty) {
		w := s.dirty[s.next]
		s.dirty[s.next] = nil
		s.next++
		w.flush()
		if l.ring.mem != nil {
			l.endChain() // that such a function has left open
		}
	}
	s.dirty, s.next = s.dirty[:0], 0
}
