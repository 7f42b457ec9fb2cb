//go:build linux && (!cgo || liburing_go) && race

package liburing

import (
	"runtime"
	"unsafe"
)

// The race detector does not see what one goroutine tells another through the kernel.
// As with cgo's calls and the system calls of golang.org/x/sys, what came before one
// of ours has happened before what comes behind any later one.

var raceSync int64

func raceRelease() { runtime.RaceReleaseMerge(unsafe.Pointer(&raceSync)) }
func raceAcquire() { runtime.RaceAcquire(unsafe.Pointer(&raceSync)) }
