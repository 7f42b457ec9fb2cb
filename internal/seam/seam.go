// Package seam is where a simulated kernel takes the real one's place: package liburing
// provides the option that puts a ring on it, package uringtest the kernel.
package seam

import "unsafe"

// Kernel makes rings.
type Kernel interface {
	// Setup is io_uring_setup; params points to a struct io_uring_params. The ring's
	// descriptor can be mapped as that of a real one. An errno below zero is a failure.
	Setup(entries uint32, params unsafe.Pointer) (r Ring, fd int32)
}

// Ring is the kernel's side of a ring.
type Ring interface {
	// Enter is io_uring_enter, with the address of its argument.
	Enter(submit, wait, flags uint32, arg unsafe.Pointer) int32

	// Register is io_uring_register.
	Register(op uint32, arg unsafe.Pointer, n uint32) int32

	// Close ends the ring, whose descriptor is going to be closed.
	Close()
}

// Option returns the option of package liburing, which sets it, that has a ring be one
// of a kernel. It is nil in builds in which a ring is liburing's: those with cgo, unless
// they have the tag liburing_go.
var Option func(Kernel) any
