package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"go/ast"
	"go/build"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// goPackage is package liburing as its source has it, for Linux with cgo.
type goPackage struct {
	funcs []*goFunc // functions and methods that are not tests
	uses  *uses
}

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
	leastKernel   = regexp.MustCompile(`Least kernel: (\d+\.\d+)`)
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

// imports gives the type checker the packages that the files import: from the
// compiler's export data, and the package itself for its external tests.
type imports struct {
	types.Importer
	path string
	own  *types.Package
}

func newImports(fset *token.FileSet, dir string, files []*ast.File) (*imports, error) {
	path, err := goList(dir, "{{.ImportPath}}", ".")
	if err != nil {
		return nil, err
	}
	im := &imports{path: strings.TrimSpace(path)}
	wanted := im.of(files)
	list := ""
	if len(wanted) > 0 {
		list, err = goList(dir, "{{.ImportPath}}\t{{.Export}}", append([]string{"-export", "-deps"}, wanted...)...)
		if err != nil {
			return nil, err
		}
	}
	exports := map[string]string{}
	for line := range strings.Lines(list) {
		name, file, _ := strings.Cut(strings.TrimSpace(line), "\t")
		exports[name] = file
	}
	im.Importer = importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) {
		return os.Open(exports[path])
	})
	return im, nil
}

// of returns the paths that the files import, but for those that have no export
// data: the package itself, C and unsafe.
func (im *imports) of(files []*ast.File) (paths []string) {
	for _, file := range files {
		for _, spec := range file.Imports {
			path, _ := strconv.Unquote(spec.Path.Value)
			if path != im.path && path != "C" && path != "unsafe" {
				paths = append(paths, path)
			}
		}
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}

func (im *imports) Import(path string) (*types.Package, error) {
	if path == im.path && im.own != nil {
		return im.own, nil
	}
	return im.Importer.Import(path)
}

// goList runs go list in dir.
func goList(dir, format string, args ...string) (string, error) {
	cmd := exec.Command("go", append([]string{"list", "-f", format}, args...)...)
	cmd.Dir = dir
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("go list: %w", errors.Join(err, errors.New(stderr.String())))
	}
	return string(out), nil
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

// find returns the function that String gives name, nil if there is none.
func (p *goPackage) find(name string) *goFunc {
	for _, f := range p.funcs {
		if f.String() == name {
			return f
		}
	}
	return nil
}
