//go:build linux

package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCpTree(t *testing.T) {
	dir := t.TempDir()
	from := filepath.Join(dir, "from")
	for _, d := range []string{"", "empty", "a", "a/b", "a/b/c", "closed"} {
		require.NoError(t, os.Mkdir(filepath.Join(from, d), 0o755))
	}
	for i, size := range sizes {
		newFile(t, filepath.Join(from, "a/b", fmt.Sprintf("size %d\n", i)), randomBytes(size))
	}
	newFile(t, filepath.Join(from, "closed/file"), []byte("words"))
	require.NoError(t, os.Chmod(filepath.Join(from, "closed/file"), 0o400))
	require.NoError(t, os.Chmod(filepath.Join(from, "closed"), 0o500))
	for link, target := range map[string]string{"to file": "a/b/c", "to nothing": "nowhere", "a/to folder": "b"} {
		require.NoError(t, os.Symlink(target, filepath.Join(from, link)))
	}

	to := filepath.Join(dir, "to")
	uring(t, "cp", "-r", "-sync", from, to).exits(0)
	require.Equal(t, tree(t, from), tree(t, to))
	for _, d := range []string{from, to} { // open it again for what follows, if we are not root
		require.NoError(t, os.Chmod(filepath.Join(d, "closed"), 0o700))
	}

	// A folder that is there gets the copy, under its name.
	uring(t, "cp", "-r", from, to).exits(0)
	require.Equal(t, tree(t, from), tree(t, filepath.Join(to, "from")))
	uring(t, "cp", "-r", from, to).exits(0) // and another time over the first

	p := uring(t, "cp", from, filepath.Join(dir, "new")).exits(1)
	require.Contains(t, p.errs.String(), "is a folder: -r copies it")
	p = uring(t, "cp", "-r", from, filepath.Join(from, "a/new")).exits(1)
	require.Contains(t, p.errs.String(), "would be copied into itself")
	require.ElementsMatch(t, []string{"from", "to"}, names(t, dir))
}

// tree describes all that is in a folder.
func tree(t *testing.T, root string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		require.NoError(t, err)
		info, err := e.Info()
		require.NoError(t, err)
		about := info.Mode().String()
		switch {
		case info.Mode().IsRegular():
			about += fmt.Sprintf(" %x", read(t, path))
		case info.Mode()&fs.ModeSymlink != 0:
			target, err := os.Readlink(path)
			require.NoError(t, err)
			about += " " + target
		}
		path, err = filepath.Rel(root, path)
		all[path] = about
		return err
	})
	require.NoError(t, err)
	return all
}

func TestCpTreeGoesOnAfterWhatItCannotCopy(t *testing.T) {
	dir := t.TempDir()
	from, to := filepath.Join(dir, "from"), filepath.Join(dir, "to")
	require.NoError(t, os.Mkdir(from, 0o755))
	for _, name := range []string{"a", "b", "c"} {
		newFile(t, filepath.Join(from, name), []byte("words"))
	}
	require.NoError(t, os.MkdirAll(filepath.Join(to, "from", "b"), 0o755))
	p := uring(t, "cp", "-r", from, to).exits(1)
	require.Contains(t, p.errs.String(), filepath.Join(to, "from", "b")+" is a folder")
	require.Equal(t, []string{"a", "b", "c"}, names(t, filepath.Join(to, "from")))
}
