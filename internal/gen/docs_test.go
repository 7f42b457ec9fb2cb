package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-liburing/liburing/internal/optable"
)

// prep returns a Prep method with a doc comment.
func prep(t *testing.T, doc string) optable.Prep {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, "ops.go", "package p\n\n"+doc+"func (s *SQE) PrepRead(ts *Timespec) {}\n", parser.ParseComments)
	require.NoError(t, err)
	return optable.Prep{Name: "PrepRead", Op: "OpRead", Decl: file.Decls[0].(*ast.FuncDecl), Fset: fset}
}

// The Loop's method has the first paragraph in the Loop's words, and what is for it
// alone before the kernel.
func TestDoc(t *testing.T) {
	m := method{name: "Read", prep: prep(t, `// PrepRead reads until ts, see PrepClose and PrepRW
// (io_uring_prep_read). Needs Linux 5.6.
//
// ts needs to live.
//
//loop:doc It is
//loop:doc kept.
`)}
	m.params()
	require.Equal(t, "Read reads until d, see CloseFD and SQE.PrepRW (io_uring_prep_read). It is kept. Needs Linux 5.6.", m.doc())
}

func TestCheckDoc(t *testing.T) {
	for doc, want := range map[string]string{
		"// Reads (io_uring_prep_read). Needs Linux 5.6.\n":                                           "does not begin with the name",
		"// PrepRead reads. Needs Linux 5.6.\n":                                                       "C function",
		"// PrepRead reads (io_uring_prep_read).\n":                                                   "does not end its first paragraph",
		"// PrepRead reads (io_uring_prep_read). It always takes a worker thread. Needs Linux 5.6.\n": "worker thread",
		"// PrepRead reads (io_uring_prep_read). Needs Linux 5.6.\n//\n// Needs Linux to be awake.\n": "",
	} {
		kernel, err := checkDoc(prep(t, doc), optable.Row{Kernel: "5.6"})
		if want == "" {
			require.NoError(t, err)
			require.Equal(t, "5.6", kernel)
			continue
		}
		require.ErrorContains(t, err, want)
	}
	_, err := checkDoc(prep(t, "// PrepRead reads (io_uring_prep_read). Needs Linux 5.6.\n"), optable.Row{Worker: true})
	require.ErrorContains(t, err, "worker thread")
	require.True(t, older("5.6", "5.19"))
	require.False(t, older("6.1", "5.19"))
}
