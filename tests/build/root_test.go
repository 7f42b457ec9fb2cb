//go:build linux && cgo && !liburing_go

package build_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/stretchr/testify/require"
)

// A static program runs in a root folder that has nothing but it, no /proc either; what
// it knows of the size of a page is right there, with liburing and without.
func TestServiceInAnEmptyRoot(t *testing.T) {
	ringtest.NeedsTool(t, "go")
	if os.Geteuid() != 0 {
		t.Skip("it takes root to change the root folder")
	}
	ringtest.NeedsKernel(t, 6, 5) // memory of one's own
	for backend, args := range map[string][]string{
		"go":  {},
		"cgo": {"-ldflags", "-linkmode external -extldflags -static", "-tags", "netgo,osusergo"},
	} {
		t.Run(backend, func(t *testing.T) {
			dir := t.TempDir()
			args = append(append([]string{"build", "-o", filepath.Join(dir, "service")}, args...), "./service")
			cmd := exec.Command("go", args...)
			if backend == "go" {
				cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
			}
			out, err := cmd.CombinedOutput()
			require.NoError(t, err, "%s", out)
			service := exec.Command("/service")
			service.SysProcAttr = &syscall.SysProcAttr{Chroot: dir}
			service.Dir = "/"
			out, err = service.CombinedOutput()
			require.NoError(t, err, "%s", out)
			require.Equal(t, backend+" hello\n", string(out))
		})
	}
}
