package loopio

import (
	"syscall"

	"github.com/go-liburing/liburing"
)

// What a Writer holds back, and what it brings to the disk.

// Hold makes what is written from now on wait until release is called: for answers that
// may only go out when something else is done, while further ones are already written.
// It may be called again meanwhile: what is written waits for all Holds before it.
// Close waits too; Abort, and the loop's Close, do not. Call release where requests are
// made; only its first call counts.
func (w *Writer) Hold() (release func()) {
	closing := w.loop.Closing()
	h := new(hold)
	if w.err == nil && w.wanted == writerOpen && !closing {
		w.queue = append(w.queue, piece{hold: h})
		w.stock.holding(w, 1)
	}
	return func() {
		h.released = true
		w.wake()
	}
}

// hold is a place in a Writer's queue.
type hold struct{ released bool }

// holding notes which Writers have holds: those of a loop that is closed wait for
// nothing any more.
func (s *stock) holding(w *Writer, n int) {
	if s.held == nil {
		s.held = make(map[*Writer]int)
	}
	if s.held[w] += n; s.held[w] <= 0 {
		delete(s.held, w)
	}
}

// releaseHolds has the Writers of a closing loop go on.
func (s *stock) releaseHolds() {
	for w := range s.held {
		w.wake()
	}
}

// passHolds leaves behind what has been released at the head of the queue, and reports
// whether something can be sent.
func (w *Writer) passHolds() bool {
	for w.first < len(w.queue) {
		h := w.queue[w.first].hold
		if h == nil {
			return true
		}
		if !h.released && !w.loop.Closing() {
			return false
		}
		w.stock.holding(w, -1)
		w.first++
	}
	w.queue, w.first = w.queue[:0], 0
	return false
}

// Sync calls done when what was written before is on the disk (fdatasync(2)), or with
// the error why it is not, which then is the Writer's: nothing more is written. Syncs
// that are requested while one is on its way share the next (group commit). Close waits
// for them. It is for files: open the file with O_APPEND, or leave its offset at its
// end.
func (w *Writer) Sync(done func(error)) {
	w.loop.Closing() // panics on a wrong goroutine
	if done == nil {
		done = func(error) {}
	}
	w.syncs = append(w.syncs, writerSync{w.accepted, done})
	w.wake()
}

// writerSync waits for what was written before it.
type writerSync struct {
	upTo uint64 // bytes, of all that were ever accepted
	done func(error)
}

// sync begins a sync for all who wait for what the kernel has by now.
func (w *Writer) sync() {
	if w.syncing > 0 || len(w.syncs) == 0 {
		return
	}
	n, taken := 0, w.accepted-uint64(w.buffered)
	for n < len(w.syncs) && (w.err != nil || w.syncs[n].upTo <= taken) {
		n++
	}
	switch {
	case n == 0:
	case w.err != nil || w.wanted == writerAborted:
		w.tellSyncs(n, w.err)
	default:
		w.syncing = n
		w.loop.Fsync(w.fd, liburing.FsyncDatasync, w.synced)
	}
}

// synced tells those of a sync that has ended, and has the next begin.
func (w *Writer) synced(c liburing.Completion) {
	n, err := w.syncing, c.Err()
	w.syncing = 0
	w.wake()
	if c.Res == -int32(syscall.EINTR) && !w.loop.Closing() {
		return // they wait on
	}
	defer w.tellSyncs(n, err) // also if Failed panics
	if err != nil {
		w.fail(err)
	}
}

// tellSyncs tells the first n who wait. Should a function of theirs panic, those behind
// it wait for one more sync.
func (w *Writer) tellSyncs(n int, err error) {
	for ; n > 0; n-- {
		s := w.syncs[0]
		w.syncs[0] = writerSync{}
		w.syncs = w.syncs[1:]
		s.done(err)
	}
}
