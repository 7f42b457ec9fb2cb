package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCopyingIsMeasured(t *testing.T) {
	cpu, err := usableCPU(-1)
	require.NoError(t, err)
	from := filepath.Join(t.TempDir(), "from")
	require.NoError(t, os.WriteFile(from, make([]byte, 1<<20), 0o600))
	c := copying{cpu: cpu, command: []string{"cp"}, from: from, to: from + ".copy", prepare: warm}
	r, err := c.run(t.Context())
	require.NoError(t, err)
	require.Positive(t, r["ms"])
	require.NoFileExists(t, c.to)

	c.command = []string{"/bin/sh", "-c", `echo half > "$2"`, "sh"}
	_, err = c.run(t.Context())
	require.ErrorContains(t, err, "the copy has 5 bytes of 1048576")
	c.command = []string{"/bin/sh", "-c", "echo the reason >&2; exit 3"}
	_, err = c.run(t.Context())
	require.ErrorContains(t, err, "the reason")
}

func TestCopyingOfATreeIsMeasured(t *testing.T) {
	tree := filepath.Join(t.TempDir(), "tree")
	require.NoError(t, os.MkdirAll(filepath.Join(tree, "folder"), 0o755))
	for _, name := range []string{"a", "folder/b"} {
		require.NoError(t, os.WriteFile(filepath.Join(tree, name), make([]byte, 1000), 0o600))
	}
	c := copying{cpu: everywhere, command: []string{"cp", "-r"}, from: tree, to: tree + ".copy", prepare: warmTree}
	r, err := c.run(t.Context())
	require.NoError(t, err)
	require.Positive(t, r["ms"])
	require.NoDirExists(t, c.to)

	c.command = []string{"/bin/sh", "-c", `cp -r "$1" "$2" && rm "$2/folder/b"`, "sh"}
	_, err = c.run(t.Context())
	require.ErrorContains(t, err, "the copy has 1000 bytes of 2000")
}
