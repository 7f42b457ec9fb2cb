//go:build linux

// Command kerneltable writes the tables of docs/kernels.md that say what each kernel
// knows, from what kernels have answered: the files in its folder answers.
//
// Run it in the root of the module; scripts/kernels.sh does, when it has asked its
// kernels. With -ask it prints what this kernel answers, with -check it writes nothing
// and fails if the tables are not what it would write.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"slices"
)

const (
	document = "docs/kernels.md"
	folder   = "internal/kerneltable/answers"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("kerneltable: ")
	ask := flag.Bool("ask", false, "print what this kernel answers, as JSON")
	check := flag.Bool("check", false, "fail if "+document+" is not up to date, and write nothing")
	flag.Parse()
	err := error(nil)
	if *ask {
		err = print(askKernel())
	} else {
		err = update(".", *check)
	}
	if err != nil {
		log.Fatal(err)
	}
}

func print(a answers, err error) error {
	if err != nil {
		return err
	}
	line, err := json.Marshal(a)
	if err != nil {
		return err
	}
	_, err = fmt.Printf("%s\n", line)
	return err
}

// update writes the tables of the module in root.
func update(root string, check bool) error {
	all, err := readAnswers(filepath.Join(root, folder))
	if err != nil {
		return err
	}
	name := filepath.Join(root, document)
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	before, rest, ok := bytes.Cut(text, []byte(begin))
	_, after, ended := bytes.Cut(rest, []byte(end))
	if !ok || !ended {
		return fmt.Errorf("%s has not the two lines that the tables stand between", document)
	}
	now := slices.Concat(before, []byte(begin), []byte(tables(all)), []byte(end), after)
	switch {
	case bytes.Equal(now, text):
		return nil
	case check:
		return errors.New(document + " is not up to date: run go run ./internal/kerneltable")
	}
	return os.WriteFile(name, now, 0o644)
}

const (
	begin = "<!-- Written by internal/kerneltable. -->\n"
	end   = "<!-- The end of what is written so. -->\n"
)
