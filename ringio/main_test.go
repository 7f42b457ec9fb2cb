//go:build linux

package ringio

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/go-liburing/liburing/internal/ringtest"
)

// TestMain runs the tests, or, in a process of its own, what one of them wants to see
// under a hardship. The run fails if the tests leave something behind.
func TestMain(m *testing.M) {
	if hardship := os.Getenv("RINGIO_HARDSHIP"); hardship != "" {
		os.Exit(suffer(hardship))
	}
	if server := os.Getenv("RINGIO_PEER"); server != "" {
		os.Exit(bePeer(server))
	}
	before := ringtest.OpenFDs()
	keepMany(Default())
	code := m.Run()
	if err := Shutdown(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "Shutdown:", err)
		code = 1
	}
	if code == 0 {
		code = leftBehind(before)
	}
	os.Exit(code)
}

func leftBehind(before map[string]string) int {
	var leaks []string
	for end := time.Now().Add(time.Minute); time.Now().Before(end); { // what is ending needs a moment
		runtime.GC()
		leaks = append(ringtest.LeakedFDs(before), pumps()...)
		if len(leaks) == 0 {
			return 0
		}
		time.Sleep(20 * time.Millisecond)
	}
	fmt.Fprintf(os.Stderr, "the tests left behind:\n%s\n", strings.Join(leaks, "\n"))
	return 1
}

// pumps returns the stacks of the engines' goroutines, of which there must be none.
func pumps() (stacks []string) {
	all := make([]byte, 1<<20)
	for _, stack := range strings.Split(string(all[:runtime.Stack(all, true)]), "\n\n") {
		if strings.Contains(stack, "ringio.(*") {
			stacks = append(stacks, stack)
		}
	}
	return stacks
}
