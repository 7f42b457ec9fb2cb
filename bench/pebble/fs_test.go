package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble"
	"github.com/cockroachdb/pebble/vfs"
)

// Pebble's own tests of its file system, and of what stands on it, run on files of
// ringio: in a copy of pebble its file for Linux has another type in os.File's place.
func TestFilesPassPebblesTests(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "pebble"), os.DirFS(goList(t, "-m", pebbleModule))); err != nil {
		t.Fatal(err)
	}
	onRingio(t, filepath.Join(dir, "pebble/vfs/default_linux.go"))
	mod, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	root := goList(t, "-m", "github.com/go-liburing/liburing")
	text := strings.Replace(string(mod), "=> ../..", "=> "+root, 1) + "replace " + pebbleModule + " => " + filepath.Join(dir, "pebble") + "\n"
	sums, err := os.ReadFile("go.sum")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"go.mod": text, "go.sum": string(sums)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, tested := range []string{"vfs", "objstorage/objstorageprovider"} {
		// DiskHealth is of time alone, and has no files.
		cmd := exec.Command("go", "test", "-count=1", "-skip=DiskHealth", "-modfile="+filepath.Join(dir, "go.mod"), pebbleModule+"/"+tested)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v", tested, err)
		}
		t.Logf("%s", out)
	}
}

const pebbleModule = "github.com/cockroachdb/pebble"

// goList returns the folder of a module.
func goList(t *testing.T, what ...string) string {
	out, err := exec.Command("go", append([]string{"list", "-f", "{{.Dir}}"}, what...)...).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// onRingio changes pebble's file.
func onRingio(t *testing.T, name string) {
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	changed := string(text)
	for _, change := range [][2]string{
		{"import (", "import (\n\t\"github.com/go-liburing/liburing/ringio\""},
		{"&linuxFile{File: f,", "&linuxFile{File: ringio.Wrap(f),"},
		{"type linuxFile struct {\n\t*os.File\n", "type linuxFile struct {\n\t*ringio.File\n"},
		{"SyncData() error {\n\treturn unix.Fdatasync(int(f.fd))", "SyncData() error {\n\treturn f.File.SyncData()"},
	} {
		if strings.Count(changed, change[0]) != 1 {
			t.Fatalf("%s has not %q once", name, change[0])
		}
		changed = strings.Replace(changed, change[0], change[1], 1)
	}
	if err := os.Chmod(name, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
}

// What one file system has written both read, whole.
func TestDatabase(t *testing.T) {
	const keys = 20_000
	for name, fs := range map[string]vfs.FS{"ringio": newRingFS(), "os": vfs.Default} {
		dir := filepath.Join(t.TempDir(), "db")
		if err := run(dir, fs, keys, 1, nil, 0); err != nil {
			t.Fatal(name, err)
		}
		for name, fs := range map[string]vfs.FS{"ringio": newRingFS(), "os": vfs.Default} {
			db, err := pebble.Open(dir, &pebble.Options{FS: fs, Logger: silent{}})
			if err != nil {
				t.Fatal(name, err)
			}
			it, err := db.NewIter(nil)
			if err != nil {
				t.Fatal(name, err)
			}
			n := uint64(0)
			for ok := it.First(); ok; ok = it.Next() {
				if string(it.Value()) != string(value(n)) {
					t.Fatal(name, "key", n, "has another value")
				}
				n++
			}
			if err := it.Close(); err != nil || n != keys {
				t.Fatal(name, n, err)
			}
			if err := db.Close(); err != nil {
				t.Fatal(name, err)
			}
		}
	}
}
