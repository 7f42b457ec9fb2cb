//go:build linux

package main

import (
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDocumentIsUpToDate(t *testing.T) { require.NoError(t, update("../..", true)) }

// What a kernel knows the next one knows too, or one of the answers is wrong.
func TestNewerKernelsKnowMore(t *testing.T) {
	all, err := readAnswers(filepath.Join("../..", folder))
	require.NoError(t, err)
	require.NotEmpty(t, all)
	for i, a := range all[1:] {
		for _, kind := range kinds {
			require.Subset(t, a.Knows[kind.name], all[i].Knows[kind.name], "%s and %s: %s", all[i].Kernel, a.Kernel, kind.name)
		}
	}
}

// The kernel that runs answers in all kinds.
func TestAsk(t *testing.T) {
	a, err := askKernel()
	require.NoError(t, err)
	require.Len(t, a.version(), 3)
	for _, kind := range kinds {
		require.NotEmpty(t, a.Knows[kind.name], kind.name)
	}
	require.Contains(t, a.Knows["operations"], "nop")
	require.Contains(t, a.Knows["register calls"], "register_probe")
	require.Equal(t, 5, slices.Index(a.Knows["request flags"], "buffer_select"))
}
