package liburing

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
)

// ErrNotSupported is wrapped by the errors of what this kernel, the linked
// liburing or this build of the package lacks. The message says which.
var ErrNotSupported = errors.New("not supported")

// ErrClosed is returned by the methods of a Ring, a Loop or a BufferPool that
// has been closed.
var ErrClosed = errors.New("liburing: use of a closed ring")

// ErrRunning is returned where a Loop has to stand still and is running.
var ErrRunning = errors.New("liburing: the loop is running")

// ErrWrongThread is the error of a request that was made on another goroutine
// than the running loop's; Stop of a Timer or Stream, which returns none, panics
// with it. Only programs built with -tags liburing_debug check for it; in others
// such a request is a data race.
var ErrWrongThread = errors.New("liburing: a request was made outside of the running loop's goroutine: use Post")

// OpError is the error of a liburing function or of a request: the operation,
// its cause, and what to do about it where that is known.
//
// It unwraps to its cause, which is a syscall.Errno when the kernel reported
// one, so errors.Is(err, unix.EAGAIN) and errors.Is(err, os.ErrNotExist) work.
type OpError struct {
	Op   string // liburing's name of what failed: "io_uring_setup", "openat"
	Err  error  // the cause
	Hint string // why, and what to do next; may be empty
}

// Error returns operation, cause and hint in one line.
func (e *OpError) Error() string {
	if e.Hint == "" {
		return e.Op + ": " + e.Err.Error()
	}
	return e.Op + ": " + e.Err.Error() + ": " + e.Hint
}

// Unwrap returns the cause.
func (e *OpError) Unwrap() error { return e.Err }

// needsBase is GO_NEEDS of liburing_cgo.h: below it, a result is not an errno
// but the liburing 2.x that would be needed.
const needsBase = 10000

// errNoCgo is what the stand-ins for C functions return in a build without it.
const errNoCgo = -2 * needsBase

// opError turns a result of liburing, an errno below zero, into an error.
func opError(op string, ret int32) error {
	if ret >= 0 {
		return nil
	}
	if ret == errNoCgo {
		return &OpError{Op: op, Err: ErrNotSupported, Hint: "io_uring needs Linux, and this package cgo: " +
			"build with CGO_ENABLED=1 and a C compiler"}
	}
	if ret <= -needsBase {
		return &OpError{Op: op, Err: ErrNotSupported, Hint: fmt.Sprintf(
			"it came with liburing 2.%d and %s is linked: vendor a newer one with scripts/vendor-liburing.sh",
			-ret-needsBase, Version())}
	}
	return &OpError{Op: op, Err: syscall.Errno(-ret)}
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

// Unwrap returns the value if it is an error.
// Unwrap returns the panic's value if it is an error.
func (p *CallbackPanic) Unwrap() error {
	err, _ := p.Value.(error)
	return err
}
