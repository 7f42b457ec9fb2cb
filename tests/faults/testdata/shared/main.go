// Command shared is a library for programs in C (-buildmode=c-shared).
package main

import "C"

import (
	"fmt"
	"os"

	"github.com/go-liburing/liburing/tests/faults/testdata/works"
)

// WorksAll returns 0 if all works.
//
//export WorksAll
func WorksAll() C.int {
	if err := works.All(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func main() {}
