// Command pluginhost loads a plugin that uses io_uring, and uses it itself.
package main

import (
	"errors"
	"fmt"
	"os"
	"plugin"

	"github.com/go-liburing/liburing/tests/faults/testdata/works"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println("all works")
}

func run() error {
	p, err := plugin.Open(os.Args[1])
	if err != nil {
		return err
	}
	all, err := p.Lookup("All")
	if err != nil {
		return err
	}
	return errors.Join(works.All(), all.(func() error)())
}
