package optable

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// folder returns one with the given files.
func folder(t *testing.T, files map[string]string) string {
	dir := t.TempDir()
	for name, text := range files {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	return dir
}

func TestRead(t *testing.T) {
	rows, err := Read(folder(t, map[string]string{"optable.go": `package p

var opTable = [OpLast]opFacts{
	OpNop:   {kernel: "5.1", quick: true},
	OpClose: {kernel: "5.6", worker: true, ends: true, fixed: fixedByIndex},
}
`}))
	require.NoError(t, err)
	require.Equal(t, map[string]Row{
		"OpNop":   {Kernel: "5.1", Quick: true},
		"OpClose": {Kernel: "5.6", Worker: true, Fixed: "fixedByIndex"},
	}, rows)
}

func TestReadRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"package p\n": "no table opTable",
		"package p\n\nvar opTable = [...]opFacts{{kernel: \"5.1\"}}\n": "a row has no operation",
		"package p\n\nvar opTable = [...]opFacts{OpNop: nop}\n":        "not of the form",
		"package p\n\nvar opTable = [...]opFacts{OpNop: {nop}}\n":      "a fact has no name",
		"package p\n\nvar opTable = [...]opFacts{OpNop: {quick: 1}}\n": "quick of OpNop",
	} {
		_, err := Read(folder(t, map[string]string{"optable.go": text}))
		require.ErrorContains(t, err, want)
	}
	_, err := Read(t.TempDir())
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestPreps(t *testing.T) {
	files := map[string]string{
		"ops.go":       "package p\n\nfunc (s *SQE) PrepRW(op Op) { s.Op = op }\n",
		"ops_b.go":     "package p\n\nfunc (s *SQE) PrepOpen() { s.PrepOpenat() }\n\nfunc (s *SQE) PrepOpenat() { s.PrepRW(OpOpenat); s.OpFlags = 1 }\n",
		"ops_test.go":  "package p\n\nfunc (s *SQE) PrepTest() {}\n",
		"another.go":   "package p\n\nfunc (s *SQE) PrepOther() {}\n",
		"ops_three.go": "package p\n\nfunc prepare() {}\n\nfunc (s *SQE) other() {}\n",
	}
	preps, err := Preps(folder(t, files))
	require.NoError(t, err)
	require.Len(t, preps, 2, "PrepRW has no form for the Loop")
	for i, name := range []string{"PrepOpen", "PrepOpenat"} {
		require.Equal(t, name, preps[i].Name)
		require.Equal(t, "OpOpenat", preps[i].Op)
	}
	files["ops_c.go"] = "package p\n\nfunc (s *SQE) PrepNothing() {}\n"
	_, err = Preps(folder(t, files))
	require.ErrorContains(t, err, "PrepNothing: no operation found")
}

func TestForms(t *testing.T) {
	for prep, want := range map[string]string{"PrepRead": "Read", "PrepClose": "CloseFD", "PrepRW": ""} {
		name, ok := LoopForms.Name(prep)
		require.Equal(t, want, name)
		require.Equal(t, want != "", ok)
	}
}
