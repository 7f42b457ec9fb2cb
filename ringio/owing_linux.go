//go:build linux

package ringio

import "golang.org/x/sys/unix"

// owing tells which threads have requests in the kernel. A completion needs the thread that
// submitted its request, which can't see to it while it sits in an fsync: so only a thread
// that has none may sit in such a call. Of many threads the last ones count as one.
type owing [8]struct {
	thread   int32
	requests int32
}

func thisThread() int32 { return int32(unix.Gettid()) }

// more counts a request of a thread, and returns the place for less.
func (w *owing) more(thread int32) uint8 {
	place := len(w) - 1
	for i := len(w) - 1; i >= 0; i-- {
		if w[i].requests == 0 || w[i].thread == thread {
			place = i
		}
		if w[i].requests != 0 && w[i].thread == thread {
			break
		}
	}
	w[place].thread = thread
	w[place].requests++
	return uint8(place)
}

// less says that a request has ended.
func (w *owing) less(place uint8) { w[place].requests-- }

// owes reports whether a thread may have requests in the kernel.
func (w *owing) owes(thread int32) bool {
	for i := range w {
		if w[i].requests != 0 && (w[i].thread == thread || i == len(w)-1) {
			return true
		}
	}
	return false
}

// mayBlock reports whether the calling thread may sit in a system call for long.
func (e *engine) mayBlock() bool {
	if e.present.Load() == 0 || e.sqPoll { // whose completions are the kernel's thread's
		return true
	}
	e.mu.Lock()
	defer e.unlock()
	return !e.owing.owes(thisThread())
}

// mostPlainSyncs is how many threads may be in plain calls until what was written is on the
// disk. For more of them the ring has workers.
const mostPlainSyncs = 4

// syncsPlainly reports whether a caller who is counted among the syncs has it done by a plain
// call.
func (e *engine) syncsPlainly() bool { return e.syncs.Load() <= mostPlainSyncs && e.mayBlock() }
