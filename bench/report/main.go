// Report presents what the benchmarks measured: a page with charts, and
// docs/benchmarks.md.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	root := flag.String("root", "../..", "the project's `folder`")
	in := flag.String("results", "", "the `file` of results (default bench/results/latest.json)")
	page := flag.String("html", "", "the `file` to write the page to (default bench/results/report.html)")
	doc := flag.String("md", "", "the `file` to write the document to (default docs/benchmarks.md)")
	flag.Usage = usage
	flag.Parse()
	if flag.NArg() != 0 {
		fmt.Fprintln(os.Stderr, "report: there are no arguments beside flags")
		usage()
		os.Exit(2)
	}
	under := func(file, otherwise string) string {
		if file != "" {
			return file
		}
		return filepath.Join(*root, filepath.FromSlash(otherwise))
	}
	err := write(
		under(*in, "bench/results/latest.json"),
		under(*page, "bench/results/report.html"),
		under(*doc, "docs/benchmarks.md"))
	if err != nil {
		fmt.Fprintln(os.Stderr, "report:", err)
		os.Exit(1)
	}
}

func usage() {
	fmt.Fprint(flag.CommandLine.Output(), `usage: report [flags]

Writes a page with charts and a document with tables from the benchmarks'
results.

flags:
`)
	flag.PrintDefaults()
}

// write writes both from the results.
func write(in, page, doc string) error {
	measured, err := readResults(in)
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("there are no results in %s: run make bench first", in)
	}
	if err != nil {
		return err
	}
	r := newReport(measured)
	html, err := r.html()
	if err != nil {
		return err
	}
	if err := writeFile(page, html); err != nil {
		return err
	}
	if err := writeFile(doc, r.markdown()); err != nil {
		return err
	}
	if len(measured.group(scaleGroup)) == 0 {
		return nil
	}
	return writeFile(filepath.Join(filepath.Dir(doc), "scaling.md"), measured.scalingDoc())
}

func writeFile(name string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(name, text, 0o644); err != nil {
		return err
	}
	fmt.Println("wrote", name)
	return nil
}
