// Package liburing is liburing for Go: all of Linux's io_uring through a thin cgo layer
// over the C library, or in Go alone, and on top of it an event loop that calls a Go
// function for each completion.
//
// # What io_uring is
//
// Two rings in memory shared with the kernel: requests go into the submission queue,
// completions come back through the completion queue. Many requests enter the kernel in
// one system call, or with SetupSQPoll in none. Files and sockets, buffered and direct
// I/O, timers, opening and closing all work the same way, and requests can be linked so
// that one waits for another.
//
// # Which type to use
//
//   - Loop, for event-driven programs: loop.Read(fd, buf, off, callback). It keeps
//     memory alive, matches completions to callbacks, and waits efficiently.
//   - Ring with SQE and CQE, for porting C, or control of every detail: liburing's
//     functions under Go names, with C's meaning.
//
// Names follow liburing's by a rule: io_uring_prep_read is SQE.PrepRead and Loop.Read,
// io_uring_register_buffers is Ring.RegisterBuffers, IORING_SETUP_SQPOLL is
// SetupSQPoll.
//
// # Where code lives
//
// What liburing.h has the C compiler inline (preparing requests, reading completions)
// is Go here, on the same memory; what the library exports (everything that enters the
// kernel) is called in C. So a batch of requests crosses into C once, not once per
// request. Built without cgo, or with the tag liburing_go, the package makes those
// system calls itself, just as the library does (see Backend).
package liburing
