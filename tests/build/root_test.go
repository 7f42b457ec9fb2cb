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

// staticBuilds are the commands that build a static program from what follows them.
var staticBuilds = map[string]struct {
	backend string
	tool    string // that it takes beside Go
	command []string
}{
	"go":   {"go", "go", []string{"env", "CGO_ENABLED=0", "go", "build"}},
	"cgo":  {"cgo", "gcc", []string{"go", "build", "-ldflags", "-linkmode external -extldflags -static", "-tags", "netgo,osusergo"}},
	"musl": {"cgo", "musl-gcc", []string{"../../scripts/musl.sh", "go", "build"}},
}

// A static program runs in a root folder that has nothing but it, no /proc either; what
// it knows of the size of a page is right there, with liburing and without.
func TestServiceInAnEmptyRoot(t *testing.T) {
	ringtest.NeedsTool(t, "go")
	if os.Geteuid() != 0 {
		t.Skip("it takes root to change the root folder")
	}
	ringtest.NeedsKernel(t, 6, 5) // memory of one's own
	for name, static := range staticBuilds {
		t.Run(name, func(t *testing.T) {
			ringtest.NeedsTool(t, static.tool)
			dir := t.TempDir()
			args := append(static.command[1:], "-o", filepath.Join(dir, "service"), "./service")
			out, err := exec.Command(static.command[0], args...).CombinedOutput()
			require.NoError(t, err, "%s", out)
			service := exec.Command("/service")
			service.SysProcAttr = &syscall.SysProcAttr{Chroot: dir}
			service.Dir = "/"
			out, err = service.CombinedOutput()
			require.NoError(t, err, "%s", out)
			require.Equal(t, static.backend+" hello\n", string(out))
		})
	}
}
