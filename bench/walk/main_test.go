package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// All ways find all files: fewer than can be in flight, and more.
func TestWalks(t *testing.T) {
	for _, files := range []int64{3, 1050} {
		dir := filepath.Join(t.TempDir(), "tree")
		require.NoError(t, makeTree(dir, int(files)))
		for name, walk := range ways {
			found, err := walk(dir)
			require.NoError(t, err, name)
			require.Equal(t, sums{files, files * fileSize}, found, name)
		}
	}
	for name, walk := range ways {
		_, err := walk(filepath.Join(t.TempDir(), "none"))
		require.ErrorIs(t, err, os.ErrNotExist, name)
	}
}
