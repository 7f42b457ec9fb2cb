package main

import (
	"bytes"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
)

// imports gives the type checker the packages that the files import: from the
// compiler's export data, but for the package itself and what its external tests
// share.
type imports struct {
	types.Importer
	path         string
	own, helpers *types.Package
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

// of returns the paths that the files import, but for those whose export data are
// not wanted, the package itself and what its tests share, and for C and unsafe, which
// have none.
func (im *imports) of(files []*ast.File) (paths []string) {
	for _, file := range files {
		for _, spec := range file.Imports {
			path, _ := strconv.Unquote(spec.Path.Value)
			if path != im.path && path != im.path+"/"+helpers && path != "C" && path != "unsafe" {
				paths = append(paths, path)
			}
		}
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}

func (im *imports) Import(path string) (*types.Package, error) {
	switch {
	case path == im.path && im.own != nil:
		return im.own, nil
	case path == im.path+"/"+helpers && im.helpers != nil:
		return im.helpers, nil
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
