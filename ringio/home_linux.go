//go:build linux

package ringio

// home tells on which thread the pump has come to stay. The kernel has the thread that
// submitted a request do what there is to do for it: where the pump has moved on, that one is
// woken for each message, does its part, and goes to sleep again. So polls that stay in the
// kernel move after the pump. Goroutines move when a thread sits in a system
// call, or when the garbage collector has stopped all; the pump that moves all the time has
// no home.
type home struct {
	thread int32 // that submitted last
	times  int   // and so often in a row
}

// homeAfter is from how many submissions in a row on a thread is home.
const homeAfter = 16

// submits notes that a thread submits.
func (h *home) submits(thread int32) {
	if thread != h.thread {
		h.thread, h.times = thread, 0
	}
	h.times++
}

// elsewhere reports whether a thread is not home.
func (h *home) elsewhere(thread int32) bool { return h.times >= homeAfter && thread != h.thread }

// follow takes the request back if it is not at home. Then it is made anew there. The ring
// is locked, and so is r.
func (r *readPoll) follow(o *op) {
	if e := r.engine; e.home.elsewhere(o.thread) && !e.sqPoll && e.cancelHere(o) {
		e.counts.remade++
	}
}
