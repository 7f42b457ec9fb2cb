//go:build linux

package examples_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Each program has its row in the README, and a test that runs it by its name.
func TestEveryExampleIsListedAndRun(t *testing.T) {
	programs, err := filepath.Glob("*/main.go")
	require.NoError(t, err)
	require.NotEmpty(t, programs)
	readme, tests := texts(t, "README.md"), texts(t, "*_test.go")
	for _, p := range programs {
		name := filepath.Dir(p)
		require.True(t, strings.Contains(readme, "`"+name+"`"), "examples/README.md has no row for `%s`", name)
		require.True(t, strings.Contains(tests, strconv.Quote(name)), "no test in examples runs program(t, %q)", name)
	}
}

// texts returns what the files have whose names match.
func texts(t *testing.T, pattern string) (all string) {
	t.Helper()
	names, err := filepath.Glob(pattern)
	require.NoError(t, err)
	for _, name := range names {
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		all += string(text)
	}
	return all
}
