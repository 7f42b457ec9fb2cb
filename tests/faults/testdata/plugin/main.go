// Command plugin is a plugin (-buildmode=plugin).
package main

import "github.com/go-liburing/liburing/tests/faults/testdata/works"

// All returns nil if all works.
func All() error { return works.All() }

func main() {}
