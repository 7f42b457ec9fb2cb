package main

import (
	"go/parser"
	"go/token"
	"testing"

	"github.com/stretchr/testify/require"
)

func parsed(t *testing.T, code string) source {
	t.Helper()
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, "cgo.go", code, parser.ParseComments)
	require.NoError(t, err)
	return source{fset, file}
}

const calls = `package p

import "C"

func a(m *int) int32 { return int32(C.go_submit((*C.go_uring)(m))) }
func b(m *int) int32 { return int32(C.io_uring_close_ring_fd(C.uint(1), io_uring_other())) }
func c() { _ = func() { C.go_submit_and_wait(nil); C.free(nil); C.__io_uring_sqring_wait() } }
`

// What is called has its lines, once; types and the C library's functions have
// none, and the two that every batch calls go without nocallback.
func TestDirectives(t *testing.T) {
	require.Contains(t, string(directives(parsed(t, calls))), `
// #cgo noescape __io_uring_sqring_wait
// #cgo nocallback __io_uring_sqring_wait
// #cgo noescape go_submit
// #cgo noescape go_submit_and_wait
// #cgo noescape io_uring_close_ring_fd
// #cgo nocallback io_uring_close_ring_fd
import "C"
`)
}

// The exceptions are functions that the package calls.
func TestDirectivesOfThePackage(t *testing.T) {
	called := calledC(parse("../../cgo.go"))
	require.Greater(t, len(called), 60)
	for name := range slowNocallback {
		require.Contains(t, called, name)
	}
}
