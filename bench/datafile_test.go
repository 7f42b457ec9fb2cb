package main

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDataFileIsMadeOnce(t *testing.T) {
	const size = 3<<20 + 100
	said := 0
	tl := &tools{root: t.TempDir(), say: func(string) { said++ }}
	path, err := tl.dataFile(t.Context(), "x", size, 0)
	require.NoError(t, err)
	first, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Len(t, first, size)
	require.NotEqual(t, make([]byte, 100), first[size-100:], "random up to its end")

	_, err = tl.dataFile(t.Context(), "x", size, 0)
	require.NoError(t, err)
	require.Equal(t, 1, said)
	_, err = tl.dataFile(t.Context(), "x", size+1, 0)
	require.NoError(t, err)
	require.Equal(t, 2, said, "another size")
}

func TestSparseFileIsNoDataFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sparse")
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	require.NoError(t, os.Truncate(path, 1<<20))
	require.False(t, isWritten(path, 1<<20))
}

func TestDataFileThatIsInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	tl := &tools{root: t.TempDir(), say: func(string) {}}
	_, err := tl.dataFile(ctx, "x", 1<<20, 0)
	require.ErrorIs(t, err, context.Canceled)
	left, err := os.ReadDir(tl.path("bench/tmp"))
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestRoomIsNeeded(t *testing.T) {
	require.NoError(t, checkRoom(t.TempDir(), 1))
	why := missing("")
	require.ErrorAs(t, checkRoom(t.TempDir(), math.MaxInt64), &why)
	require.Contains(t, string(why), "make room")
}
