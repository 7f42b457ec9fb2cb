package liburing

import "errors"

// Callback is called with each completion of a request, on the loop's
// goroutine and with no lock held: it may queue, cancel, stop and close. The
// loop stands still until it returns.
type Callback func(c Completion)

// Completion is what a callback learns of its request.
type Completion struct {
	Res    int32    // the result, or an errno below zero
	Flags  CQEFlags // what else there is to know
	op     Op
	detail *detail
}

// detail is what few completions have.
type detail struct {
	err error     // why the request is bad, where the library knows
	ctx error     // the request's context has ended
	big [2]uint64 // the second half of a big completion

	group *BufGroup // where its buffers come from
}

// Op returns the operation that was requested.
func (c Completion) Op() Op { return c.op }

// More reports whether the request is still in flight and this callback will be
// called again: a multishot request, or a zero-copy send whose memory the
// kernel still uses.
func (c Completion) More() bool { return c.Flags&CQEFMore != 0 }

// Err returns the request's error as an *OpError that unwraps to a
// syscall.Errno, nil if it succeeded. If the request's context (WithContext)
// ended before the request did, the error is that of the context too, even if
// the request had succeeded meanwhile: Res tells.
func (c Completion) Err() error {
	err := (&CQE{Res: c.Res, Flags: c.Flags}).Err()
	if c.detail != nil {
		if c.detail.err != nil {
			return c.detail.err
		}
		if c.detail.ctx != nil {
			err = errors.Join(c.detail.ctx, err)
		}
	}
	if err == nil {
		return nil
	}
	return &OpError{Op: c.op.String(), Err: err}
}

// Result returns the result as the system call that the operation is named
// after would: a number of bytes, a descriptor, or 0, and an error. Both at once
// tell of a success that came after its context's end.
func (c Completion) Result() (int, error) {
	return int(max(c.Res, 0)), c.Err()
}

// BufferID returns the number of the provided buffer that the kernel chose, and
// whether it chose one.
func (c Completion) BufferID() (uint16, bool) { return c.Flags.bufferID() }

// BigCQE returns the second half of the completion on a ring with big ones
// (SetupCQE32, SetupCQEMixed), zeros otherwise. Only call it in the callback.
func (c Completion) BigCQE() [2]uint64 {
	if c.detail == nil {
		return [2]uint64{}
	}
	return c.detail.big
}

// Request is a request that was made of a loop. Its setters change what goes
// to the kernel: call them right away, in the function that queued it.
type Request struct {
	// At most four words: more, and the compiler hands it over in memory, which
	// costs a tenth of a no-op.

	loop  *Loop // nil: made in the wrong thread
	sqe   *SQE
	token Token // 0: not accepted
}

// Token returns the request's name, for Cancel.
func (r Request) Token() Token { return r.token }

// Err returns why the loop did not accept the request, nil if it did: ErrClosed,
// or in a debug build ErrWrongThread. The callback of such a request is never
// called.
func (r Request) Err() error {
	switch {
	case r.token != 0:
		return nil
	case r.loop == nil:
		return ErrWrongThread
	}
	return ErrClosed
}

// Flags adds flags to the request (IOSQE_*): SQEFixedFile, SQEAsync, SQEIODrain,
// …. SQECQESkipSuccess is left out: the loop has to learn of every completion,
// and a nil callback is as quiet. While a request drains the ring, what is queued
// behind it waits, a Cancel too; before Linux 6.16 it begins when the request does,
// and on 6.18 what comes after that waits for it in turn. Contexts, Stop and Close
// reach all the same what is in flight (least kernel: 6.0). A loop that has drained
// once takes more system calls to wait and to cancel from then on.
func (r Request) Flags(flags SQEFlags) Request {
	sqe := r.open()
	if sqe == nil {
		return r
	}
	sqe.Flags |= flags &^ SQECQESkipSuccess
	if flags&SQEIODrain != 0 {
		r.loop.drain()
	}
	return r
}

// spoil has the request fail for a reason that the library knows: it goes to the
// kernel as an operation that there is none of, so that it fails in its place.
func (l *Loop) spoil(sqe *SQE, why error) {
	flags := sqe.Flags
	sqe.PrepRW(opBad, -1, 0, 0, 0)
	sqe.Flags = flags & (SQEIOLink | SQEIOHardlink | SQEIODrain | SQECQESkipSuccess)
	if l.reasons == nil {
		l.reasons = make(map[Token]error)
	}
	l.reasons[Token(sqe.UserData)] = why
	l.detailed = true
}

// LinkNext holds the next request that is queued back until this one has succeeded
// (IOSQE_IO_LINK); if it fails, or reads or writes less than it should, the next
// one completes with ECANCELED. The loop hands a chain to the kernel as a whole; one
// that is longer than the loop's queue fails, and where the turn ends before the
// next request is queued, the chain ends too. Least kernel: 5.3.
func (r Request) LinkNext() Request { return r.link(SQEIOLink) }

// HardLinkNext is LinkNext, but the next request runs however this one ends
// (IOSQE_IO_HARDLINK). Least kernel: 5.5.
func (r Request) HardLinkNext() Request { return r.link(SQEIOHardlink) }

// link sets one of the flags, also on the request's Deadline, behind which the
// chain goes on.
func (r Request) link(flag SQEFlags) Request {
	if sqe := r.open(); sqe != nil && r.loop.deadline.of == r.token && r.loop.deadline.open() != nil {
		r.loop.deadline.sqe.Flags |= flag
	}
	return r.Flags(flag)
}

// FixedFile says that the descriptor is an index of the registered files
// (IOSQE_FIXED_FILE); Fixed says so without it.
func (r Request) FixedFile() Request { return r.Flags(SQEFixedFile) }

// SQE returns the entry for what has no setter here, nil when the request has
// been handed to the kernel. UserData must stay as it is.
func (r Request) SQE() *SQE { return r.open() }

// open returns the entry as long as it is this request's and the kernel has not
// been told of it.
func (r Request) open() *SQE {
	if r.token == 0 || checkThread && r.loop.calledFromElsewhere() || r.loop.ring.mem == nil || r.sqe.UserData != uint64(r.token) || r.loop.ring.mem.told(r.sqe) {
		return nil
	}
	return r.sqe
}
