package main

import (
	"cmp"
	"errors"
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"go/types"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// goPackage is package liburing as its source has it, for Linux with cgo.
type goPackage struct {
	funcs []*goFunc // functions and methods that are not tests
	uses  *uses

	standIns map[string][]string // of a C function: those of cgo.go, and of nocgo*.go
}

// helpers is the package of what tests share.
const helpers = "internal/ringtest"

// loadPackage parses the package in root with its tests, those in folders of their
// own too, and resolves who uses whom.
func loadPackage(root string) (*goPackage, error) {
	fset := token.NewFileSet()
	own, err := parseFolder(fset, root, ".")
	if err != nil {
		return nil, err
	}
	others, err := parseOthers(fset, root)
	if err != nil {
		return nil, err
	}
	info := &types.Info{Uses: map[*ast.Ident]types.Object{}, Defs: map[*ast.Ident]types.Object{}}
	if err := resolve(fset, root, own, others, info); err != nil {
		return nil, err
	}
	pkg := &goPackage{uses: newUses(fset, info, root)}
	for _, file := range own.inside {
		pkg.uses.add(file)
		if pkg.uses.file(file) == "cgo.go" {
			if pkg.standIns, err = cFunctionsOf(root, file); err != nil {
				return nil, err
			}
		}
		if !strings.HasSuffix(fset.Position(file.Pos()).Filename, "_test.go") {
			pkg.addFuncs(file, info)
		}
	}
	for _, f := range append([]*folder{own}, others...) {
		for _, file := range f.external() {
			pkg.uses.add(file)
		}
	}
	slices.SortFunc(pkg.funcs, func(a, b *goFunc) int { return cmp.Compare(a.String(), b.String()) })
	return pkg, nil
}

// parseOthers parses what tests share, and then the tests in folders of their own.
func parseOthers(fset *token.FileSet, root string) (others []*folder, err error) {
	rooms, err := filepath.Glob(filepath.Join(root, "tests", "*"))
	if err != nil {
		return nil, err
	}
	paths := []string{helpers}
	for _, room := range rooms {
		if _, err := os.Stat(filepath.Join(room, "go.mod")); err == nil {
			continue // a module of its own
		}
		paths = append(paths, "tests/"+filepath.Base(room))
	}
	for _, path := range paths {
		other, err := parseFolder(fset, root, path)
		if err != nil {
			return nil, err
		}
		others = append(others, other)
	}
	return others, nil
}

// folder has the files of a folder: those of its package, tests in it included, and
// those of its external tests.
type folder struct {
	path           string // from the root on
	inside, beside []*ast.File
}

// external returns the files that see the package from outside.
func (f *folder) external() []*ast.File {
	if f.path == "." {
		return f.beside
	}
	return slices.Concat(f.inside, f.beside)
}

// parseFolder parses what is built for Linux with cgo.
func parseFolder(fset *token.FileSet, root, path string) (*folder, error) {
	f, dir := &folder{path: path}, filepath.Join(root, path)
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return f, nil
	}
	ctx := build.Default
	ctx.GOOS, ctx.CgoEnabled = "linux", true
	found, err := ctx.ImportDir(dir, 0)
	if none := new(build.NoGoError); errors.As(err, &none) {
		return f, nil
	}
	if err != nil {
		return nil, err
	}
	if f.inside, err = parseFiles(fset, dir, slices.Concat(found.GoFiles, found.CgoFiles, found.TestGoFiles)); err != nil {
		return nil, err
	}
	f.beside, err = parseFiles(fset, dir, found.XTestGoFiles)
	return f, err
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
func resolve(fset *token.FileSet, root string, own *folder, others []*folder, info *types.Info) error {
	files := slices.Concat(own.inside, own.beside)
	for _, f := range others {
		files = append(files, f.external()...)
	}
	imports, err := newImports(fset, root, files)
	if err != nil {
		return err
	}
	conf := types.Config{
		Importer:    imports,
		FakeImportC: true,
		Sizes:       types.SizesFor("gc", build.Default.GOARCH),
		Error:       func(error) {},
	}
	imports.own, _ = conf.Check(imports.path, fset, own.inside, info)
	for _, f := range others { // what tests share comes first
		pkg, _ := conf.Check(imports.path+"/"+f.path, fset, f.inside, info)
		if f.path == helpers {
			imports.helpers = pkg
		}
	}
	for _, f := range append([]*folder{own}, others...) {
		conf.Check(imports.path+"/"+f.path+"_test", fset, f.beside, info)
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
