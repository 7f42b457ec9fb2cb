//go:build linux

package opcodes_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"testing"

	"github.com/go-liburing/liburing/internal/optable"
	"github.com/stretchr/testify/require"
)

// runElsewhere are the opcodes that other packages' tests run.
var runElsewhere = map[string]string{
	"OpRecvZC": "../zcrx", // it takes a card that steers packets into registered memory, or Linux 7.3
}

// Every opcode, and each of the Loop's methods for it, is run by a test.
func TestEveryOpcodeRuns(t *testing.T) {
	preps, err := optable.Preps("../..")
	require.NoError(t, err)
	rows, err := optable.Read("../..")
	require.NoError(t, err)
	called := calledInTests(t)

	run := map[string]bool{}
	var missing []string
	for _, p := range preps {
		method, _ := optable.LoopForms.Name(p.Name)
		if called["l."+method] || called["loop."+method] {
			run[p.Op] = true
		} else {
			missing = append(missing, "Loop."+method)
		}
		if called[p.Name] {
			run[p.Op] = true
		}
	}
	require.Greater(t, len(run), 10, "the methods are not found any more")
	for op := range rows {
		if !run[op] && runElsewhere[op] == "" {
			missing = append(missing, op)
		}
	}
	slices.Sort(missing)
	require.Empty(t, missing, "no test runs these: the room's file of their family is the place for one; runElsewhere in this file is for opcodes that another room runs")
}

// calledInTests returns the methods that the tests of operations call, with and
// without the name of what they are called on.
func calledInTests(t testing.TB) map[string]bool {
	t.Helper()
	names, err := filepath.Glob("*_test.go")
	require.NoError(t, err)
	called := map[string]bool{}
	for _, name := range append(names, "../loop/loop_test.go", "../loop/cancel_test.go", "../../ring_test.go") {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		ast.Inspect(file, func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectorExpr); ok {
				called[sel.Sel.Name] = true
				if on, ok := sel.X.(*ast.Ident); ok {
					called[on.Name+"."+sel.Sel.Name] = true
				}
			}
			return true
		})
	}
	return called
}
