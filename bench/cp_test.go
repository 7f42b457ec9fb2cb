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
