//go:build linux

package ringtest

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/go-liburing/liburing"
)

// OpenFDs maps the numbers of the open descriptors to what they are.
func OpenFDs() map[string]string {
	fds := map[string]string{}
	entries, _ := os.ReadDir("/proc/self/fd")
	for _, e := range entries {
		if target, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil {
			fds[e.Name()] = target
		}
	}
	return fds
}

// LeakedFDs says which descriptors are open that were not before, those of Go's
// network poller apart. It names the test that was the first to leave them open, if
// that used a fixture of this package.
func LeakedFDs(before map[string]string) (leaks []string) {
	for fd, target := range OpenFDs() {
		if before[fd] == "" && !ofThePoller(fd, target) {
			leaks = append(leaks, fmt.Sprintf("descriptor %s: %s%s", fd, target, watched.openedBy(fd, target)))
		}
	}
	return leaks
}

// ofThePoller reports whether Go's network poller has opened a descriptor, which it
// does at its first use. Its eventfd does not block, unlike the loops' ones.
func ofThePoller(fd, target string) bool {
	if target != "anon_inode:[eventfd]" {
		return strings.Contains(target, "eventpoll")
	}
	info, _ := os.ReadFile("/proc/self/fdinfo/" + fd)
	for line := range strings.Lines(string(info)) {
		var flags int
		if n, _ := fmt.Sscanf(line, "flags: %o", &flags); n == 1 {
			return flags&0o4000 != 0 // O_NONBLOCK
		}
	}
	return false
}

// goroutines maps the numbers of the goroutines to their stacks.
func goroutines() map[string]string {
	buf := make([]byte, 1<<20)
	buf = buf[:runtime.Stack(buf, true)]
	all := map[string]string{}
	for _, stack := range strings.Split(string(buf), "\n\n") {
		number, _, _ := strings.Cut(stack, " [")
		all[number] = stack
	}
	return all
}

// leakedGoroutines returns the stacks of goroutines that were not there before,
// those of the fuzzing engine and of os/signal apart.
func leakedGoroutines(before map[string]string) (leaks []string) {
	for number, stack := range goroutines() {
		theirs := strings.Contains(stack, "testing.(*F).Fuzz") || strings.Contains(stack, "os/signal.")
		if before[number] == "" && !theirs {
			leaks = append(leaks, stack)
		}
	}
	return leaks
}

// watched knows which test was the first to leave a descriptor open. It looks when a
// test takes its first fixture and when it ends, which costs a few microseconds.
var watched = watch{tests: map[testing.TB]bool{}, left: map[string]string{}}

type watch struct {
	sync.Mutex
	tests map[testing.TB]bool
	left  map[string]string // the descriptor and what it is, to the test's name
}

// test has a test watched. Its own clean-up comes last, because the first to be
// registered is the last to run.
func (w *watch) test(t testing.TB) {
	w.Lock()
	defer w.Unlock()
	if w.tests[t] {
		return
	}
	w.tests[t] = true
	before := OpenFDs()
	t.Cleanup(func() {
		after := OpenFDs()
		w.Lock()
		defer w.Unlock()
		delete(w.tests, t)
		for fd, target := range after {
			if key := fd + " " + target; before[fd] != target && w.left[key] == "" {
				w.left[key] = t.Name()
			}
		}
	})
}

func (w *watch) openedBy(fd, target string) string {
	w.Lock()
	defer w.Unlock()
	if name := w.left[fd+" "+target]; name != "" {
		return ", left open by " + name
	}
	return ""
}

// tracked are the loops that must be closed when the tests have ended, and where
// they were made.
var tracked struct {
	sync.Mutex
	loops map[*liburing.Loop]string
}

// Track has Main look at a loop that NewLoop has not made: it must be closed, with
// nothing left in its books.
func Track(t testing.TB, l *liburing.Loop) { track(t, l, 2) }

func track(t testing.TB, l *liburing.Loop, skip int) {
	where := t.Name()
	if _, file, line, ok := runtime.Caller(skip); ok {
		where += fmt.Sprintf(" (%s:%d)", file, line)
	}
	tracked.Lock()
	defer tracked.Unlock()
	if tracked.loops == nil {
		tracked.loops = map[*liburing.Loop]string{}
	}
	tracked.loops[l] = where
}

func leakedLoops() (leaks []string) {
	tracked.Lock()
	defer tracked.Unlock()
	for l, where := range tracked.loops {
		switch books := BooksOf(l); {
		case !closed(l):
			leaks = append(leaks, "a loop that was not closed: "+where)
		case books != Books{} || inside(l, "inFlight").Int() != 0: // the loop's own, too
			leaks = append(leaks, fmt.Sprintf("a loop that was closed with %+v: %s", books, where))
		}
	}
	return leaks
}
