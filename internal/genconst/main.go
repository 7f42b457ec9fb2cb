// Command genconst writes the Go constants of liburing's headers.
//
// The names come from the text of the headers, so that a new liburing adds its
// constants by itself; their values come from the C compiler ($CC, else gcc);
// their Go names from package cname. A name that no rule covers, two names that
// become one, or a name that the package already uses stops it.
//
// Run it with go generate in the root of the module; with -check it writes nothing
// and fails if the file is not what it would write.
package main

import (
	"bytes"
	_ "embed"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"log"
	"os"
	"path/filepath"
	"strings"

	"github.com/go-liburing/liburing/internal/cname"
)

//go:embed companions.h
var companions []byte

// output is the file that the command writes.
const output = "zz_constants.go"

func main() {
	log.SetFlags(0)
	log.SetPrefix("genconst: ")
	include := flag.String("include", "third_party/liburing/include", "directory that holds liburing.h")
	check := flag.Bool("check", false, "fail if "+output+" is not up to date, and write nothing")
	flag.Parse()

	text, err := generate(*include, ".")
	if err != nil {
		log.Fatal(err)
	}
	if *check {
		if was, err := os.ReadFile(output); err != nil || !bytes.Equal(was, text) {
			log.Fatalf("%s is stale: run go generate ./...", output)
		}
		return
	}
	if err := os.WriteFile(output, text, 0o644); err != nil {
		log.Fatal(err)
	}
}

// generate returns the output. No name in it is one that the package in the
// directory pkg has already.
func generate(include, pkg string) ([]byte, error) {
	version, blocks, err := collect(include)
	if err != nil {
		return nil, err
	}
	taken, err := declared(pkg)
	if err != nil {
		return nil, err
	}
	if err := collisions(blocks, taken); err != nil {
		return nil, err
	}
	return render(version, blocks)
}

// collect reads the headers and returns liburing's version and its constants
// by group.
func collect(include string) (version string, blocks []block, err error) {
	headers, err := headersOf(include)
	if err != nil {
		return "", nil, err
	}
	own, err := os.CreateTemp("", "companions*.h")
	if err != nil {
		return "", nil, err
	}
	defer os.Remove(own.Name())
	if _, err := own.Write(companions); err != nil {
		return "", nil, err
	}
	if err := own.Close(); err != nil {
		return "", nil, err
	}
	// First, so that it does not depend on liburing's configure, which
	// provides some of the same names, where they stand.
	headers = append([]string{own.Name()}, headers...)

	syms, err := scanAll(headers)
	if err != nil {
		return "", nil, err
	}
	members := make([][]string, len(groups))
	names := []string{"IO_URING_VERSION_MAJOR", "IO_URING_VERSION_MINOR"}
	for _, s := range syms {
		i, err := groupOf(s)
		if err != nil {
			return "", nil, err
		}
		if i >= 0 {
			members[i] = append(members[i], s.name)
			names = append(names, s.name)
		}
	}
	values, err := valuesOf(names, headers, include)
	if err != nil {
		return "", nil, err
	}
	for i, g := range groups {
		if len(members[i]) == 0 {
			return "", nil, fmt.Errorf("no constant in %s belongs to the group %q: is this an older liburing, or is the group a leftover in internal/genconst/rules.go?", include, g.doc)
		}
		bl := block{group: g}
		for _, c := range members[i] {
			bl.constants = append(bl.constants, constant{c, values[c]})
		}
		blocks = append(blocks, bl)
	}
	version = fmt.Sprintf("%d.%d", values["IO_URING_VERSION_MAJOR"].magnitude, values["IO_URING_VERSION_MINOR"].magnitude)
	return version, blocks, nil
}

// declared returns where the names stand that the package declares in other
// files than the generated one.
func declared(dir string) (map[string]string, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return nil, err
	}
	taken := map[string]string{}
	fset := token.NewFileSet()
	for _, path := range files {
		if filepath.Base(path) == output || strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(fset, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		for _, d := range file.Decls {
			for _, id := range identifiers(d) {
				taken[id.Name] = fset.Position(id.Pos()).String()
			}
		}
	}
	return taken, nil
}

// identifiers returns the package-level names of a declaration.
func identifiers(d ast.Decl) []*ast.Ident {
	var ids []*ast.Ident
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Recv == nil {
			ids = append(ids, d.Name)
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch spec := spec.(type) {
			case *ast.TypeSpec:
				ids = append(ids, spec.Name)
			case *ast.ValueSpec:
				ids = append(ids, spec.Names...)
			}
		}
	}
	return ids
}

// collisions reports the first Go name that two constants share, or that the
// package has already.
func collisions(blocks []block, taken map[string]string) error {
	from := map[string]string{}
	for _, bl := range blocks {
		for _, c := range bl.constants {
			name := cname.GoConst(c.c)
			if other := from[name]; other != "" {
				return fmt.Errorf("%s and %s would both be %s: tell them apart in internal/cname", other, c.c, name)
			}
			if at := taken[name]; at != "" {
				return fmt.Errorf("%s would be %s, which %s declares: rename one of them", c.c, name, at)
			}
			from[name] = c.c
		}
	}
	return nil
}
