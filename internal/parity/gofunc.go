package main

import (
	"go/ast"
	"go/types"
	"regexp"
	"slices"
)

// goFunc is one function or method.
type goFunc struct {
	recv    string // the receiver's type, without the star; empty for functions
	pointer bool   // the receiver is a pointer
	name    string
	doc     string // in one line
	obj     types.Object
}

// String returns the function's name as Go's documentation writes it.
func (f *goFunc) String() string {
	switch {
	case f.recv == "":
		return f.name
	case f.pointer:
		return "(*" + f.recv + ")." + f.name
	}
	return f.recv + "." + f.name
}

// exported reports whether users of the package can call the function.
func (f *goFunc) exported() bool {
	return ast.IsExported(f.name) && (f.recv == "" || ast.IsExported(f.recv))
}

var (
	cFunctionName = regexp.MustCompile(`\b_*io_uring_\w+`)
	cNamesAlone   = regexp.MustCompile(`\((?:_*io_uring_\w+(?:, (?:and )?| and | or | with )?)+\)`)
	leastKernel   = regexp.MustCompile(`Needs Linux (\d+\.\d+)`)
)

// mentions reports whether the doc comment names a C function.
func (f *goFunc) mentions(c string) bool {
	return slices.Contains(cFunctionName.FindAllString(f.doc, -1), c)
}

// claims returns the C functions that the doc comment says this is: those in
// parentheses of their own.
func (f *goFunc) claims() (names []string) {
	for _, s := range cNamesAlone.FindAllString(f.doc, -1) {
		names = append(names, cFunctionName.FindAllString(s, -1)...)
	}
	return names
}

// kernel returns the least kernel that the doc comment names, if it does.
func (f *goFunc) kernel() string {
	if m := leastKernel.FindStringSubmatch(f.doc); m != nil {
		return m[1]
	}
	return ""
}

func receiver(t ast.Expr) (name string, pointer bool) {
	star, pointer := t.(*ast.StarExpr)
	if pointer {
		t = star.X
	}
	if index, ok := t.(*ast.IndexExpr); ok {
		t = index.X
	}
	id, ok := t.(*ast.Ident)
	if !ok {
		return "", pointer
	}
	return id.Name, pointer
}
