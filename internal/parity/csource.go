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

// What is read of C here relies on how liburing is written, which is the
// kernel's style: a function's braces stand in the first column.
var (
	cComment   = regexp.MustCompile(`(?s)/\*.*?\*/|//[^\n]*`)
	cInline    = regexp.MustCompile(`(?m)^(?:IOURINGINLINE|_LOCAL_INLINE|static inline)\s[^;{}(]*?(\w+)\(|^#define (io_uring_\w+)\(`)
	cFunction  = regexp.MustCompile(`(?ms)^\w[^;{}(#]*?(\w+)\([^;{}]*?^\{\n(.*?)^\}`)
	cPrototype = regexp.MustCompile(`\b(_*io_uring_\w+)\(([^()]*\bstruct \w+ \*[^()]*)\)`)
	cStruct    = regexp.MustCompile(`\bstruct (\w+) \*`)
	cCall      = regexp.MustCompile(`\b(\w+)\(`)
	cWord      = regexp.MustCompile(`\w+`)
)

// readC returns a C file without its comments.
func readC(path string) (string, error) {
	text, err := os.ReadFile(path)
	return cComment.ReplaceAllString(string(text), ""), err
}

// inlines returns the io_uring functions that a header defines, and the macros
// that look like functions.
func inlines(header string) (names []string) {
	for _, m := range cInline.FindAllStringSubmatch(header, -1) {
		name := m[1] + m[2]
		if strings.HasPrefix(strings.TrimLeft(name, "_"), "io_uring_") {
			names = append(names, name)
		}
	}
	return names
}

// firstStructs returns the tag of the first struct that each declared function
// takes a pointer to.
func firstStructs(header string) map[string]string {
	first := map[string]string{}
	for _, m := range cPrototype.FindAllStringSubmatch(header, -1) {
		if _, ok := first[m[1]]; !ok {
			first[m[1]] = cStruct.FindStringSubmatch(m[2])[1]
		}
	}
	return first
}

// enumerators returns those of an enum up to the one named last, which counts
// the others.
func enumerators(header, tag, last string) (names []string, err error) {
	_, body, ok := strings.Cut(header, "enum "+tag+" {")
	body, _, closed := strings.Cut(body, "}")
	if !ok || !closed {
		return nil, fmt.Errorf("io_uring.h has no enum %s", tag)
	}
	for item := range strings.SplitSeq(body, ",") {
		name, _, _ := strings.Cut(item, "=")
		if name = strings.TrimSpace(name); name == last {
			return names, nil
		}
		names = append(names, name)
	}
	return nil, fmt.Errorf("enum %s of io_uring.h does not end with %s", tag, last)
}

// readUsers finds the functions that are for an operation: those that name its
// constant, or if they name none, call a function that does. A function that
// prepares a request may be made of several layers of others; beyond those, one
// call is followed.
func readUsers(dir, header string, constants []string) (map[string][]string, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.c"))
	if err != nil {
		return nil, err
	}
	bodies := functions(header)
	for _, path := range files {
		text, err := readC(path)
		if err != nil {
			return nil, err
		}
		maps.Copy(bodies, functions(text))
	}
	users := map[string][]string{}
	for _, name := range slices.SortedFunc(maps.Keys(bodies), compareNames) {
		calls := 1
		if strings.HasPrefix(name, "io_uring_prep_") {
			calls = 9
		}
		for c := range namedBy(name, bodies, constants, calls) {
			users[c] = append(users[c], name)
		}
	}
	return users, nil
}

// functions returns the bodies of a file's functions.
func functions(text string) map[string]string {
	bodies := map[string]string{}
	for _, m := range cFunction.FindAllStringSubmatch(text, -1) {
		bodies[m[1]] = m[2]
	}
	return bodies
}

// namedBy returns which of the constants a function is for, following so many
// calls.
func namedBy(name string, bodies map[string]string, constants []string, calls int) map[string]bool {
	found := map[string]bool{}
	for _, word := range cWord.FindAllString(bodies[name], -1) {
		if slices.Contains(constants, word) {
			found[word] = true
		}
	}
	if len(found) > 0 || calls == 0 {
		return found
	}
	for _, m := range cCall.FindAllStringSubmatch(bodies[name], -1) {
		maps.Copy(found, namedBy(m[1], bodies, constants, calls-1))
	}
	return found
}
