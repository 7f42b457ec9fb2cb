//go:build linux && cgo

package examples_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestEveryExampleIsListed(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	programs, err := filepath.Glob("*/main.go")
	require.NoError(t, err)
	require.NotEmpty(t, programs)
	for _, p := range programs {
		require.Contains(t, string(readme), "`"+filepath.Dir(p)+"`")
	}
}
