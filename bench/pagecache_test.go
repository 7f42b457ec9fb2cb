package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMemoryIsTaken(t *testing.T) {
	file := filepath.Join(t.TempDir(), "order")
	require.False(t, memoryIsTaken(file), "the kernel does not offer any")
	for text, taken := range map[string]bool{"9\n": true, "0\n": true, "11\n": false, "-1\n": false, "": false} {
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		require.Equal(t, taken, memoryIsTaken(file), text)
	}
}
