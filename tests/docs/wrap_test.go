//go:build linux && !race

package docs_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path"
	"slices"
)

// A block is one of three things: a file with its package clause, declarations, or statements. The latter two are
// fragments, which become a file of package fragment. Errors are told at the lines of the Markdown file.

// goFile returns the Go file that a block becomes, and whether it was a fragment.
func goFile(b block) (text string, fragment bool) {
	if _, err := parse(b.text, parser.PackageClauseOnly); err == nil {
		return at(b), false
	}
	if file, err := parse(header+b.text, 0); err == nil {
		return header + imports(file) + at(b), true
	}
	// What is not Go at all becomes statements as well, and the compiler says what is wrong with it.
	file, _ := parse(header+function+b.text+end, 0)
	return header + imports(file) + function + at(b) + uses(file) + end, true
}

const (
	header   = "package fragment\n"
	function = "func _() {\n"
	end      = "\n}\n"
)

// granted returns a file of package fragment that declares what every fragment may use.
func granted() (text string) {
	for _, name := range slices.Sorted(maps.Keys(variables)) {
		text += fmt.Sprintf("var %s %s\n", name, variables[name])
	}
	file, _ := parse(header+text, 0)
	return header + imports(file) + text
}

// at returns a block's text, with a directive that tells the compiler where it is from.
func at(b block) string { return fmt.Sprintf("//line %s:%d\n%s", b.file, b.line, b.text) }

func parse(text string, mode parser.Mode) (*ast.File, error) {
	return parser.ParseFile(token.NewFileSet(), "", text, mode|parser.SkipObjectResolution)
}

// imports returns declarations that import what a file uses of packages and does not import itself.
func imports(file *ast.File) (text string) {
	used := map[string]bool{}
	ast.Inspect(file, func(n ast.Node) bool {
		if selector, ok := n.(*ast.SelectorExpr); ok {
			if name, ok := selector.X.(*ast.Ident); ok {
				used[name.Name] = true
			}
		}
		return true
	})
	for _, of := range packages {
		if used[path.Base(of)] && !importsItself(file, of) {
			text += fmt.Sprintf("import %q\n", of)
		}
	}
	return text
}

func importsItself(file *ast.File, of string) bool {
	return slices.ContainsFunc(file.Imports, func(i *ast.ImportSpec) bool { return i.Path.Value == fmt.Sprintf("%q", of) })
}

// uses returns statements that use the variables that a fragment of statements declares: what the fragment shows may
// end with their values. A variable that is declared further inside has to be used there.
func uses(file *ast.File) (text string) {
	for _, decl := range file.Decls {
		f, ok := decl.(*ast.FuncDecl)
		if !ok || f.Body == nil {
			continue
		}
		for _, statement := range f.Body.List {
			for _, name := range declared(statement) {
				if name != "_" {
					text += "\n_ = " + name
				}
			}
		}
	}
	return text
}

// declared returns the names of the variables that a statement declares, or sets by the way.
func declared(statement ast.Stmt) (names []string) {
	switch s := statement.(type) {
	case *ast.AssignStmt:
		for _, left := range s.Lhs {
			if name, ok := left.(*ast.Ident); ok && s.Tok == token.DEFINE {
				names = append(names, name.Name)
			}
		}
	case *ast.DeclStmt:
		for _, spec := range s.Decl.(*ast.GenDecl).Specs {
			if values, ok := spec.(*ast.ValueSpec); ok {
				for _, name := range values.Names {
					names = append(names, name.Name)
				}
			}
		}
	}
	return names
}
