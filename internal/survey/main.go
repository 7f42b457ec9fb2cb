//go:build linux

// Command survey tries every operation that takes a descriptor on every kind of
// descriptor, and keeps what kernels do in table.txt. From that it writes
// docs/descriptors.md, and for the errors of requests internal/fdkind/zz_never_linux.go.
//
//	survey           write the documents from the table
//	survey -check    fail if they are not what it would write
//	survey -here     try this kernel, and put it into the table
//	survey -print    try this kernel, and print a table of it
//	survey FILE…     put what was printed on other kernels into the table
//
// Run it in the root of the module, as root. scripts/kernels.sh runs it on other kernels.
package main

import (
	"flag"
	"fmt"
	"log"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("survey: ")
	check := flag.Bool("check", false, "fail if the documents are not up to date, and write nothing")
	here := flag.Bool("here", false, "try this kernel, and put it into the table")
	show := flag.Bool("print", false, "try this kernel, and print a table of it")
	flag.Parse()
	texts := []string{tableText}
	for _, file := range flag.Args() {
		text, err := os.ReadFile(file)
		fatal(err)
		texts = append(texts, string(text))
	}
	if *here || *show {
		t, err := try()
		fatal(err)
		if *show {
			fmt.Print(t)
			return
		}
		texts = append(texts, t.String())
	}
	t, err := parseTable(texts...)
	fatal(err)
	if !*check {
		fatal(os.WriteFile(tableFile, []byte(t.String()), 0o644))
	}
	for file, content := range t.documents() {
		fatal(update(file, content, *check))
	}
}

func fatal(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// update writes a file, or only looks whether it is what would be written.
func update(file, content string, check bool) error {
	if !check {
		return os.WriteFile(file, []byte(content), 0o644)
	}
	if was, err := os.ReadFile(file); err != nil || string(was) != content {
		return fmt.Errorf("%s is stale: go run ./internal/survey", file)
	}
	return nil
}

// try tries this kernel: all cells, and those once more for longer of which something may
// have been missed, or that may have been ended by a signal: on a busy machine these are
// accidents.
func try() (*table, error) {
	r, err := newRunner(300*time.Millisecond, 0)
	if err != nil {
		return nil, err
	}
	if err := r.all(rings(), func(*cell) bool { return true }); err != nil {
		return nil, err
	}
	first := r.results
	r.patience, r.results = 2*time.Second, map[pair]vector{}
	err = r.all(rings(), func(c *cell) bool {
		if r.absent[c.kind.name] != "" {
			return false
		}
		outcome := first[c.pair()][c.state()]
		return slices.ContainsFunc([]string{waits, armed, "EINTR", "ECANCELED"}, func(s string) bool { return strings.Contains(outcome, s) })
	})
	if err != nil {
		return nil, err
	}
	for p, v := range r.results {
		for i, outcome := range v {
			if outcome != "" {
				was := first[p]
				was[i] = outcome
				first[p] = was
			}
		}
	}
	for name, why := range r.absent {
		log.Printf("%s: %s", name, why)
	}
	kernel := thisKernel()
	return &table{kernels: []string{kernel}, cells: map[string]map[pair]vector{kernel: first}}, nil
}

// rings returns how many are used at a time. Kernels before 5.12 cancel requests when
// another thread of the process ends. The registered buffers of each are 2 MB, and the
// privileged alone may lock many.
func rings() int {
	if byVersion(thisKernel(), "5.12") < 0 || os.Geteuid() != 0 {
		return 1
	}
	return 4
}

// thisKernel returns the running kernel's version, without its patch level.
func thisKernel() string {
	var uts unix.Utsname
	fatal(unix.Uname(&uts))
	major, minor := version(unix.ByteSliceToString(uts.Release[:]))
	return fmt.Sprintf("%d.%d", major, minor)
}
