package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestKeep follows a file of results through several runs.
func TestKeep(t *testing.T) {
	file := filepath.Join(t.TempDir(), "results", "latest.json")
	read := func() (list []map[string]any) {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(text, &list))
		return list
	}

	require.NoError(t, keep(file, []entry{{Name: "a", Ours: 1}, {Name: "b", Ours: 2}}))
	require.NoError(t, keep(file, []entry{{Name: "c", Ours: 3}, {Name: "a", Ours: 4, Unit: "ns", C: 8, Ratio: 2}}))
	list := read()
	require.Len(t, list, 3)
	for i, name := range []string{"a", "b", "c"} {
		require.Equal(t, name, list[i]["name"])
	}
	require.Equal(t, 4.0, list[0]["ours"])
	require.Equal(t, "ns", list[0]["unit"])
	require.Equal(t, 8.0, list[0]["c"])
	require.Equal(t, 2.0, list[0]["ratio"])
	require.Equal(t, 2.0, list[1]["ours"])

	files, err := os.ReadDir(filepath.Dir(file))
	require.NoError(t, err)
	require.Len(t, files, 1, "nothing temporary is left")
}

func TestKeepLeavesWhatItDoesNotKnow(t *testing.T) {
	got, err := merge([]byte(`[{"name":"x","peers":{"giouring":1.5}}]`), []entry{{Name: "y"}})
	require.NoError(t, err)
	require.Contains(t, string(got), `"giouring": 1.5`)
}

func TestKeepRefusesAnotherFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "notes.json")
	for _, text := range []string{"not JSON", `{"name":"a"}`, `[1]`} {
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		require.ErrorContains(t, keep(file, []entry{{Name: "a"}}), "not a list of results")
		after, err := os.ReadFile(file)
		require.NoError(t, err)
		require.Equal(t, text, string(after))
	}
}
