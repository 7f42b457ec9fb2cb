//go:build linux && cgo && !liburing_go

package faults_test

import (
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/stretchr/testify/require"
)

// Each allocation of liburing's, and of what the package does in C, fails once.
func TestRefusedMalloc(t *testing.T) {
	ringtest.NeedsTool(t, "go")
	name := filepath.Join(t.TempDir(), "malloc")
	const wrap = "-linkmode=external -extldflags=-Wl,--wrap=malloc,--wrap=calloc,--wrap=posix_memalign"
	out, err := exec.Command("go", "build", "-ldflags", wrap, "-o", name, "./testdata/malloc").CombinedOutput()
	require.NoError(t, err, "%s", out)
	out, err = exec.Command(name).CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Regexp(t, `^[1-9]\d* allocations have failed`, string(out))
}
