package liburing

import (
	"fmt"
	"log/slog"
	"runtime"
	"strings"
)

// How a Loop that was dropped without Close is noticed: its thread holds on to it only
// while a function of its runs, or the kernel has requests of its.

// task is a function that a loop's thread is to call.
type task struct {
	loop *Loop // nil: it has been dropped
	do   func()
}

// estate is what a loop that was dropped leaves behind, but for the memory of its
// BufGroups, of which somebody may still have parts.
type estate struct {
	mem  *ringMem
	wake int // the waker's descriptor
}

// tend does what a loop's thread is to do, until the loop is closed or was dropped.
func tend(control <-chan task, left estate) {
	var l *Loop // nil if nobody minds its being dropped
	defer func() {
		if l != nil {
			l.exit() // also if a function has ended the goroutine
		}
	}()
	for {
		t := <-control
		if l = t.loop; l == nil {
			left.settle()
			return
		}
		t.do()
		if l.quit {
			return
		}
		if l.vacant {
			l = nil
		}
	}
}

// settle gives back what can be.
func (e estate) settle() {
	r := Ring{mem: e.mem}
	r.Close()
	closeFD(e.wake)
}

// dropped is what is known of a loop that nobody has any more.
type dropped struct {
	control chan<- task
	made    string // where
}

// tellDropped is called when the garbage collector has found a loop that was not closed.
func tellDropped(d dropped) {
	slog.Warn("liburing: a Loop was dropped without Close: its thread and ring are given back, what it was asked to do is lost", "made", d.made)
	go func() { d.control <- task{} }()
}

// caller returns where the package was called from.
func caller() string {
	var pcs [16]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs[:])])
	for {
		frame, more := frames.Next()
		if !more || !strings.HasPrefix(frame.Function, "github.com/go-liburing/liburing.") {
			return fmt.Sprintf("%s:%d", frame.File, frame.Line)
		}
	}
}
