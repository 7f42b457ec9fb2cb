//go:build linux && cgo && !liburing_go

// Package backends compares the two builds of the package: with liburing, and without.
package backends_test

import (
	"flag"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/stretchr/testify/require"
)

var (
	seed     = flag.Uint64("seed", rand.Uint64(), "of the random programs")
	programs = flag.Int("programs", 150, "random programs to run")
)

// A program does the same with liburing and without: the results, the errors, the
// completions, and the bytes of the rings' memory are equal, in set-ups of all kinds.
func TestBothDoTheSame(t *testing.T) {
	if got := liburing.MinorVersion(); got != 15 {
		t.Skipf("liburing 2.%d is linked, and Go does what 2.15 does", got)
	}
	t.Logf("-seed %d -programs %d", *seed, *programs)
	theirs, ours := build(t), build(t, "-tags", "liburing_go")
	require.Equal(t, "go", run(t, ours, "-backend")[0])
	require.Equal(t, "cgo", run(t, theirs, "-backend")[0])
	args := []string{"-seed", strconv.FormatUint(*seed, 10), "-programs", strconv.Itoa(*programs)}
	want, got := run(t, theirs, args...), run(t, ours, args...)
	for i, line := range want {
		if i >= len(got) || got[i] != line {
			begin := max(0, i-20)
			t.Fatalf("line %d differs; with liburing:\n%s\n\nwithout:\n%s", i+1,
				strings.Join(want[begin:i+1], "\n"), strings.Join(got[begin:min(i+1, len(got))], "\n"))
		}
	}
	require.Len(t, got, len(want))
}

func build(t *testing.T, flags ...string) string {
	t.Helper()
	ringtest.NeedsTool(t, "go")
	name := filepath.Join(t.TempDir(), "twin")
	args := append(append([]string{"build", "-o", name}, flags...), "../../internal/twin")
	out, err := exec.Command("go", args...).CombinedOutput()
	require.NoError(t, err, "%s", out)
	return name
}

func run(t *testing.T, program string, args ...string) []string {
	t.Helper()
	out, err := exec.Command(program, args...).Output()
	require.NoError(t, err)
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}
