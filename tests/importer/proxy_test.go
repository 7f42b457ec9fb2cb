//go:build linux && !race

package importer

import (
	"archive/zip"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	module  = "github.com/go-liburing/liburing"
	version = "v0.1.0"
)

// publish makes a module proxy out of folders: it has this module as the
// checkout is, and of the module cache what an importer's build may need. Of
// cgosymbolizer it has no source, only the go.mod that a workspace looks at.
func publish(t *testing.T) (proxy string) {
	t.Helper()
	proxy = t.TempDir()
	at := filepath.Join(proxy, module, "@v")
	require.NoError(t, os.MkdirAll(at, 0o777))
	write(t, filepath.Join(at, "list"), version+"\n")
	write(t, filepath.Join(at, version+".info"), `{"Version":"`+version+`","Time":"2026-01-01T00:00:00Z"}`)
	write(t, filepath.Join(at, version+".mod"), read(t, filepath.Join(root, "go.mod")))
	zipModule(t, filepath.Join(at, version+".zip"))
	cache := filepath.Join(goEnv(t, "GOMODCACHE"), "cache", "download")
	for _, name := range []string{"golang.org/x/sys", "github.com/stretchr/testify", "go.yaml.in/yaml/v3"} {
		link := filepath.Join(proxy, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(link), 0o777))
		require.NoError(t, os.Symlink(filepath.Join(cache, name), link))
	}
	const symbolizer = "github.com/ianlancetaylor/cgosymbolizer/@v"
	require.NoError(t, os.MkdirAll(filepath.Join(proxy, symbolizer), 0o777))
	mods, err := filepath.Glob(filepath.Join(cache, symbolizer, "*.mod"))
	require.NoError(t, err)
	for _, mod := range mods {
		write(t, filepath.Join(proxy, symbolizer, filepath.Base(mod)), read(t, mod))
	}
	return proxy
}

// zipModule packs the module as go would from the repository.
func zipModule(t *testing.T, path string) {
	t.Helper()
	out, err := os.Create(path)
	require.NoError(t, err)
	defer out.Close()
	z := zip.NewWriter(out)
	eachFile(t, func(name string) {
		w, err := z.Create(module + "@" + version + "/" + name)
		require.NoError(t, err)
		_, err = io.WriteString(w, read(t, filepath.Join(root, name)))
		require.NoError(t, err)
	})
	require.NoError(t, z.Close())
}

// clone copies the module as git would: without what the script has made.
func clone(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	eachFile(t, func(name string) {
		info, err := os.Stat(filepath.Join(root, name))
		require.NoError(t, err)
		to := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(to), 0o777))
		require.NoError(t, os.WriteFile(to, []byte(read(t, filepath.Join(root, name))), info.Mode()))
	})
	return dir
}

// made are what a checkout may have that is not part of the module.
var made = map[string]bool{
	".git": true, "bin": true, "bench/results": true, "bench/tmp": true,
	"third_party/liburing": true, "liburing_vendored.h": true,
}

// eachFile calls f with the name of each of the module's files.
func eachFile(t *testing.T, f func(name string)) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		switch {
		case err != nil:
			return err
		case made[name] || strings.HasPrefix(d.Name(), ".liburing.") || d.IsDir() && name != "." && exists(filepath.Join(path, "go.mod")):
			if d.IsDir() {
				return filepath.SkipDir
			}
		case d.Type().IsRegular():
			f(name)
		}
		return nil
	}))
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(b)
}

func write(t *testing.T, path, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(path, []byte(text), 0o666))
}
