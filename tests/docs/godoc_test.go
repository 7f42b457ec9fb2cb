//go:build linux && !race

package docs_test

import (
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// go doc lists what makes a value with its type. It no longer does for functions that also return an error if a
// variable is declared with the type error: errors.go says how to write that.
func TestGoDocListsConstructorsWithTheirTypes(t *testing.T) {
	for folder, constructors := range map[string]map[string]string{
		".":      {"New": "Ring", "NewLoop": "Loop", "NewLoopGroup": "LoopGroup", "NewBufferPool": "BufferPool"},
		"ringio": {"New": "Engine", "Open": "File", "NewAppender": "Appender"},
	} {
		typeOf := map[string]string{}
		for _, typ := range parsed(t, filepath.Join(root(t), folder)).Types {
			for _, f := range typ.Funcs {
				typeOf[f.Name] = typ.Name
			}
		}
		for name, typ := range constructors {
			require.Equal(t, typ, typeOf[name], "%s: the type that %s is listed with", folder, name)
		}
	}
}

// parsed returns a folder's package with all declarations, as go doc takes it.
func parsed(t *testing.T, folder string) *doc.Package {
	names, err := filepath.Glob(filepath.Join(folder, "*.go"))
	require.NoError(t, err)
	files := token.NewFileSet()
	var syntax []*ast.File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(files, name, nil, parser.ParseComments)
		require.NoError(t, err)
		syntax = append(syntax, file)
	}
	pkg, err := doc.NewFromFiles(files, syntax, folder, doc.AllDecls)
	require.NoError(t, err)
	return pkg
}
