//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// readAnswers reads what kernels have answered, the oldest first.
func readAnswers(dir string) (all []answers, err error) {
	names, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		var a answers
		if err := json.Unmarshal(text, &a); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		all = append(all, a)
	}
	slices.SortFunc(all, func(a, b answers) int { return slices.Compare(a.version(), b.version()) })
	return all, nil
}

// version returns the numbers at the beginning of the kernel's release.
func (a answers) version() []int {
	var v [3]int
	fmt.Sscanf(a.Kernel, "%d.%d.%d", &v[0], &v[1], &v[2])
	return v[:]
}

// heading returns the kernel's name in the tables. Debian does not change the last number
// of its older kernels' releases, and means another one.
func (a answers) heading() string {
	v := a.version()
	if v[2] == 0 {
		return fmt.Sprintf("%d.%d", v[0], v[1])
	}
	return fmt.Sprintf("%d.%d.%d", v[0], v[1], v[2])
}

// tables returns the text that stands between the two marks.
func tables(all []answers) string {
	var b strings.Builder
	for _, kind := range kinds {
		fmt.Fprintf(&b, "\n| %s |", kind.title)
		for _, a := range all {
			fmt.Fprintf(&b, " %s |", a.heading())
		}
		b.WriteString("\n| --- |" + strings.Repeat(" --- |", len(all)) + "\n")
		for _, name := range namesOf(all, kind.name) {
			fmt.Fprintf(&b, "| `%s` |", name)
			for _, a := range all {
				b.WriteString(mark(slices.Contains(a.Knows[kind.name], name)))
			}
			b.WriteString("\n")
		}
	}
	return b.String() + "\n"
}

func mark(known bool) string {
	if known {
		return " yes |"
	}
	return " – |"
}

// namesOf returns the names of a kind that one of the kernels knows, in the order of those
// that know most.
func namesOf(all []answers, kind string) (names []string) {
	for _, a := range slices.Backward(all) {
		for _, name := range a.Knows[kind] {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}
