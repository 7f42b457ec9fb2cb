package main

import (
	"cmp"
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"go/types"
	"path/filepath"
	"slices"
	"strings"
)

// goPackage is package liburing as its source has it, for Linux with cgo.
type goPackage struct {
	funcs []*goFunc // functions and methods that are not tests
	uses  *uses
}

// loadPackage parses the package in dir with its tests and resolves who uses
// whom.
func loadPackage(dir string) (*goPackage, error) {
	ctx := build.Default
	ctx.GOOS, ctx.CgoEnabled = "linux", true
	found, err := ctx.ImportDir(dir, 0)
	if err != nil {
		return nil, err
	}
	fset := token.NewFileSet()
	files, err := parseFiles(fset, dir, slices.Concat(found.GoFiles, found.CgoFiles, found.TestGoFiles))
	if err != nil {
		return nil, err
	}
	external, err := parseFiles(fset, dir, found.XTestGoFiles)
	if err != nil {
		return nil, err
	}
	info := &types.Info{Uses: map[*ast.Ident]types.Object{}, Defs: map[*ast.Ident]types.Object{}}
	if err := resolve(fset, dir, files, external, info); err != nil {
		return nil, err
	}
	pkg := &goPackage{uses: newUses(fset, info)}
	for _, file := range files {
		pkg.uses.add(file)
		if !strings.HasSuffix(fset.Position(file.Pos()).Filename, "_test.go") {
			pkg.addFuncs(file, info)
		}
	}
	for _, file := range external {
		pkg.uses.add(file)
	}
	slices.SortFunc(pkg.funcs, func(a, b *goFunc) int { return cmp.Compare(a.String(), b.String()) })
	return pkg, nil
}

func parseFiles(fset *token.FileSet, dir string, names []string) (files []*ast.File, err error) {
	for _, name := range names {
		file, err := parser.ParseFile(fset, filepath.Join(dir, name), nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		files = append(files, file)
	}
	return files, nil
}

// resolve fills info with what every name in the files means. Type errors are
// the compiler's business: a file that another test run would refuse is still
// good enough to be counted.
func resolve(fset *token.FileSet, dir string, files, external []*ast.File, info *types.Info) error {
	imports, err := newImports(fset, dir, append(slices.Clone(files), external...))
	if err != nil {
		return err
	}
	conf := types.Config{
		Importer:    imports,
		FakeImportC: true,
		Sizes:       types.SizesFor("gc", build.Default.GOARCH),
		Error:       func(error) {},
	}
	imports.own, _ = conf.Check(imports.path, fset, files, info)
	if len(external) > 0 {
		conf.Check(imports.path+"_test", fset, external, info)
	}
	return nil
}

func (p *goPackage) addFuncs(file *ast.File, info *types.Info) {
	for _, decl := range file.Decls {
		d, ok := decl.(*ast.FuncDecl)
		if !ok {
			continue
		}
		f := &goFunc{name: d.Name.Name, doc: strings.Join(strings.Fields(d.Doc.Text()), " "), obj: info.Defs[d.Name]}
		if d.Recv != nil {
			f.recv, f.pointer = receiver(d.Recv.List[0].Type)
		}
		p.funcs = append(p.funcs, f)
	}
}

// find returns the function that String gives name, nil if there is none.
func (p *goPackage) find(name string) *goFunc {
	for _, f := range p.funcs {
		if f.String() == name {
			return f
		}
	}
	return nil
}
