package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// symbol is the name of a macro or of an enumerator, as a header gives it.
type symbol struct {
	name   string
	enum   string // the enum's tag; empty for a macro or an enum without a tag
	header string // the file's path, for messages
}

var (
	comment     = regexp.MustCompile(`(?s)/\*.*?\*/|//[^\n]*`)
	continued   = regexp.MustCompile(`\\\n`)
	directive   = regexp.MustCompile(`(?m)^[ \t]*#[^\n]*$`)
	objectMacro = regexp.MustCompile(`(?m)^[ \t]*#[ \t]*define[ \t]+(\w+)[ \t]+\S`)
	enumeration = regexp.MustCompile(`\benum\s*(\w*)\s*\{([^}]*)\}`)
	enumerator  = regexp.MustCompile(`^\s*(\w+)`)
)

// headersOf lists the headers below the include directory, io_uring.h first:
// the order of the constants follows it.
func headersOf(include string) ([]string, error) {
	first := filepath.Join(include, "liburing", "io_uring.h")
	if _, err := os.Stat(first); err != nil {
		return nil, fmt.Errorf("no liburing headers: %w; unpack them with scripts/vendor-liburing.sh or name the directory with -include", err)
	}
	headers := []string{first}
	for _, pattern := range []string{"*.h", "liburing/*.h", "liburing/*/*.h"} {
		found, err := filepath.Glob(filepath.Join(include, pattern))
		if err != nil {
			return nil, err
		}
		for _, h := range found {
			if h != first {
				headers = append(headers, h)
			}
		}
	}
	return headers, nil
}

// scan returns the symbols of a header's text in their order: macros that stand
// for something (not include guards, not function-like ones) and enumerators.
func scan(header, text string) []symbol {
	text = continued.ReplaceAllString(text, " ")
	text = comment.ReplaceAllString(text, " ")

	type found struct {
		at  int
		sym symbol
	}
	var all []found
	for _, m := range objectMacro.FindAllStringSubmatchIndex(text, -1) {
		all = append(all, found{m[0], symbol{name: text[m[2]:m[3]], header: header}})
	}
	// Blanks in place of the directives keep the offsets.
	code := directive.ReplaceAllStringFunc(text, func(s string) string { return strings.Repeat(" ", len(s)) })
	for _, m := range enumeration.FindAllStringSubmatchIndex(code, -1) {
		tag, body := code[m[2]:m[3]], code[m[4]:m[5]]
		for item := range strings.SplitSeq(body, ",") {
			if name := enumerator.FindStringSubmatch(item); name != nil {
				all = append(all, found{m[0], symbol{name: name[1], enum: tag, header: header}})
			}
		}
	}
	slices.SortStableFunc(all, func(a, b found) int { return a.at - b.at })

	syms := make([]symbol, len(all))
	for i, f := range all {
		syms[i] = f.sym
	}
	return syms
}

// scanAll returns the symbols of several headers, each name once.
func scanAll(headers []string) ([]symbol, error) {
	var syms []symbol
	seen := map[string]bool{}
	for _, h := range headers {
		text, err := os.ReadFile(h)
		if err != nil {
			return nil, err
		}
		for _, s := range scan(h, string(text)) {
			if !seen[s.name] {
				seen[s.name] = true
				syms = append(syms, s)
			}
		}
	}
	return syms, nil
}
