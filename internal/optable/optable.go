// Package optable reads what the source of package liburing says of operations,
// for the programs and tests that go by it: the table in optable.go, and the
// Prep methods of SQE in ops*.go.
package optable

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"strings"
)

// Row is what optable.go says of an operation, as far as it is of use where
// source is read. The fields have the names of those there.
type Row struct {
	Kernel        string
	Quick, Worker bool
	Fixed         string // the constant, such as fixedByFlag; "" if there is none
}

// Read returns the table of the package in dir, by the operations' names.
func Read(dir string) (map[string]Row, error) {
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(dir, "optable.go"), nil, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	rows := map[string]Row{}
	for _, e := range tableOf(file) {
		kv, _ := e.(*ast.KeyValueExpr)
		if kv == nil {
			return nil, fmt.Errorf("optable.go: a row has no operation")
		}
		key, _ := kv.Key.(*ast.Ident)
		facts, _ := kv.Value.(*ast.CompositeLit)
		if key == nil || facts == nil {
			return nil, fmt.Errorf("optable.go: a row is not of the form OpX: {…}")
		}
		if rows[key.Name], err = row(key.Name, facts); err != nil {
			return nil, err
		}
	}
	if len(rows) == 0 {
		return nil, fmt.Errorf("optable.go: there is no table opTable")
	}
	return rows, nil
}

// tableOf returns the rows of the literal that opTable is set to.
func tableOf(file *ast.File) (rows []ast.Expr) {
	ast.Inspect(file, func(n ast.Node) bool {
		if v, ok := n.(*ast.ValueSpec); ok && v.Names[0].Name == "opTable" && len(v.Values) == 1 {
			if lit, ok := v.Values[0].(*ast.CompositeLit); ok {
				rows = lit.Elts
			}
		}
		return true
	})
	return rows
}

// row returns what a row says, as far as Row has it.
func row(op string, facts *ast.CompositeLit) (r Row, err error) {
	for _, e := range facts.Elts {
		kv, _ := e.(*ast.KeyValueExpr)
		if kv == nil {
			return r, fmt.Errorf("optable.go: a fact has no name: %s", op)
		}
		ok := true
		switch fact := kv.Key.(*ast.Ident).Name; fact {
		case "kernel":
			r.Kernel, ok = text(kv.Value)
		case "quick":
			r.Quick, ok = true, name(kv.Value) == "true"
		case "worker":
			r.Worker, ok = true, name(kv.Value) == "true"
		case "fixed":
			r.Fixed = name(kv.Value)
			ok = r.Fixed != ""
		}
		if !ok {
			return r, fmt.Errorf("optable.go: %s of %s is not what can be read here", kv.Key, op)
		}
	}
	return r, nil
}

// name returns the name that an expression is, "" if it is something else.
func name(e ast.Expr) string {
	if id, ok := e.(*ast.Ident); ok {
		return id.Name
	}
	return ""
}

// text returns the string that a literal is.
func text(e ast.Expr) (string, bool) {
	lit, ok := e.(*ast.BasicLit)
	if !ok {
		return "", false
	}
	s, err := strconv.Unquote(lit.Value)
	return s, err == nil
}

// Prep is a method of SQE that prepares a request.
type Prep struct {
	Name string
	Op   string // the constant of its operation
	Decl *ast.FuncDecl
	Fset *token.FileSet
}

// Preps returns the Prep methods of the package in dir that have a form for the
// Loop, in the order of the files.
func Preps(dir string) (preps []Prep, err error) {
	names, err := filepath.Glob(filepath.Join(dir, "ops*.go"))
	if err != nil {
		return nil, err
	}
	fset := token.NewFileSet()
	decls := map[string]*ast.FuncDecl{}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(fset, name, nil, parser.ParseComments)
		if err != nil {
			return nil, err
		}
		for _, f := range prepsOf(file) {
			decls[f.Name.Name] = f
			if _, ok := LoopForms.Name(f.Name.Name); ok {
				preps = append(preps, Prep{Name: f.Name.Name, Decl: f, Fset: fset})
			}
		}
	}
	for i := range preps {
		p := &preps[i]
		if p.Op = opOf(decls, p.Name); p.Op == "" {
			return nil, fmt.Errorf("%s: no operation found", p.Name)
		}
	}
	return preps, nil
}

// prepsOf returns a file's methods whose names begin with Prep.
func prepsOf(file *ast.File) (preps []*ast.FuncDecl) {
	for _, decl := range file.Decls {
		if f, ok := decl.(*ast.FuncDecl); ok && f.Recv != nil && strings.HasPrefix(f.Name.Name, "Prep") {
			preps = append(preps, f)
		}
	}
	return preps
}

// opOf returns the operation that a Prep method prepares: the one that its body
// names, or that of the Prep method it calls.
func opOf(preps map[string]*ast.FuncDecl, name string) (op string) {
	ast.Inspect(preps[name].Body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.Ident:
			if strings.HasPrefix(n.Name, "Op") && n.Name != "OpFlags" {
				op = n.Name
			}
		case *ast.SelectorExpr:
			if op == "" && preps[n.Sel.Name] != nil {
				op = opOf(preps, n.Sel.Name)
			}
		}
		return true
	})
	return op
}
