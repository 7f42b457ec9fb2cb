package liburing

import "fmt"

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
	refusal error     // why the request is bad, where the library knows
	end     error     // the request's context has ended, or its deadline passed
	big     [2]uint64 // the second half of a big completion
	group   *BufGroup // where its buffers come from
}

// Op returns the operation that was requested.
func (c Completion) Op() Op { return c.op }

// More reports whether the request is still in flight and this callback will be
// called again: a multishot request, or a zero-copy send whose memory the
// kernel still uses.
func (c Completion) More() bool { return c.Flags&CQEFMore != 0 }

// Err returns the request's error as an *OpError that unwraps to a
// syscall.Errno, nil if it succeeded. If the request's context (WithContext)
// ended before the request did, the error is that of the context too, and if its
// Deadline passed, os.ErrDeadlineExceeded; even if the request has succeeded
// meanwhile, or in part: Res tells. What makes a descriptor never succeeds with an
// error: see WithContext. Of a driver's command (URingCmd) only a result below zero
// is an error here; one above may be the driver's word for a failure.
func (c Completion) Err() error {
	err := (&CQE{Res: c.Res, Flags: c.Flags}).Err()
	if d := c.detail; d != nil {
		switch {
		case d.refusal != nil:
			return d.refusal
		case d.end != nil && err != nil:
			err = fmt.Errorf("%w: %w", d.end, err)
		case d.end != nil:
			err = d.end
		}
	}
	if err == nil {
		return nil
	}
	return &OpError{Op: c.op.String(), Err: err}
}

// Result returns the result as the system call that the operation is named
// after would: a number of bytes, a descriptor, or 0, and an error. Bytes and an
// error at once tell of a transfer that succeeded after its context's end. What it is
// of a driver's command (URingCmd) its driver says: as a rule no number of bytes, but a
// status.
func (c Completion) Result() (int, error) {
	return int(max(c.Res, 0)), c.Err()
}

// BufferID returns the number of the provided buffer that the kernel chose, and
// whether it chose one.
func (c Completion) BufferID() (uint16, bool) { return c.Flags.bufferID() }

// BigCQE returns the second half of the completion on a ring with big ones
// (SetupCQE32, SetupCQEMixed), zeros otherwise: of an NVMe drive's command the
// result that the drive has given, in the first word. Only call it in the callback.
func (c Completion) BigCQE() [2]uint64 {
	if c.detail == nil {
		return [2]uint64{}
	}
	return c.detail.big
}
