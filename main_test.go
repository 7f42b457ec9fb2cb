//go:build linux && cgo

package liburing

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

// TestMain fails the run when the tests leave something behind: a file
// descriptor, a goroutine, a handle of a loop.
func TestMain(m *testing.M) {
	fds := openFDs()
	skipExamples()
	code := m.Run()
	if code == 0 {
		code = checkLeaks(fds)
	}
	os.Exit(code)
}

// newExamples are the examples of what not every kernel has, which they can't
// skip themselves, and an operation that came with it.
var newExamples = map[string]Op{
	"Request_SkipSuccess": OpMsgRing,
	"SQE_PrepMsgRing":     OpMsgRing,
	"Fixed":               OpSocket,
	"Ring_SetupBufRing":   OpSocket,
	"Loop_NewBufGroup":    OpSendZC,
	"Completion_Keep":     OpSendZC,
	"Loop_Rearm":          OpSendZC,
	"Loop_FutexWait":      OpFutexWait,
}

func skipExamples() {
	p, err := GetProbe()
	if err != nil {
		return // the tests tell
	}
	flag.Parse()
	skip := flag.Lookup("test.skip")
	for name, op := range newExamples {
		if !p.OpcodeSupported(op) {
			fmt.Printf("this kernel does not know %v: without Example%s\n", op, name)
			skip.Value.Set(strings.TrimPrefix(skip.Value.String()+"|^Example"+name+"$", "|"))
		}
	}
}

func checkLeaks(before map[string]string) int {
	var leaks []string
	for range 50 { // goroutines that are ending need a moment
		leaks = append(leakedFDs(before), leakedGoroutines()...)
		leaks = append(leaks, leakedHandles()...)
		if len(leaks) == 0 {
			return 0
		}
		time.Sleep(20 * time.Millisecond)
	}
	fmt.Fprintf(os.Stderr, "the tests left behind:\n%s\n", strings.Join(leaks, "\n"))
	return 1
}

// openFDs maps the open descriptors to what they are.
func openFDs() map[string]string {
	fds := map[string]string{}
	entries, _ := os.ReadDir("/proc/self/fd")
	for _, e := range entries {
		if target, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil {
			fds[e.Name()] = target
		}
	}
	return fds
}

func leakedFDs(before map[string]string) (leaks []string) {
	for fd, target := range openFDs() {
		// The runtime opens its epoll and eventfd at the first use of it.
		ours := strings.Contains(target, "eventpoll") || target == "anon_inode:[eventfd]" && runtimeEventfd(fd)
		if before[fd] == "" && !ours {
			leaks = append(leaks, "descriptor "+fd+": "+target)
		}
	}
	return leaks
}

// runtimeEventfd reports whether an eventfd is the one of Go's network poller,
// which, unlike the loops' ones, does not block.
func runtimeEventfd(fd string) bool {
	info, _ := os.ReadFile("/proc/self/fdinfo/" + fd)
	for line := range strings.Lines(string(info)) {
		var flags int
		if n, _ := fmt.Sscanf(line, "flags: %o", &flags); n == 1 {
			return flags&0o4000 != 0 // O_NONBLOCK
		}
	}
	return false
}

// leakedGoroutines returns the stacks of goroutines that are neither the
// runtime's nor the test's main one.
func leakedGoroutines() (leaks []string) {
	buf := make([]byte, 1<<20)
	buf = buf[:runtime.Stack(buf, true)]
	for _, stack := range strings.Split(string(buf), "\n\n") {
		switch {
		case strings.Contains(stack, "liburing.checkLeaks"):
		case strings.Contains(stack, "testing.(*F).Fuzz"), strings.Contains(stack, "os/signal."):
		default:
			leaks = append(leaks, "goroutine: "+stack)
		}
	}
	return leaks
}
