package loopio

import "github.com/go-liburing/liburing"

// stock is what the Writers of a loop share, so that one that has nothing to send takes
// little memory.
type stock struct {
	chunks  [][]byte        // that are free
	flights []*flight       // that are free
	held    map[*Writer]int // those with holds, and how many
}

// stockOf returns a loop's.
func stockOf(l *liburing.Loop) *stock {
	type key struct{}
	return l.Local(key{}, func() any {
		s := new(stock)
		l.OnClose(s.releaseHolds)
		return s
	}).(*stock)
}

const (
	chunkSize  = 16 << 10
	mostChunks = 256 // in stock
)

func (s *stock) chunk() []byte {
	last := len(s.chunks) - 1
	if last < 0 {
		return make([]byte, chunkSize)
	}
	chunk := s.chunks[last]
	s.chunks = s.chunks[:last]
	return chunk
}

// release lets go of pieces that the kernel is done with, the first of which were sent.
// Should one of their functions panic, the others are called all the same.
func (s *stock) release(pieces []piece, sent int, err error) {
	next := 0
	defer func() {
		if next < len(pieces) {
			s.release(pieces[next:], sent-next, err)
		}
	}()
	for next < len(pieces) {
		p, why := pieces[next], err
		if next < sent {
			why = nil
		}
		next++
		s.releaseOne(p, why)
	}
}

func (s *stock) releaseOne(p piece, err error) {
	if p.chunk != nil && len(s.chunks) < mostChunks {
		s.chunks = append(s.chunks, p.chunk)
	}
	if p.done != nil {
		p.done(err)
	}
}

func (s *stock) flight(w *Writer) *flight {
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
func (s *stock) land(f *flight) {
	clear(f.pieces)
	clear(f.bufs)
	clear(f.iov)
	*f = flight{cb: f.cb, pieces: f.pieces[:0], bufs: f.bufs[:0], iov: f.iov[:0]}
	s.flights = append(s.flights, f)
}
