package main

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"path/filepath"
	"slices"
	"strings"
)

// uses tells which declarations of the package, tests included, use which, and
// so by which test a function is reached.
type uses struct {
	fset *token.FileSet
	info *types.Info
	by   map[types.Object][]types.Object // who uses this
	of   map[types.Object]int            // how many functions and methods this uses
}

func newUses(fset *token.FileSet, info *types.Info) *uses {
	return &uses{fset, info, map[types.Object][]types.Object{}, map[types.Object]int{}}
}

// add takes in a file's functions and variables.
func (u *uses) add(file *ast.File) {
	for _, decl := range file.Decls {
		switch d := decl.(type) {
		case *ast.FuncDecl:
			u.addNode(d, d.Name)
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				if v, ok := spec.(*ast.ValueSpec); ok {
					u.addNode(v, v.Names...)
				}
			}
		}
	}
}

func (u *uses) addNode(node ast.Node, names ...*ast.Ident) {
	seen := map[types.Object]bool{}
	ast.Inspect(node, func(n ast.Node) bool {
		id, ok := n.(*ast.Ident)
		if !ok {
			return true
		}
		used := origin(u.info.Uses[id])
		if used == nil || seen[used] {
			return true
		}
		seen[used] = true
		for _, name := range names {
			user := u.info.Defs[name]
			u.by[used] = append(u.by[used], user)
			if _, ok := used.(*types.Func); ok {
				u.of[user]++
			}
		}
		return true
	})
}

// origin returns the declaration of a generic function's instance.
func origin(o types.Object) types.Object {
	if f, ok := o.(*types.Func); ok {
		return f.Origin()
	}
	return o
}

func (u *uses) file(o types.Object) string {
	return filepath.Base(u.fset.Position(o.Pos()).Filename)
}

func (u *uses) isTestCode(o types.Object) bool { return strings.HasSuffix(u.file(o), "_test.go") }

// isTest reports whether go test runs o and can fail by it.
func (u *uses) isTest(o types.Object) bool {
	f, ok := o.(*types.Func)
	if !ok || !u.isTestCode(o) || f.Signature().Recv() != nil {
		return false
	}
	name := f.Name()
	return name != "TestMain" && slices.ContainsFunc([]string{"Test", "Fuzz", "Example"}, func(p string) bool {
		return strings.HasPrefix(name, p)
	})
}

// isDifferential reports whether a test compares with what C does.
func (u *uses) isDifferential(o types.Object) bool {
	return strings.Contains(u.file(o), "differential")
}

// reach is a test that reaches a function.
type reach struct {
	test    types.Object
	hops    int
	through types.Object // the library's function that the test code calls; nil if that is the one asked for
}

// tests returns the tests that reach o, the nearest and most special first.
// Through the library itself they are followed over two calls only: somewhere
// below, everything is used by everything.
func (u *uses) tests(o types.Object) (found []reach) {
	seen := map[types.Object]bool{o: true}
	level := []reach{{test: o}}
	library := 0
	for len(level) > 0 && library <= 2 {
		var next []reach
		for _, at := range level {
			for _, user := range u.by[at.test] {
				if user == nil || seen[user] {
					continue
				}
				seen[user] = true
				step := reach{user, at.hops + 1, at.through}
				if !u.isTestCode(user) {
					step.through = user
				}
				next = append(next, step)
			}
		}
		level = next
		library++
		for _, r := range level {
			if u.isTestCode(r.test) {
				library = 0
			}
			if u.isTest(r.test) {
				found = append(found, r)
			}
		}
	}
	slices.SortFunc(found, u.compare)
	return found
}

func (u *uses) compare(a, b reach) int {
	return cmp.Or(
		boolCompare(a.through != nil, b.through != nil),
		cmp.Compare(a.hops, b.hops),
		cmp.Compare(u.of[a.test], u.of[b.test]),
		cmp.Compare(u.file(a.test), u.file(b.test)),
		cmp.Compare(a.test.Name(), b.test.Name()),
	)
}
