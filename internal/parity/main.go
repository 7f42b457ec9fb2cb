// Command parity compares the package with liburing, name by name, and writes
// what it finds to docs/parity.md.
//
// What liburing has comes from its own files: the symbols from the version
// scripts of its libraries, the operations from the kernel's header. What Go has
// comes from the package's source; the naming rule is package cname's. A symbol
// without its Go function, a function under another name or one that does not
// say which C function it is makes the command fail, and so do a Prep method that
// the Loop lacks and a function that no test runs.
//
// Run it in the root of the module, with make parity. With -check it writes
// nothing and fails if docs/parity.md is not what it would write.
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"log"
	"os"
	"path/filepath"
	"strings"

	"github.com/go-liburing/liburing/internal/optable"
)

const document = "docs/parity.md"

func main() {
	log.SetFlags(0)
	log.SetPrefix("parity: ")
	check := flag.Bool("check", false, "fail if "+document+" is not up to date, and write nothing")
	flag.Parse()
	if err := run(".", tables{exceptions, renamed, optable.LoopForms}, *check, os.Stdout); err != nil {
		log.Fatal(err)
	}
}

// run compares the module in root with the liburing that is vendored there.
func run(root string, t tables, check bool, out io.Writer) error {
	version, pin, err := versions(root)
	if err != nil {
		return err
	}
	if version != pin {
		fmt.Fprintf(out, "parity: liburing %s is vendored: parity is checked against the pinned %s only\n", version, pin)
		return nil
	}
	r, err := compareAll(root, version, t)
	if err != nil {
		return err
	}
	r.print(out)
	if err := update(filepath.Join(root, document), r.markdown(), check); err != nil {
		return err
	}
	if n := r.left(); n > 0 {
		return fmt.Errorf("%d left to put right, listed above", n)
	}
	return nil
}

func compareAll(root, version string, t tables) (*report, error) {
	lib, err := readLibrary(root)
	if err != nil {
		return nil, err
	}
	lib.version = version
	pkg, err := loadPackage(root)
	if err != nil {
		return nil, err
	}
	return compare(lib, pkg, t), nil
}

// versions returns the liburing that is vendored and the one that is pinned.
func versions(root string) (version, pin string, err error) {
	record, err := os.ReadFile(filepath.Join(root, "third_party/liburing/vendored"))
	if err != nil {
		return "", "", fmt.Errorf("%w: vendor liburing with scripts/vendor-liburing.sh", err)
	}
	lock, err := os.ReadFile(filepath.Join(root, "third_party/liburing.lock"))
	if err != nil {
		return "", "", err
	}
	version, _, _ = strings.Cut(string(record), " ")
	for line := range strings.Lines(string(lock)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "pin" {
			return version, f[1], nil
		}
	}
	return "", "", errors.New("third_party/liburing.lock has no line for the pin")
}

// update writes the document, or with check only says whether it would change.
func update(path string, text []byte, check bool) error {
	old, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if bytes.Equal(old, text) {
		return nil
	}
	if check {
		return fmt.Errorf("%s is stale: run make parity", document)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o644)
}
