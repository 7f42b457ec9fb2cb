//go:build linux && !race

// Package importer builds a service of another module against this one, in the
// ways that Go has to get at a module.
package importer

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/stretchr/testify/require"
)

// The folder that the script installs liburing into, once for all tests.
var installed struct {
	sync.Once
	dir string
}

func TestMain(m *testing.M) {
	code := ringtest.Code(m)
	os.RemoveAll(installed.dir)
	os.Exit(code)
}

// prefix returns a folder in which the script has installed liburing, and which
// version that is.
func prefix(t *testing.T) (dir, liburing string) {
	t.Helper()
	installed.Do(func() {
		var err error
		installed.dir, err = os.MkdirTemp("", "liburing")
		require.NoError(t, err)
		out, err := exec.Command("bash", filepath.Join(root, "scripts/vendor-liburing.sh"), "--prefix", installed.dir).CombinedOutput()
		require.NoError(t, err, "%s", out)
	})
	return installed.dir, pcVersion(t, installed.dir+"/lib/pkgconfig/liburing.pc")
}

func pcVersion(t *testing.T, pc string) string {
	t.Helper()
	_, after, ok := strings.Cut(read(t, pc), "Version: ")
	require.True(t, ok)
	version, _, _ := strings.Cut(after, "\n")
	return version
}

// What `go get` leaves is a read-only module cache. The liburing that the script
// has installed is found here as pkg-config knows it.
func TestModuleCache(t *testing.T) {
	dir, liburing := prefix(t)
	s := newService(t, publish(t))
	s.must("go", "get", module)
	cached := strings.TrimSpace(s.must("go", "list", "-m", "-f", "{{.Dir}}", module))
	info, err := os.Stat(cached)
	require.NoError(t, err)
	require.Zero(t, info.Mode()&0o222, "the module cache is read-only")
	s.refusesWithoutLiburing()
	s.set("PKG_CONFIG_PATH", dir+"/lib/pkgconfig")
	s.set("CGO_CFLAGS", "-O2 -g "+s.must("pkg-config", "--cflags", "liburing"))
	s.set("CGO_LDFLAGS", "-O2 -g "+s.must("pkg-config", "--libs-only-L", "liburing"))
	s.builds(liburing)
	hasNoTestPackages(t, s)
}

// Debian 12 has 2.3, whose header does not know the macro that later ones have.
func TestLiburingThatIsTooOld(t *testing.T) {
	s := newService(t, publish(t))
	s.must("go", "get", module)
	old := t.TempDir()
	s.set("CGO_CFLAGS", "-I"+old)
	for name, header := range map[string]string{
		"2.3": "#define IO_URING_VERSION_MAJOR 2\n#define IO_URING_VERSION_MINOR 3\n",
		"2.8": "#define IO_URING_CHECK_VERSION(major, minor) (major > 2 || (major == 2 && minor > 8))\n",
	} {
		write(t, filepath.Join(old, "liburing.h"), header)
		s.set("CGO_CFLAGS", "-I"+old+" -DFAKE="+name) // so that nothing is cached
		s.refuses("this liburing is older than 2.9")
	}
}

// A clone needs its script run, by which it gets a liburing of its own: no flag
// is needed then, for a replace and for a workspace. `go mod vendor` copies the
// header that says what is vendored there, but not the library, so the service
// has to find another.
func TestReplaceWorkspaceAndVendorFolder(t *testing.T) {
	dir, proxy := clone(t), publish(t)
	replaces := newService(t, proxy)
	replaces.requires(dir)
	works := newService(t, proxy)
	works.must("go", "work", "init", ".", dir)
	replaces.refusesWithoutLiburing()
	works.refusesWithoutLiburing()

	replaces.must(dir + "/scripts/vendor-liburing.sh")
	record, _, _ := strings.Cut(read(t, dir+"/third_party/liburing/vendored"), "\n")
	vendored, _, _ := strings.Cut(record, " ")
	replaces.builds(vendored)
	works.builds(vendored)
	require.Contains(t, replaces.program(), record)

	replaces.must("go", "mod", "vendor")
	copied := filepath.Join(replaces.dir, "vendor", module)
	require.FileExists(t, copied+"/liburing_vendored.h")
	require.NoDirExists(t, copied+"/third_party")
	replaces.refusesWithoutLiburing()
	elsewhere, liburing := prefix(t)
	replaces.finds(elsewhere)
	replaces.builds(liburing)
	require.NotContains(t, replaces.program(), record, "no word of the clone's liburing")
}

// The tests' packages stay out of what imports the module: the proxy does not
// even have the source of cgosymbolizer.
func hasNoTestPackages(t *testing.T, s *service) {
	t.Helper()
	s.must("go", "mod", "tidy")
	s.must("go", "mod", "vendor")
	for what, said := range map[string]string{
		"go list -deps": s.must("go", "list", "-deps", "."),
		"go version -m": s.must("go", "version", "-m", "service"),
		"vendor folder": read(t, filepath.Join(s.dir, "vendor/modules.txt")),
		"go.mod":        read(t, filepath.Join(s.dir, "go.mod")),
	} {
		require.Contains(t, said, "golang.org/x/sys", what)
		require.NotContains(t, said, "testify", what)
		require.NotContains(t, said, "cgosymbolizer", what)
	}
	for _, name := range []string{"github.com/stretchr/testify", "github.com/ianlancetaylor/cgosymbolizer"} {
		require.Contains(t, s.must("go", "mod", "why", "-m", "-vendor", name), "does not need to vendor module", name)
	}
	// go.sum has testify, for the sake of `go test all`.
	require.NotContains(t, read(t, filepath.Join(s.dir, "go.sum")), "cgosymbolizer")
	require.Contains(t, s.must("go", "mod", "why", "-m", "github.com/ianlancetaylor/cgosymbolizer"), "does not need module")
}
