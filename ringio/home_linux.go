//go:build linux

package ringio

// home tells on which thread the pump has come to stay. The kernel has the thread that
// submitted a request do what there is to do for it: where the pump has moved on, that one is
// woken for each message, does its part, and goes to sleep again. So streams, whose requests
// stay in the kernel, move after the pump. Goroutines move when a thread sits in a system
// call, or when the garbage collector has stopped all; of one that moves all the time no
// thread is the home.
type home struct {
	thread int32
	other  int32 // where the pump has been since
	times  int   // submissions in a row
}

// homeAfter is from how many submissions in a row on a thread is home.
const homeAfter = 16

// submits notes that a thread submits.
func (h *home) submits(thread int32) {
	switch {
	case thread == h.thread:
		h.times = 0
	case thread == h.other:
		h.times++
	default:
		h.other, h.times = thread, 1
	}
	if h.times >= homeAfter || h.thread == 0 {
		h.thread, h.times = thread, 0
	}
}

// follow takes the request back if it is not at home. Then it is made anew there. The ring
// is locked, and so is r.
func (r *stream) follow(o *op) {
	if e := r.engine; o.thread != e.home.thread && !e.sqPoll && !o.cancelled.Swap(true) {
		e.counts.remade++
		e.cancelToken(o.token(), cancelPause)
	}
}
