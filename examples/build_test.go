//go:build linux

// Package examples_test builds the example programs and runs them as a user
// would: as processes, with arguments, output and exit codes.
package examples_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/stretchr/testify/require"
)

// bin is the folder that programs are built into.
var bin string

// builtEnv names a folder where they are all built already, for machines without Go;
// scripts/kernels.sh has one.
const builtEnv = "LIBURING_TEST_PROGRAMS"

func TestMain(m *testing.M) {
	if bin = os.Getenv(builtEnv); bin != "" {
		os.Exit(ringtest.Code(m))
	}
	var err error
	if bin, err = os.MkdirTemp("", "liburing-examples"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := ringtest.Code(m)
	os.RemoveAll(bin)
	os.Exit(code)
}

// built has what building each program came to, so that it is done once.
var built sync.Map // from a name to a func() error

func buildOnce(name string, build func() error) error {
	if os.Getenv(builtEnv) != "" {
		return nil
	}
	once, _ := built.LoadOrStore(name, sync.OnceValue(build))
	return once.(func() error)()
}

// lookAtSources has Go's test cache notice that a program has changed: it knows
// of the files that tests look at, and not of what they build.
var lookAtSources = sync.OnceFunc(func() {
	for _, dir := range []string{".", "../cmd/uring", "../internal/httpd"} {
		filepath.WalkDir(dir, func(path string, _ fs.DirEntry, _ error) error {
			os.Stat(path)
			return nil
		})
	}
})

// needs says what examples take of the kernel.
var needs = map[string][]liburing.Feature{
	"close-test":            {liburing.FeatRegRegRing},
	"dns":                   {liburing.BufRings, liburing.MultishotRecv},
	"echo-server":           {liburing.BufRings, liburing.MultishotAccept, liburing.MultishotRecv, liburing.SparseFiles},
	"kdigest":               {liburing.BufRings, liburing.Bundles},
	"napi-busy-poll-client": {liburing.RegisterNAPI},
	"napi-busy-poll-server": {liburing.RegisterNAPI},
	"poll-bench":            {liburing.RegisterRingFDs},
	"provided-buffers":      {liburing.BufRings, liburing.MultishotRecv},
	"proxy":                 {liburing.BufRings, liburing.MultishotRecv},
	"redis":                 {liburing.BufRings, liburing.MultishotRecv},
	"reg-wait":              {liburing.RegisterMemRegion},
	"rsrc-update-bench":     {liburing.SparseFiles, liburing.RegisterRingFDs},
	"send-zerocopy":         {liburing.BufRings, liburing.MultishotRecv, liburing.SendZC},
	"udp":                   {liburing.BufRings, liburing.MultishotRecv},
	"uring":                 {liburing.BufRings},
	"webserver":             {liburing.BufRings},
	"zcrx":                  {liburing.SetupCQE32},
}

// needsKernel skips the test if an example takes more than this kernel has.
func needsKernel(t *testing.T, path string) {
	t.Helper()
	ringtest.NeedsFeatures(t, needs[filepath.Base(path)]...)
}

// program returns the path of an example, built.
func program(t *testing.T, name string) string {
	t.Helper()
	lookAtSources()
	path := filepath.Join(bin, name)
	require.NoError(t, buildOnce(name, func() error {
		return command("go", "build", "-o", path, "./"+name)
	}))
	return path
}

// cProgram returns the path of one of liburing's own examples, compiled. It
// skips the test where the sources or a compiler are missing.
func cProgram(t *testing.T, name string) string {
	t.Helper()
	const tree = "../third_party/liburing"
	source := filepath.Join(tree, "src/examples", name+".c")
	if _, err := os.Stat(source); err != nil {
		t.Skipf("liburing's sources are not vendored (scripts/vendor-liburing.sh): %v", err)
	}
	cc, err := exec.LookPath("gcc")
	if err != nil {
		t.Skipf("there is no C compiler to compare with: %v", err)
	}
	path := filepath.Join(bin, "c-"+name)
	require.NoError(t, buildOnce("c-"+name, func() error {
		return command(cc, "-O2", "-D_GNU_SOURCE", "-I"+tree+"/include", "-o", path, source, "-L"+tree+"/lib", "-luring")
	}))
	return path
}

// command runs a command for its effect; what it printed is in the error.
func command(name string, args ...string) error {
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s %q: %w\n%s", name, args, err, out)
	}
	return nil
}

// outcome is what a program left when it ended.
type outcome struct {
	stdout, stderr string
	code           int
}

// runFor is how long a program may take before it counts as hung, and manyClients more
// than a server has buffers for. Where programs were built before, an emulator runs them.
var runFor, manyClients = func() (time.Duration, int) {
	if os.Getenv(builtEnv) != "" {
		return 5 * time.Minute, 80
	}
	return time.Minute, 300
}()

// run runs a program to its end.
func run(t *testing.T, path string, args ...string) outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), runFor)
	defer cancel()
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	require.NoError(t, ctx.Err(), "%s %q did not end\n%s%s", path, args, &stdout, &stderr)
	if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) {
		require.NoError(t, err)
	}
	return outcome{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

// succeed runs a program that must end well and returns its standard output.
func succeed(t *testing.T, path string, args ...string) string {
	t.Helper()
	needsKernel(t, path)
	got := run(t, path, args...)
	require.Zero(t, got.code, "%s %q\n%s%s", path, args, got.stdout, got.stderr)
	return got.stdout
}
