package main

import (
	"cmp"
	"go/ast"
	"go/token"
	"go/types"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// uses tells which declarations of the package, tests included, use which, and
// so by which test a function is reached.
type uses struct {
	fset *token.FileSet
	info *types.Info
	root string
	by   map[types.Object][]types.Object // who uses this
	of   map[types.Object]int            // how many functions and methods this uses

	compiledOnly map[types.Object]bool // examples without an output to compare
	compared     map[string]bool       // C functions that the differential tests call
}

func newUses(fset *token.FileSet, info *types.Info, root string) *uses {
	return &uses{
		fset: fset, info: info, root: root,
		by: map[types.Object][]types.Object{}, of: map[types.Object]int{},
		compiledOnly: map[types.Object]bool{}, compared: map[string]bool{},
	}
}

// add takes in a file's functions and variables.
func (u *uses) add(file *ast.File) {
	if u.isDifferential(file.Name) {
		u.addCompared(file)
	}
	for _, decl := range file.Decls {
		switch d := decl.(type) {
		case *ast.FuncDecl:
			u.addNode(d, d.Name)
			u.compiledOnly[u.info.Defs[d.Name]] = strings.HasPrefix(d.Name.Name, "Example") && !hasOutput(file, d)
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				if v, ok := spec.(*ast.ValueSpec); ok {
					u.addNode(v, v.Names...)
				}
			}
		}
	}
}

// addCompared takes in the C functions that a differential test has by name.
func (u *uses) addCompared(file *ast.File) {
	ast.Inspect(file, func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			name, _ := strconv.Unquote(lit.Value)
			u.compared[name] = true
		}
		return true
	})
}

var exampleOutput = regexp.MustCompile(`(?i)^\s*(unordered )?output:`)

// hasOutput reports whether go test runs an example.
func hasOutput(file *ast.File, d *ast.FuncDecl) bool {
	return slices.ContainsFunc(file.Comments, func(c *ast.CommentGroup) bool {
		return c.Pos() > d.Pos() && c.End() < d.End() && exampleOutput.MatchString(c.Text())
	})
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

// positioned is an object or a node.
type positioned interface{ Pos() token.Pos }

// file returns the file of o, from the root on.
func (u *uses) file(o positioned) string {
	name := u.fset.Position(o.Pos()).Filename
	if short, err := filepath.Rel(u.root, name); err == nil {
		return short
	}
	return name
}

// isTestCode reports whether o is a test's, or one of what tests share.
func (u *uses) isTestCode(o types.Object) bool {
	file := u.file(o)
	return strings.HasSuffix(file, "_test.go") || strings.HasPrefix(file, helpers+"/")
}

// isTest reports whether go test runs o and can fail by it.
func (u *uses) isTest(o types.Object) bool {
	f, ok := o.(*types.Func)
	if !ok || !u.isTestCode(o) || u.compiledOnly[o] || f.Signature().Recv() != nil {
		return false
	}
	name := f.Name()
	return name != "TestMain" && slices.ContainsFunc([]string{"Test", "Fuzz", "Example"}, func(p string) bool {
		return strings.HasPrefix(name, p)
	})
}

// isDifferential reports whether o is part of the tests that compare with C.
func (u *uses) isDifferential(o positioned) bool {
	return strings.Contains(u.file(o), "differential")
}

// reach is a way by which a test comes to a function.
type reach struct {
	test    types.Object
	hops    int
	own     int          // how many of them are in the library
	through types.Object // what the test code calls; nil if that is the function itself
}

// tests returns the tests of o, the nearest and most special first: those that
// use it by test code alone and, if that leads to no run of it in the kernel,
// those that use something of the library that uses it.
func (u *uses) tests(o types.Object) []reach {
	found := u.walk(o, 0)
	if slices.ContainsFunc(found, func(r reach) bool { return !u.isDifferential(r.test) }) {
		return found
	}
	// Not far: somewhere below, everything is used by everything.
	return append(found, u.walk(o, 2)...)
}

// walk finds the tests that lead to o, through at most so many functions of the
// library.
func (u *uses) walk(o types.Object, library int) (found []reach) {
	seen := map[types.Object]bool{o: true}
	for queue := []reach{{test: o}}; len(queue) > 0; queue = queue[1:] {
		for _, user := range u.by[queue[0].test] {
			step := u.step(queue[0], user)
			if user == nil || seen[user] || step.own > library {
				continue
			}
			seen[user] = true
			queue = append(queue, step)
			if u.isTest(user) {
				found = append(found, step)
			}
		}
	}
	slices.SortFunc(found, u.compare)
	return found
}

func (u *uses) step(from reach, user types.Object) reach {
	to := reach{test: user, hops: from.hops + 1, own: from.own, through: from.through}
	if user != nil && !u.isTestCode(user) {
		to.own++
		to.through = user
	}
	return to
}

func (u *uses) compare(a, b reach) int {
	return cmp.Or(
		cmp.Compare(a.own, b.own),
		cmp.Compare(a.hops, b.hops),
		cmp.Compare(u.of[a.test], u.of[b.test]),
		cmp.Compare(u.file(a.test), u.file(b.test)),
		cmp.Compare(a.test.Name(), b.test.Name()),
	)
}
