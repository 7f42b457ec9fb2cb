package liburing

import "syscall"

// What a request makes after its context or deadline has ended would be nobody's: a
// callback that sees an error returns. So the loop undoes it.

// made is what a request makes where it succeeds.
type made struct {
	kind  madeKind
	place uint32 // 0 if it is a descriptor, else the registered file's place as in SQE.FileIndex
}

type madeKind uint8

const (
	madeNothing madeKind = iota
	madeOne              // the result is the descriptor
	madePipe             // two, in the request's memory
	madePlaces           // places that the kernel has picked, as many as the result says
	madeUnknown          // the entry was gone already
)

// makes tells what the request makes.
func (r Request) makes() made {
	kind := r.loop.table.handle(r.token).op.facts().makes
	if kind == madeNothing {
		return made{kind: kind}
	}
	sqe := r.written()
	switch {
	case sqe == nil:
		return made{kind: madeUnknown}
	case kind == madePlaces && uint32(sqe.Off) != FileIndexAlloc:
		return made{kind: madeNothing}
	case kind == madePlaces:
		return made{kind, FileIndexAlloc}
	}
	return made{kind, sqe.FileIndex}
}

// written returns the entry as long as it is this request's, also if the kernel has
// been told of it.
func (r Request) written() *SQE {
	if r.epoch == r.loop.epoch && r.sqe.UserData == uint64(r.token) {
		return r.sqe
	}
	return r.loop.entry(r.token)
}

// undo closes what a completion tells of that came too late, and makes it one of a
// request that was cancelled. What can't be undone has succeeded, and its context's end
// is no error then: never both.
func (l *Loop) undo(c *Completion, h *handle, m made) {
	switch {
	case m.kind == madeNothing:
	case m.kind != madeUnknown && l.discard(m, c.Res, h):
		c.Res = -int32(syscall.ECANCELED)
	default:
		c.detail.end = nil
	}
}

// discard closes what a request has made. It reports whether it could.
func (l *Loop) discard(m made, res int32, h *handle) bool {
	if m.kind == madeOne {
		return l.discardOne(m.place, res)
	}
	// The caller is given these numbers, and may close them.
	numbers := (*extra)(h.mem).fds
	for i, n := range numbers {
		if m.kind == madePlaces && i == int(res) {
			break
		}
		place := m.place
		if place != 0 && place != FileIndexAlloc {
			place += uint32(i) // the kernel stores no numbers then
		}
		if !l.discardOne(place, n) {
			return false
		}
		numbers[i] = -1
	}
	return true
}

// discardOne closes a descriptor, or empties a place of the registered files: the
// one that the request has asked for, or the one that the kernel has picked.
func (l *Loop) discardOne(asked uint32, n int32) bool {
	if asked == 0 {
		closeFD(int(n))
		return true
	}
	if asked != FileIndexAlloc {
		n = int32(asked - 1)
	}
	_, err := l.ring.RegisterFilesUpdate(int(n), []int{-1})
	return err == nil
}
