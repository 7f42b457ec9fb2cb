//go:build linux && !race

package docs_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/stretchr/testify/require"
)

// compile compiles each block as a package of this module, all by one command, and returns what go says. The packages
// are in no folder: go is told to take files of a temporary one for theirs.
func compile(t *testing.T, root string, blocks []block) (said string, err error) {
	t.Helper()
	ringtest.NeedsTool(t, "go")
	dir := t.TempDir()
	replace := map[string]string{}
	add := func(pkg, name, text string) {
		from := filepath.Join(dir, fmt.Sprint(len(replace), ".go"))
		require.NoError(t, os.WriteFile(from, []byte(text), 0o666))
		replace[filepath.Join(root, pkg, name)] = from
	}
	overlay := filepath.Join(dir, "overlay.json")
	args := []string{"build", "-overlay", overlay}
	for i, b := range blocks {
		pkg := fmt.Sprintf("./tests/docs/block%d", i)
		text, fragment := goFile(b)
		add(pkg, "block.go", text)
		if fragment {
			add(pkg, "granted.go", granted())
		}
		args = append(args, pkg)
	}
	list, err := json.Marshal(map[string]any{"Replace": replace})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(overlay, list, 0o666))
	cmd := exec.Command("go", args...)
	cmd.Dir = root
	out, err := cmd.CombinedOutput()
	return string(out), err
}
