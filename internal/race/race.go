//go:build race

// Package race tells the race detector what one goroutine tells another through the
// kernel, which it does not see. As with cgo's calls and the system calls of
// golang.org/x/sys, what came before one of ours has happened before what comes behind
// any later one. Without the detector its functions do nothing.
package race

import (
	"runtime"
	"unsafe"
)

var sync int64

// Release is called before a system call.
func Release() { runtime.RaceReleaseMerge(unsafe.Pointer(&sync)) }

// Acquire is called behind a system call.
func Acquire() { runtime.RaceAcquire(unsafe.Pointer(&sync)) }
