package liburing

import (
	"math"
	"syscall"
)

// The road from a Ring's methods to liburing. Submitting and waiting, in ring.go
// and wait.go, go there straight: a call through a function value costs as much as
// all the rest of them does. Functions without a ring (Register, GetQueryOpcode, …)
// do not take it: none of them waits, but for Enter, whose caller wants to know of
// the signal.

// callCount calls a function of liburing on an open ring and returns its result,
// an error if it is below zero. It calls again after a signal, which Go's runtime
// sends its threads: waits, and some of what is registered, end at one with
// nothing done.
func (r *Ring) callCount(op string, f func(*ringMem) int32) (int, error) {
	if r.mem == nil {
		return 0, ErrClosed
	}
	for {
		ret := f(r.mem)
		if r.audit != nil {
			if err := r.registering(op, ret); err != nil {
				return 0, err
			}
		}
		if ret >= 0 {
			return int(ret), nil
		}
		if ret != -int32(syscall.EINTR) {
			return 0, opError(op, ret)
		}
	}
}

// call is callCount for functions whose result is not a number.
func (r *Ring) call(op string, f func(*ringMem) int32) error {
	_, err := r.callCount(op, f)
	return err
}

// badInput is badInput for a ring that may be closed, which comes first.
func (r *Ring) badInput(op, format string, args ...any) error {
	if r.mem == nil {
		return ErrClosed
	}
	return badInput(op, format, args...)
}

// submitError is opError for what submits. A signal can have ended that only if there
// was nothing to submit: on a ring that polls, which looks for completions then.
func submitError(op string, ret int32) error {
	if ret == -int32(syscall.EINTR) {
		return nil
	}
	return opError(op, ret)
}

// checkCount returns the error of a count, a size or a place that is out of range:
// the kernel has 32 bits for each, and some of its arithmetic has a sign. It is
// small, so that the compiler puts it into its callers.
func checkCount(op string, n int) error {
	if uint(n) > math.MaxInt32 {
		return countError(op, n)
	}
	return nil
}

// checkEntries is checkCount for the entries of a ring, of which there must be one.
func checkEntries(op string, n int) error {
	if uint(n) <= math.MaxInt32 { // explainEINVAL has a word for 0
		return nil
	}
	return badInput(op, "a ring can't have %d entries: from 1 to %d is allowed", n, math.MaxInt32)
}

func countError(op string, n int) error {
	return badInput(op, "%d is out of range: from 0 to %d is allowed", n, math.MaxInt32)
}

// toUint32 is for counts that no error can be returned for: what is out of range
// becomes the largest number, which the kernel refuses.
func toUint32(n int) uint32 {
	if uint(n) > math.MaxInt32 {
		return math.MaxUint32
	}
	return uint32(n)
}
