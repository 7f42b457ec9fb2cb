package liburing

import (
	"errors"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// ErrNotSupported is what errors of what this kernel, the linked liburing or this
// build of the package lacks are: errors.Is(err, ErrNotSupported) is true for an
// unknown setup flag, a kernel without io_uring (ENOSYS), a function that the
// linked liburing does not have, and a build without Linux. The message says which.
// It is errors.ErrUnsupported too.
var ErrNotSupported error = &sentinel{"not supported", errors.ErrUnsupported}

// ErrClosed is returned by the methods of a Ring, a Loop or a BufferPool that has
// been closed. It is os.ErrClosed too.
var ErrClosed error = &sentinel{"liburing: already closed", os.ErrClosed}

// ErrRunning is returned where a Loop has to stand still and is running.
var ErrRunning = errors.New("liburing: the loop is running")

// ErrGoexit is returned where a function that the loop has called has ended the
// loop's goroutine (runtime.Goexit), which closes the loop.
var ErrGoexit = errors.New("liburing: a function ended the loop's goroutine (runtime.Goexit): the loop is closed")

// ErrWrongThread is what a request of a running loop panics with when it is made
// on another goroutine than the loop's. Most such mistakes are found in every
// build, while the loop waits in the kernel; programs built with -tags
// liburing_debug find all. The others are data races.
var ErrWrongThread = errors.New("liburing: a running loop was used outside of its callbacks: hand the call over with Post")

// ErrBufferInUse is returned when a BufferPool or a BufGroup is closed with
// buffers still out.
var ErrBufferInUse = errors.New("liburing: buffers are in use")

// ErrReleased is returned for bytes that were released before, or never kept.
var ErrReleased = errors.New("liburing: the buffer has been released already")

var (
	errNoRequest = errors.New("liburing: not a request that a loop has made")
	errStopped   = errors.New("liburing: a loop of the group was stopped")
)

// sentinel is an error value that is one of the standard library's too.
type sentinel struct {
	text string
	is   error
}

func (e *sentinel) Error() string { return e.text }

// Unwrap returns the standard library's error of the same meaning.
func (e *sentinel) Unwrap() error { return e.is }

// OpError is the error of a liburing function or of a request: the operation,
// its cause, and what to do about it where that is known.
//
// It unwraps to its cause, which is a syscall.Errno when the kernel reported
// one, so errors.Is(err, unix.EAGAIN) and errors.Is(err, os.ErrNotExist) work.
type OpError struct {
	Op   string // liburing's name of what failed: "io_uring_setup", "openat"
	Err  error  // the cause
	Hint string // why, and what to do next; may be empty

	// What a Loop's request was made for; empty where it was for nothing of the kind.
	Path    string // of a rename or a link the old one
	NewPath string
	Addr    string // of a Connect, a Bind, a Sendmsg, a Send with To

	lacking bool // the cause is what this kernel lacks, though its errno is a general one
}

// Error returns the operation, what it was for, cause and hint in one line.
func (e *OpError) Error() string {
	text := e.Op
	for _, path := range []string{e.Path, e.NewPath} {
		if path != "" {
			text += " " + strconv.Quote(path)
		}
	}
	if e.Addr != "" {
		text += " " + e.Addr
	}
	text += ": " + e.Err.Error()
	if e.Hint != "" {
		text += ": " + e.Hint
	}
	return text
}

// Unwrap returns the cause.
func (e *OpError) Unwrap() error { return e.Err }

// Is has an error of what the kernel lacks be ErrNotSupported, whatever its errno.
func (e *OpError) Is(target error) bool {
	return (target == ErrNotSupported || target == errors.ErrUnsupported) && (e.lacking || e.Err == syscall.ENOSYS)
}

// needsBase is GO_NEEDS of liburing_cgo.h: below it, a result is not an errno
// but the liburing 2.x that would be needed.
const needsBase = 10000

// errNoLinux is what the stand-ins for C functions return in a build without Linux.
const errNoLinux = -2 * needsBase

// opError turns a result of liburing, an errno below zero, into an error.
func opError(op string, ret int32) error {
	if ret >= 0 {
		return nil
	}
	if ret == errNoLinux {
		return &OpError{Op: op, Err: ErrNotSupported, Hint: "io_uring is Linux's: build with GOOS=linux"}
	}
	if ret <= -needsBase {
		return &OpError{Op: op, Err: ErrNotSupported, Hint: fmt.Sprintf(
			"it came with liburing 2.%d and %s is linked: vendor a newer one with scripts/vendor-liburing.sh",
			-ret-needsBase, Version())}
	}
	return &OpError{Op: op, Err: syscall.Errno(-ret), Hint: explainBlocked(op, syscall.Errno(-ret))}
}

// badInput is the error of an argument that the library can see is wrong.
func badInput(op, format string, args ...any) error {
	return &OpError{Op: op, Err: syscall.EINVAL, Hint: fmt.Sprintf(format, args...)}
}

// joinHints makes one hint of several, leaving out the empty ones.
func joinHints(hints ...string) string {
	kept := hints[:0]
	for _, h := range hints {
		if h != "" {
			kept = append(kept, h)
		}
	}
	return strings.Join(kept, "; ")
}

// CallbackPanic is what Run panics with after a callback or a posted function
// has panicked on the loop's thread.
type CallbackPanic struct {
	Value any    // what it panicked with
	Stack []byte // where
}

// Error returns the panic's value and the callback's stack.
func (p *CallbackPanic) Error() string {
	return fmt.Sprintf("liburing: a callback panicked: %v\n\n%s", p.Value, p.Stack)
}

// Unwrap returns the panic's value if it is an error.
func (p *CallbackPanic) Unwrap() error {
	err, _ := p.Value.(error)
	return err
}

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
