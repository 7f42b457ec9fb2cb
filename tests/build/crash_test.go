//go:build linux && cgo && !liburing_go

package build_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/stretchr/testify/require"
)

// With cgosymbolizer imported, a fault in C is reported with the C function, its
// file and line: that is what the vendored library's debug info is for.
func TestFaultInCHasATraceback(t *testing.T) {
	if _, err := os.Stat("../../third_party/liburing/lib/liburing.a"); err != nil {
		t.Skip("the system's liburing is linked, which as a rule has no debug info")
	}
	ringtest.NeedsTool(t, "go")
	program := filepath.Join(t.TempDir(), "crash")
	out, err := exec.Command("go", "build", "-o", program, "../../internal/crash").CombinedOutput()
	require.NoError(t, err, "%s", out)
	out, err = exec.Command(program).CombinedOutput()
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit)
	require.Contains(t, string(out), "io_uring_submit\n")
	require.Regexp(t, `queue\.c:\d+`, string(out))
}
