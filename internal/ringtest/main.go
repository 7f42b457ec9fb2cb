//go:build linux

// Package ringtest has what the tests of all packages share: rings and loops of every
// kind, running loops, skips by what the kernel supports, fixtures, and the check that
// a package's tests leave nothing behind.
//
// The tests of package liburing itself use it too, as package liburing_test; those
// that are inside of the package can't, because it imports liburing.
package ringtest

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/go-liburing/liburing"
)

// Main runs a package's tests and exits. The run fails if they leave something
// behind: a descriptor, a goroutine, a loop that was not closed.
//
//	func TestMain(m *testing.M) { ringtest.Main(m) }
func Main(m *testing.M) { os.Exit(Code(m)) }

// Code is Main for a TestMain that has something to clean up itself: it returns the
// code to exit with.
func Code(m *testing.M) int {
	fds, running := OpenFDs(), goroutines()
	code := m.Run()
	if code == 0 {
		code = checkLeaks(fds, running)
	}
	return code
}

// SkipExamples leaves examples out on kernels that do not know an operation that
// came with what they show: they can't skip themselves. Names are without
// "Example". It must be called before Main.
func SkipExamples(examples map[string]liburing.Op) {
	p, err := liburing.GetProbe()
	if err != nil {
		return // the tests tell
	}
	flag.Parse()
	skip := flag.Lookup("test.skip")
	for name, op := range examples {
		if !p.OpcodeSupported(op) {
			fmt.Printf("this kernel does not know %v: without Example%s\n", op, name)
			skip.Value.Set(strings.TrimPrefix(skip.Value.String()+"|^Example"+name+"$", "|"))
		}
	}
}

func checkLeaks(fds, running map[string]string) int {
	var leaks []string
	for end := time.Now().Add(time.Minute); time.Now().Before(end); { // goroutines that are ending need a moment
		runtime.GC() // files that only a request has kept are closed by it
		leaks = append(LeakedFDs(fds), leakedGoroutines(running)...)
		leaks = append(leaks, leakedLoops()...)
		if len(leaks) == 0 {
			return 0
		}
		time.Sleep(20 * time.Millisecond)
	}
	fmt.Fprintf(os.Stderr, "the tests left behind:\n%s\n", strings.Join(leaks, "\n"))
	return 1
}
