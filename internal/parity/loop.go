package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// loopTables are what the generator of the Loop's methods is told beside the
// Prep methods: which have no form for the Loop, and which have another name
// there.
type loopTables struct {
	notForLoop, renamed map[string]string
}

// readLoopTables reads them in the generator's source.
func readLoopTables(root string) (t loopTables, err error) {
	files, err := filepath.Glob(filepath.Join(root, "internal/gen/*.go"))
	if err != nil {
		return t, err
	}
	for _, path := range files {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return t, err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if v, ok := n.(*ast.ValueSpec); ok && len(v.Values) == 1 {
				t.take(v.Names[0].Name, v.Values[0])
			}
			return true
		})
	}
	if t.notForLoop == nil || t.renamed == nil {
		return t, fmt.Errorf("internal/gen has no tables notForLoop and renamed any more: correct internal/parity/loop.go")
	}
	return t, nil
}

func (t *loopTables) take(name string, value ast.Expr) {
	switch name {
	case "notForLoop":
		t.notForLoop = stringMap(value)
	case "renamed":
		t.renamed = stringMap(value)
	}
}

// stringMap returns the map that a literal of strings makes.
func stringMap(value ast.Expr) map[string]string {
	m := map[string]string{}
	ast.Inspect(value, func(n ast.Node) bool {
		if kv, ok := n.(*ast.KeyValueExpr); ok {
			m[unquote(kv.Key)] = unquote(kv.Value)
		}
		return true
	})
	return m
}

func unquote(e ast.Expr) string {
	lit, _ := e.(*ast.BasicLit)
	if lit == nil {
		return ""
	}
	s, _ := strconv.Unquote(lit.Value)
	return s
}

// form returns the Loop's form of a Prep method; ok is false for those that
// have none on purpose.
func (t loopTables) form(prep string) (name string, ok bool) {
	if t.notForLoop[prep] != "" {
		return "", false
	}
	if name := t.renamed[prep]; name != "" {
		return name, true
	}
	return strings.TrimPrefix(prep, "Prep"), true
}

// isPrep reports whether f prepares a request.
func (f *goFunc) isPrep() bool {
	return f.recv == "SQE" && strings.HasPrefix(f.name, "Prep") && f.exported()
}

// problems lists the Prep methods that the Loop lacks, and the entries of the
// tables that no Prep method is left for.
func (t loopTables) problems(pkg *goPackage) (problems []string) {
	for _, f := range pkg.funcs {
		if name, ok := t.form(f.name); f.isPrep() && ok && pkg.find("(*Loop)."+name) == nil {
			problems = append(problems, fmt.Sprintf("missing: %s has no form (*Loop).%s: run go generate, or give the reason in internal/gen", f, name))
		}
	}
	for _, table := range []map[string]string{t.notForLoop, t.renamed} {
		for prep := range table {
			if pkg.find("(*SQE)."+prep) == nil {
				problems = append(problems, fmt.Sprintf("internal/gen knows of %s, which SQE does not have", prep))
			}
		}
	}
	slices.Sort(problems)
	return problems
}
