package main

import (
	"fmt"
	"slices"
	"strings"
)

// covers reports whether a name on the command line stands for a result: it is
// the result's, or the beginning of it up to a slash.
func covers(name, result string) bool {
	return name == result || strings.HasPrefix(result, name+"/")
}

// of returns the names that belong to a group.
func (g group) of(names []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return !covers(g.name, name) })
}

// checkNames refuses names of which no group knows.
func checkNames(names []string) error {
	var known []string
	for _, g := range groups {
		known = append(known, g.name)
	}
	for _, name := range names {
		if group, _, _ := strings.Cut(name, "/"); !slices.Contains(known, group) {
			return fmt.Errorf("there is no group %q; the groups are: %s", group, strings.Join(known, " "))
		}
	}
	return nil
}

// choose returns the contests of a group reduced to the results that names stand
// for, all of them if there is no name.
func choose(contests []contest, names []string) ([]contest, error) {
	if len(names) == 0 {
		return contests, nil
	}
	for _, name := range names {
		if all := resultsOf(contests); !slices.ContainsFunc(all, func(r string) bool { return covers(name, r) }) {
			return nil, fmt.Errorf("there is no result %q; there are: %s", name, strings.Join(all, " "))
		}
	}
	var chosen []contest
	for _, c := range contests {
		if c = c.reducedTo(names); len(c.figures) > 0 {
			chosen = append(chosen, c)
		}
	}
	return chosen, nil
}

func resultsOf(contests []contest) (names []string) {
	for _, c := range contests {
		for _, f := range c.figures {
			names = append(names, f.name)
		}
	}
	return names
}

// reducedTo returns the contest with the figures that names stand for, and the
// programs that these need.
func (c contest) reducedTo(names []string) contest {
	c.figures = slices.DeleteFunc(slices.Clone(c.figures), func(f figure) bool {
		return !slices.ContainsFunc(names, func(name string) bool { return covers(name, f.name) })
	})
	c.programs = slices.DeleteFunc(slices.Clone(c.programs), func(p program) bool {
		return !slices.ContainsFunc(c.figures, func(f figure) bool { return f.needs(p.name) })
	})
	return c
}

func (f figure) needs(program string) bool {
	return program == f.ours || program == f.c || slices.Contains(f.peers, program)
}
