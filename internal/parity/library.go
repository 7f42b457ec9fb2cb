package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// library is what the vendored liburing has.
type library struct {
	version   string
	symbols   []symbol            // what it offers, by name
	internals []string            // the header's inline functions that it does not
	ops       []string            // IORING_OP_…, in the header's order
	registers []string            // IORING_REGISTER_… and IORING_UNREGISTER_…
	users     map[string][]string // of an operation: the C functions for it

	firstStruct map[string]string // that a function takes a pointer to
}

// symbol is a function of liburing, or a macro that is used like one.
type symbol struct {
	name  string
	since string // the liburing that it came with; empty if that is not known
}

func readLibrary(root string) (*library, error) {
	dir := filepath.Join(root, "third_party/liburing")
	since, err := readMaps(filepath.Join(dir, "src/src"))
	if err != nil {
		return nil, err
	}
	header, err := readC(filepath.Join(dir, "include/liburing.h"))
	if err != nil {
		return nil, err
	}
	kernel, err := readC(filepath.Join(dir, "include/liburing/io_uring.h"))
	if err != nil {
		return nil, err
	}
	lib := &library{firstStruct: firstStructs(header)}
	for _, name := range inlines(header) {
		if _, ok := since[name]; ok {
			continue
		}
		// What is not exported and still has a man page is meant for users.
		if _, err := os.Stat(filepath.Join(dir, "src/man", name+".3")); err == nil {
			since[name] = ""
		} else {
			lib.internals = append(lib.internals, name)
		}
	}
	for _, name := range slices.SortedFunc(maps.Keys(since), compareNames) {
		lib.symbols = append(lib.symbols, symbol{name, since[name]})
	}
	slices.SortFunc(lib.internals, compareNames)
	if lib.ops, err = enumerators(kernel, "io_uring_op", "IORING_OP_LAST"); err != nil {
		return nil, err
	}
	if lib.registers, err = enumerators(kernel, "io_uring_register_op", "IORING_REGISTER_LAST"); err != nil {
		return nil, err
	}
	lib.users, err = readUsers(filepath.Join(dir, "src/src"), header, append(slices.Clone(lib.ops), lib.registers...))
	return lib, err
}

// compareNames puts __io_uring_x beside io_uring_x.
func compareNames(a, b string) int {
	if c := strings.Compare(strings.TrimLeft(a, "_"), strings.TrimLeft(b, "_")); c != 0 {
		return c
	}
	return strings.Compare(a, b)
}

// readMaps returns the symbols of both libraries, each with the version that it
// came with. Where both have one, the C library knows better: the other, which
// exports the inline functions too, is younger than many of them.
func readMaps(dir string) (map[string]string, error) {
	since := map[string]string{}
	for _, name := range []string{"liburing-ffi.map", "liburing.map"} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return nil, err
		}
		symbols := mapSymbols(string(text))
		if len(symbols) == 0 {
			return nil, fmt.Errorf("%s has no symbols: did its form change?", name)
		}
		maps.Copy(since, symbols)
	}
	return since, nil
}

var (
	mapNode   = regexp.MustCompile(`^LIBURING_([0-9.]+) \{`)
	mapSymbol = regexp.MustCompile(`^\s*(_*io_uring_\w+);(?:.*Added in ([0-9]+\.[0-9]+))?`)
)

// mapSymbols reads a version script. Its first node collects what there was
// until then, unless a comment says more.
func mapSymbols(text string) map[string]string {
	symbols := map[string]string{}
	node, older := "", "≤ "
	for line := range strings.Lines(text) {
		if m := mapNode.FindStringSubmatch(line); m != nil {
			if node != "" {
				older = ""
			}
			node = m[1]
		} else if m := mapSymbol.FindStringSubmatch(line); m != nil {
			symbols[m[1]] = older + node
			if m[2] != "" {
				symbols[m[1]] = m[2]
			}
		}
	}
	return symbols
}

func (l *library) has(c string) bool {
	return slices.ContainsFunc(l.symbols, func(s symbol) bool { return s.name == c })
}
