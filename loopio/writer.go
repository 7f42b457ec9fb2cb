package loopio

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/go-liburing/liburing"
)

// Writer sends bytes through a socket, a pipe or a terminal: all of them, in the order
// in which it gets them. It has one send on its way at a time, because the kernel may
// carry out several on one stream in any order, and puts what is written meanwhile, or
// in callbacks that run in the same turn, into the next. Like requests, call its
// methods in callbacks, posted functions, and on the goroutine that will call Run.
type Writer struct {
	loop    *liburing.Loop
	stock   *stock
	fd      int
	options WriterOptions

	queue    []piece
	first    int     // of those that wait
	sending  *flight // what is on its way
	buffered int
	accepted uint64 // bytes, ever
	syncs    []writerSync
	syncing  int  // how many of them the sync on its way is for
	full     bool // it has had to wait since it was last drained
	dirty    bool // the loop will call flush
	flushCB  func()

	noSocket bool // there is no sending, but writing
	noZC     bool
	err      error
	stage    writerStage // how far its end has come
	wanted   writerStage
	ending   bool // a request that ends it is on its way
	ends     []writerEnd
}

// WriterOptions are the options of a Writer. The zero value will do.
type WriterOptions struct {
	// Limit is how many bytes may wait before Write refuses more; 0 stands for 1 MiB. The
	// last Write that is accepted may exceed it.
	Limit int
	// ZeroCopy is the length in bytes from which a WriteNoCopy is sent without a copy in
	// the kernel; 0 means never. It pays off from some 10 KiB on, over a network. Needs
	// Linux 6.1; on older kernels, and on sockets that can't do it, the bytes are copied.
	ZeroCopy int
	// Drained is called when no more than half of Limit bytes wait, after there were Limit
	// or more.
	Drained func()
	// Failed is called once with the first error of a send. Nothing more is sent; you
	// still have to call Close.
	Failed func(err error)
}

// ErrWriterFull is returned by a Writer that already has as much to send as its Limit
// allows. Its peer does not read: wait for Drained, or give up.
var ErrWriterFull = fmt.Errorf("loopio: the writer is full: %w", syscall.EAGAIN)

// piece is some bytes that are to be sent.
type piece struct {
	bytes []byte
	chunk []byte // the memory, if it is the loop's
	done  func(error)
	hold  *hold // instead of bytes: what is behind it waits
}

// NewWriter returns a Writer for a descriptor, or a registered file (Fixed.FD), to
// which nothing else may write. Needs Linux 5.6.
func NewWriter(l *liburing.Loop, fd int, options WriterOptions) *Writer {
	if options.Limit <= 0 {
		options.Limit = 1 << 20
	}
	_, fixed := liburing.FixedOf(fd)
	noSocket := !fixed && !isSocket(fd) // of a registered file the first send tells
	w := &Writer{loop: l, stock: stockOf(l), fd: fd, options: options, noSocket: noSocket}
	w.flushCB = w.flush
	return w
}

// Write sends a copy of b. It takes all of it or, with ErrWriterFull, nothing; other
// errors are those of an earlier send (Err), and ErrClosed.
func (w *Writer) Write(b []byte) (int, error) { return write(w, b) }

// WriteString is Write of a string.
func (w *Writer) WriteString(s string) (int, error) { return write(w, s) }

func write[T []byte | string](w *Writer, b T) (int, error) {
	if err := w.takes(); err != nil {
		return 0, err
	}
	n := len(b)
	if last := len(w.queue) - 1; last >= w.first && w.queue[last].chunk != nil {
		p := &w.queue[last]
		part := min(len(b), cap(p.bytes)-len(p.bytes))
		p.bytes = append(p.bytes, b[:part]...)
		b = b[part:]
	}
	for len(b) > 0 {
		chunk := w.stock.chunk()
		part := min(len(b), len(chunk))
		w.queue = append(w.queue, piece{bytes: append(chunk[:0], b[:part]...), chunk: chunk})
		b = b[part:]
	}
	w.added(n)
	return n, nil
}

// WriteNoCopy sends b itself, which must not be changed before done, which may be nil,
// is called: when the kernel is done with the memory, with the error of the send. If
// WriteNoCopy itself returns an error, as Write does, done is not called.
func (w *Writer) WriteNoCopy(b []byte, done func(error)) error {
	if err := w.takes(); err != nil {
		return err
	}
	w.queue = append(w.queue, piece{bytes: b, done: done})
	w.added(len(b))
	return nil
}

// takes reports why nothing can be written.
func (w *Writer) takes() error {
	closing := w.loop.Closing()
	switch {
	case w.err != nil:
		return w.err
	case w.wanted != writerOpen || closing:
		return liburing.ErrClosed
	case w.buffered >= w.options.Limit:
		return ErrWriterFull
	}
	return nil
}

func (w *Writer) added(n int) {
	w.buffered += n
	w.accepted += uint64(n)
	if w.buffered >= w.options.Limit {
		w.full = true
	}
	w.wake()
}

// Buffered returns how many bytes the kernel has not taken yet.
func (w *Writer) Buffered() int { return w.buffered }

// Err returns the first error of a send, nil if there was none.
func (w *Writer) Err() error { return w.err }

// wake has the loop call flush before it submits the next time: what callbacks write
// until then goes in one send.
func (w *Writer) wake() {
	if !w.dirty {
		w.dirty = true
		w.loop.BeforeSubmit(w.flushCB)
	}
}

// flush sends what waits, unless something is on its way; when nothing is left, it
// sees to the end.
func (w *Writer) flush() {
	w.dirty = false
	w.sync()
	switch {
	case w.sending != nil:
	case w.passHolds():
		w.sending = w.take()
		w.sending.send()
	case w.first == len(w.queue) && len(w.syncs) == 0:
		w.end()
	}
}

// mostPieces is how many buffers go into one send.
const mostPieces = 64

// take moves what goes into the next send out of the queue.
func (w *Writer) take() *flight {
	f := w.stock.flight(w)
	f.zc = w.zeroCopy(w.queue[w.first])
	for w.first < len(w.queue) && len(f.pieces) < mostPieces {
		p := w.queue[w.first]
		if p.hold != nil || w.zeroCopy(p) != f.zc {
			break
		}
		f.pieces = append(f.pieces, p)
		w.queue[w.first] = piece{}
		w.first++
	}
	switch rest := len(w.queue) - w.first; {
	case rest == 0:
		w.queue, w.first = w.queue[:0], 0
	case w.first > rest:
		copy(w.queue, w.queue[w.first:])
		clear(w.queue[rest:])
		w.queue, w.first = w.queue[:rest], 0
	}
	return f
}

func (w *Writer) zeroCopy(p piece) bool {
	least := w.options.ZeroCopy
	return least > 0 && p.chunk == nil && len(p.bytes) >= least && !w.noZC && !w.noSocket
}

// sent notes that the kernel has taken n bytes.
func (w *Writer) sent(n int) {
	w.buffered -= n
	if w.full && w.buffered <= w.options.Limit/2 && w.err == nil {
		w.full = false
		if w.options.Drained != nil {
			w.options.Drained()
		}
	}
}

// fail drops what waits, and tells of the first error.
func (w *Writer) fail(err error) {
	if w.err != nil {
		return
	}
	w.err = err
	dropped := w.queue[w.first:]
	w.queue, w.first, w.buffered = nil, 0, 0
	delete(w.stock.held, w)
	if w.options.Failed != nil && w.wanted != writerAborted {
		defer w.options.Failed(err) // also if a function below panics
	}
	w.stock.release(dropped, 0, err)
}

// writerStage is how far the end of a Writer has come.
type writerStage uint8

const (
	writerOpen    writerStage = iota
	writerHalf                // what was written is sent, and the peer knows that it is all
	writerClosed              // and the descriptor closed
	writerAborted             // and what was written dropped
)

// writerEnd is a function that waits for a stage.
type writerEnd struct {
	stage writerStage
	done  func(error)
}

// CloseWrite tells the peer, once everything has been sent, that nothing more will come
// (shutdown(2)). What the peer sends can still be received. done, which may be nil, is
// called then, with the Writer's first error. On a pipe or a terminal it only waits.
// Needs Linux 5.11.
func (w *Writer) CloseWrite(done func(error)) { w.finish(writerHalf, done) }

// Close closes the descriptor when everything has been sent, or can't be. A receive in
// flight ends with 0 bytes. done, which may be nil, is called when the descriptor is
// closed, with the Writer's first error. Close waits for a peer that does not read: see
// Abort. A peer that is still sending may lose the last bytes, as always with TCP: use
// CloseWrite, receive until the end, then Close.
func (w *Writer) Close(done func(error)) { w.finish(writerClosed, done) }

// Abort is Close that drops what has not been sent. The Writer's error is ECANCELED,
// unless it already had one; Failed is not called.
func (w *Writer) Abort(done func(error)) {
	w.finish(writerAborted, done)
	w.fail(&liburing.OpError{Op: "writer", Err: syscall.ECANCELED, Hint: "it was aborted"})
	if w.sending != nil {
		w.loop.Revoke(w.sending.token)
	}
}

func (w *Writer) finish(stage writerStage, done func(error)) {
	w.loop.Closing() // panics on a wrong goroutine
	w.wanted = max(w.wanted, stage)
	if done != nil {
		w.ends = append(w.ends, writerEnd{min(stage, writerClosed), done})
	}
	w.wake()
}

// end takes the next step to the end that is wanted, when nothing is left to send.
func (w *Writer) end() {
	const shutWrite, shutBoth = 1, 2
	switch wanted := min(w.wanted, writerClosed); {
	case w.ending:
	case w.stage >= wanted:
		w.tellEnds()
	case wanted == writerHalf && (w.err != nil || w.noSocket):
		w.reach(writerHalf)
	case wanted == writerHalf:
		w.ending = true
		w.loop.Shutdown(w.fd, shutWrite, func(c liburing.Completion) {
			err := c.Err()
			if _, fixed := liburing.FixedOf(w.fd); !fixed && c.Unbegun() && !w.loop.Closing() {
				err = shutdownFD(w.fd, shutWrite) // the kernel could make no worker for it
			}
			if err != nil && !errors.Is(err, syscall.ENOTSOCK) {
				w.fail(err)
			}
			w.reach(writerHalf)
		})
	case w.noSocket:
		// A shutdown would be refused by a worker thread, which may hold on to a pipe
		// until the loop enters the kernel again: the peer would see no end.
		w.ending = true
		w.close()
	default:
		w.ending = true
		w.loop.Shutdown(w.fd, shutBoth, func(liburing.Completion) { w.close() }) // whether it is a connection or not
	}
}

// close closes the descriptor, also where the loop takes no more requests, or the
// kernel none of this kind.
func (w *Writer) close() {
	w.loop.CloseFD(w.fd, func(c liburing.Completion) {
		err := c.Err()
		if _, fixed := liburing.FixedOf(w.fd); !fixed && c.Unbegun() {
			err = closeFD(w.fd)
		}
		if err != nil {
			w.fail(err)
		}
		w.reach(writerClosed)
	})
}

// reach notes that a stage of the end has come.
func (w *Writer) reach(stage writerStage) {
	w.ending = false
	w.stage = stage
	if w.stage < w.wanted {
		w.wake()
	}
	w.tellEnds()
}

// tellEnds calls the functions that have waited for the stage. Should one panic, the
// next turn goes on behind it.
func (w *Writer) tellEnds() {
	returned := false
	defer func() {
		if !returned {
			w.wake()
		}
	}()
	for i := 0; i < len(w.ends); i++ {
		if e := w.ends[i]; e.stage <= w.stage {
			w.ends = append(w.ends[:i], w.ends[i+1:]...)
			i = -1 // the function may have changed the list
			e.done(w.err)
		}
	}
	returned = true
}
