package liburing

import "syscall"

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

// CloseWrite tells the peer that nothing more will come, when all has been sent
// (shutdown(2)). What the peer sends can still be received. done, which may be nil, is
// called then, with the Writer's first error. On a pipe or a terminal it does nothing
// but wait. Needs Linux 5.11.
func (w *Writer) CloseWrite(done func(error)) { w.finish(writerHalf, done) }

// Close closes the descriptor when all has been sent, or can't be. A receive in flight
// ends with 0 bytes. done, which may be nil, is called when the descriptor is closed,
// with the Writer's first error. A peer that reads nothing is waited for: see Abort.
// One that still sends may lose the last bytes, as TCP has it: CloseWrite, receive
// until the end, then Close.
func (w *Writer) Close(done func(error)) { w.finish(writerClosed, done) }

// Abort is Close that drops what has not been sent. The Writer's error is ECANCELED,
// if it had none; Failed is not called.
func (w *Writer) Abort(done func(error)) {
	w.finish(writerAborted, done)
	w.fail(&OpError{Op: "writer", Err: syscall.ECANCELED, Hint: "it was aborted"})
	if w.sending != nil {
		w.loop.revoke(w.sending.token)
	}
}

func (w *Writer) finish(stage writerStage, done func(error)) {
	w.loop.checkCaller()
	w.loop.checkAwake()
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
		w.loop.Shutdown(w.fd, shutWrite, func(c Completion) {
			if err := c.Err(); err != nil && c.Res != -int32(syscall.ENOTSOCK) {
				w.fail(err)
			}
			w.reach(writerHalf)
		})
	default:
		w.ending = true
		w.loop.Shutdown(w.fd, shutBoth, func(Completion) { w.close() }) // whether it is a connection or not
	}
}

// close closes the descriptor, also where the loop takes no more requests.
func (w *Writer) close() {
	w.loop.CloseFD(w.fd, func(c Completion) {
		err := c.Err()
		if c.Res == -int32(syscall.ECANCELED) && !isFixed(w.fd) {
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
	w.tellEnds()
	if w.stage < w.wanted {
		w.wake()
	}
}

// tellEnds calls the functions that have waited for the stage.
func (w *Writer) tellEnds() {
	for i := 0; i < len(w.ends); i++ {
		if e := w.ends[i]; e.stage <= w.stage {
			w.ends = append(w.ends[:i], w.ends[i+1:]...)
			i = -1 // the function may have changed the list
			e.done(w.err)
		}
	}
}
