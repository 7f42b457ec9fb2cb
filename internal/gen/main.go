// Gen writes the parts of package liburing that follow from other parts of it,
// so that the two cannot drift:
//
//   - zz_loop_ops.go: the Loop's request methods, from the SQE's Prep methods
//     in ops*.go, their doc comments, the table in optable.go and the
//     arguments that loop_request.go takes for bad;
//   - zz_other.go: stand-ins for the functions of cgo.go, for builds without
//     Linux;
//   - zz_cgo.go: what cgo is told of the C functions that cgo.go calls.
//
// go generate runs it in the package's folder; with -check it writes nothing
// and fails if a file is not what it would write.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/printer"
	"go/token"
	"log"
	"os"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("gen: ")
	check := flag.Bool("check", false, "fail if a generated file is not up to date, and write nothing")
	flag.Parse()
	emit(*check, "zz_loop_ops.go", loopOps("."))
	c := parse("cgo.go")
	emit(*check, "zz_other.go", standIns(c))
	emit(*check, "zz_cgo.go", directives(c))
}

// source is a parsed file.
type source struct {
	fset *token.FileSet
	file *ast.File
}

func parse(name string) source {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, name, nil, parser.ParseComments)
	if err != nil {
		log.Fatal(err)
	}
	return source{fset, file}
}

// text returns the source text of a node.
func (s source) text(node any) string {
	var b bytes.Buffer
	if err := printer.Fprint(&b, s.fset, node); err != nil {
		log.Fatal(err)
	}
	return b.String()
}

func emit(check bool, name string, code []byte) {
	formatted, err := format.Source(code)
	if err != nil {
		log.Fatalf("%s: %v\n%s", name, err, code)
	}
	old, _ := os.ReadFile(name)
	if bytes.Equal(old, formatted) {
		return
	}
	if check {
		log.Fatalf("%s is stale: run go generate", name)
	}
	if err := os.WriteFile(name, formatted, 0o644); err != nil {
		log.Fatal(err)
	}
	fmt.Println("wrote", name)
}
