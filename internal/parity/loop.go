package main

import (
	"fmt"
	"slices"
	"strings"
)

// isPrep reports whether f prepares a request.
func (f *goFunc) isPrep() bool {
	return f.recv == "SQE" && strings.HasPrefix(f.name, "Prep") && f.exported()
}

// loopProblems lists the Prep methods that the Loop lacks, and what is said of
// Prep methods that there are none of.
func (r *report) loopProblems() (problems []string) {
	forms := r.tables.forms
	for _, f := range r.pkg.funcs {
		if name, ok := forms.Name(f.name); f.isPrep() && ok && r.pkg.find("(*Loop)."+name) == nil {
			problems = append(problems, fmt.Sprintf("missing: %s has no form (*Loop).%s: run go generate, or give the reason in internal/optable", f, name))
		}
	}
	for _, table := range []map[string]string{forms.None, forms.Renamed} {
		for prep := range table {
			if r.pkg.find("(*SQE)."+prep) == nil {
				problems = append(problems, fmt.Sprintf("internal/optable knows of %s, which SQE does not have", prep))
			}
		}
	}
	slices.Sort(problems)
	return problems
}
