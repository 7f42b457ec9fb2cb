package liburing

import (
	"syscall"
)

// flight is one send of a Writer, and what it has to keep until the kernel is done
// with the memory. A send without a copy may long be answered by then, and the next
// be on its way.
type flight struct {
	writer   *Writer
	pieces   []piece
	first    int // of those that are not sent
	zc       bool
	requests int // that have not had their terminal completion
	answered bool
	token    Token
	cb       Callback

	msg  Msghdr
	iov  []Iovec
	bufs [][]byte
}

// send sends what is left.
func (f *flight) send() {
	w, l, rest := f.writer, f.writer.loop, f.pieces[f.first:]
	const flags = msgWaitall | msgNosignal
	f.requests++
	var r Request
	switch one := rest[0].bytes; {
	case w.noSocket && len(rest) == 1:
		r = l.Write(w.fd, one, CurrentPosition, f.cb)
	case w.noSocket:
		r = l.Writev(w.fd, f.vector(rest), CurrentPosition, f.cb)
	case f.zc && len(rest) == 1:
		r = l.SendZC(w.fd, one, flags, 0, f.cb)
	case f.zc:
		r = l.SendmsgZC(w.fd, f.message(rest), flags, f.cb)
	case len(rest) == 1:
		r = l.Send(w.fd, one, flags, f.cb)
	default:
		r = l.Sendmsg(w.fd, f.message(rest), flags, f.cb)
	}
	f.token = r.Token()
}

func (f *flight) vector(pieces []piece) [][]byte {
	f.bufs = f.bufs[:0]
	for _, p := range pieces {
		f.bufs = append(f.bufs, p.bytes)
	}
	return f.bufs
}

func (f *flight) message(pieces []piece) *Msghdr {
	f.iov = appendIovecs(f.iov[:0], f.vector(pieces))
	f.msg = Msghdr{Iov: &f.iov[0]}
	f.msg.SetIovlen(len(f.iov))
	return &f.msg
}

// completed is the callback of all of its requests.
func (f *flight) completed(c Completion) {
	if !c.More() {
		f.requests--
	}
	defer f.release() // also if a function of the user's panics
	if c.Flags&CQEFNotif == 0 {
		f.answer(c)
	}
}

// answer sees to a send's result.
func (f *flight) answer(c Completion) {
	w, errno := f.writer, syscall.Errno(-min(c.Res, 0))
	switch {
	case w.err != nil: // aborted
		f.land(nil)
	case c.Res > 0 || c.Res == 0 && len(f.pieces[f.first].bytes) == 0:
		f.advance(int(c.Res))
	case errno == syscall.ENOTSOCK && !w.noSocket:
		w.noSocket, f.zc = true, false
		f.send()
	case f.zc && (errno == syscall.EOPNOTSUPP || errno == syscall.EINVAL):
		w.noZC, f.zc = true, false
		f.send()
	case errno == syscall.EINTR:
		f.send()
	case errno == syscall.EAGAIN: // a terminal that does not block, on older kernels
		f.wait()
	case c.Res == 0:
		f.land(&OpError{Op: c.op.String(), Err: syscall.EIO, Hint: "nothing of what was to be sent has been taken"})
	default:
		f.land(c.Err())
	}
}

// advance goes behind n bytes that were taken, and sends the rest if there is one.
func (f *flight) advance(n int) {
	rest := n
	for f.first < len(f.pieces) && rest >= len(f.pieces[f.first].bytes) {
		rest -= len(f.pieces[f.first].bytes)
		f.first++
	}
	if f.first < len(f.pieces) {
		f.pieces[f.first].bytes = f.pieces[f.first].bytes[rest:]
		f.send()
	} else {
		f.land(nil)
	}
	f.writer.sent(n)
}

// wait sends again when there is room.
func (f *flight) wait() {
	const pollout = 4
	f.requests++
	r := f.writer.loop.PollAdd(f.writer.fd, pollout, func(c Completion) {
		f.requests--
		defer f.release()
		if err := c.Err(); err != nil || f.writer.err != nil {
			f.land(err)
		} else {
			f.send()
		}
	})
	f.token = r.Token()
}

// land ends the send, which the next may follow.
func (f *flight) land(err error) {
	w := f.writer
	f.answered = true
	w.sending = nil
	w.wake()
	if err != nil {
		w.fail(err)
	}
}

// release gives the memory back, when the kernel is done with all of it.
func (f *flight) release() {
	if !f.answered || f.requests != 0 {
		return
	}
	pool := &f.writer.loop.writers
	defer pool.land(f)
	pool.release(f.pieces, f.first, f.writer.err)
}

// writers is what the Writers of a loop share, so that one that has nothing to send
// takes little memory.
type writers struct {
	dirty   []*Writer       // those with something to do before the loop submits
	next    int             // the first of them whose turn has not come
	chunks  [][]byte        // in stock
	flights []*flight       // in stock
	held    map[*Writer]int // those with holds, and how many
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

// release lets go of pieces that the kernel is done with, the first of which were sent.
// Should one of their functions panic, the others are called all the same.
func (s *writers) release(pieces []piece, sent int, err error) {
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

func (s *writers) releaseOne(p piece, err error) {
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
