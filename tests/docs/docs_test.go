//go:build linux && !race

package docs_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// root returns the module's folder. A test starts in its package's.
func root(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../..")
	require.NoError(t, err)
	return dir
}

// If a block is at fault, put it right in its Markdown file. If it is a fragment and takes for granted what it should,
// add that to granted_test.go. A fragment that returns something has to be a whole function.
func TestBlocksCompile(t *testing.T) {
	var blocks []block
	for _, name := range documents(t, root(t)) {
		blocks = append(blocks, blocksOf(t, name)...)
	}
	require.NotEmpty(t, blocks)
	said, err := compile(t, root(t), blocks)
	require.NoError(t, err, "%s", said)
}
