package main

import (
	"go/ast"
	"go/types"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// The two ways to build the package: with cgo, cgo.go calls liburing's library;
// without, nocgo*.go has functions of the same names that do what it does.

// sameGo stands for what is the same Go code in both builds.
const sameGo = "same"

// cFunctionsOf returns the functions of cgo.go by the C function that each calls,
// through liburing_cgo.h too.
func cFunctionsOf(root string, file *ast.File) (map[string][]string, error) {
	header, err := readC(filepath.Join(root, "liburing_cgo.h"))
	if err != nil {
		return nil, err
	}
	bodies := functions(header)
	by := map[string][]string{}
	for _, decl := range file.Decls {
		f, ok := decl.(*ast.FuncDecl)
		if !ok || !standsIn.MatchString(f.Name.Name) {
			continue
		}
		for _, c := range calledByGo(f) {
			for _, name := range append(calledByC(c, bodies), c) {
				if !slices.Contains(by[name], f.Name.Name) {
					by[name] = append(by[name], f.Name.Name)
				}
			}
		}
	}
	return by, nil
}

// standsIn matches the names that both builds have.
var standsIn = regexp.MustCompile(`^c[A-Z]`)

// calledByGo returns the C functions that a function of cgo.go calls.
func calledByGo(f *ast.FuncDecl) (names []string) {
	ast.Inspect(f, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok && types.ExprString(s.X) == "C" {
			names = append(names, s.Sel.Name)
		}
		return true
	})
	return names
}

// calledByC returns what a function of liburing_cgo.h calls of liburing.
func calledByC(name string, bodies map[string]string) (names []string) {
	for _, m := range cCall.FindAllStringSubmatch(bodies[name], -1) {
		if callee := strings.TrimLeft(m[1], "_"); strings.HasPrefix(callee, "io_uring_") {
			names = append(names, m[1])
		}
	}
	return names
}

// noCgoCell says what does a symbol's work in a build without cgo.
func (r *report) noCgoCell(row row) string {
	if row.goFunc == nil {
		return none
	}
	inlined := r.pkg.uses.compared[row.name]
	if names := r.pkg.standIns[row.name]; len(names) > 0 && !inlined {
		return code(names[0])
	}
	return sameGo
}
