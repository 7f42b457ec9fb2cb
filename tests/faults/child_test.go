//go:build linux

package faults_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// patience is how long something may take that must happen.
const patience = 30 * time.Second

// A test that does to its whole process what other tests could not bear runs in a child,
// which is this program with the one test.

const childEnv = "FAULTS_CHILD"

// inChild reports whether the test runs in a child process of its own. In the parent it
// has it run there, with more of an environment, and tells of the end.
func inChild(t *testing.T, env ...string) bool {
	t.Helper()
	if os.Getenv(childEnv) == t.Name() {
		return true
	}
	limit := 5 * patience
	if long {
		limit = 10 * time.Minute
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	cmd := childOf(ctx, t, env...)
	out, err := cmd.CombinedOutput()
	judge(t, out, err)
	return false
}

// childOf is the command that runs the test in a child.
func childOf(ctx context.Context, t *testing.T, env ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, os.Args[0], "-test.run=^"+strings.ReplaceAll(t.Name(), "/", "$/^")+"$", "-test.v", "-test.timeout=10m")
	cmd.Env = append(append(os.Environ(), childEnv+"="+t.Name()), env...)
	cmd.Cancel = func() error { return cmd.Process.Signal(unix.SIGQUIT) } // with the stacks of all goroutines
	cmd.WaitDelay = patience
	return cmd
}

// judge has the test end as its child has.
func judge(t *testing.T, out []byte, err error) {
	t.Helper()
	require.NoError(t, err, "%s", out)
	if bytes.Contains(out, []byte("\n--- SKIP: "+t.Name()+" ")) {
		t.Skipf("%s", out)
	}
	require.Contains(t, string(out), "--- PASS: "+t.Name(), "the child has not run the test")
}

// programs are what children do that are no tests, because they are to be killed.
var programs = map[string]func() int{}

// program is the command that runs one of them.
func program(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Env = append(os.Environ(), "FAULTS_PROGRAM="+name)
	return cmd
}

// fatal is for programs: it says why and returns the code to exit with.
func fatal(err error) int {
	fmt.Fprintln(os.Stderr, err)
	return 1
}
