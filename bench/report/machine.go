package main

import (
	"maps"
	"slices"
	"strings"
)

// fact is something that figures depend on.
type fact struct{ What, Value string }

// notRecorded stands for what older entries don't tell.
const notRecorded = "not recorded"

// settings returns the facts of each setting that entries were measured in: the
// machine and the versions of all that took part.
func (r results) settings() [][]fact {
	var together []results
	for _, e := range r {
		i := slices.IndexFunc(together, func(same results) bool { return same[0].sharesSetting(e) })
		if i < 0 {
			i = len(together)
			together = append(together, nil)
		}
		together[i] = append(together[i], e)
	}
	var all [][]fact
	for _, same := range together {
		facts := same.facts()
		if len(together) > 1 {
			facts = append([]fact{{"Results", r.namesOf(same)}}, facts...)
		}
		all = append(all, facts)
	}
	return all
}

func (e entry) sharesSetting(other entry) bool {
	return e.Machine == other.Machine && e.Kernel == other.Kernel && maps.Equal(e.Versions, other.Versions)
}

// facts returns those of entries that share their setting.
func (r results) facts() []fact {
	e := r[0]
	facts := []fact{{"Machine", recorded(e.Machine)}, {"Kernel", recorded(e.Kernel)}}
	if len(e.Versions) == 0 {
		facts = append(facts, fact{"Versions", notRecorded})
	}
	for _, name := range versionOrder(e.Versions) {
		facts = append(facts, fact{programName(name), e.Versions[name]})
	}
	return append(facts, fact{"Measured", when(r.dates())})
}

func recorded(text string) string {
	if text == "" {
		return notRecorded
	}
	return text
}

// programNames are what the report calls programs, in its order; those that are
// not here come behind them under their own names.
var programNames = []struct{ name, called string }{
	{"go", "Go"}, {"liburing", "liburing"}, {"cc", "C compiler"}, {"fio", "fio"}, {"wrk", "wrk"},
}

func programName(name string) string {
	for _, p := range programNames {
		if p.name == name {
			return p.called
		}
	}
	return name
}

func versionOrder(versions map[string]string) []string {
	var names []string
	for _, p := range programNames {
		if _, ok := versions[p.name]; ok {
			names = append(names, p.name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(versions)) {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// namesOf names some of the entries: groups that are whole by their name.
func (r results) namesOf(some results) string {
	var names []string
	for _, g := range some.parts(0) {
		part := some.group(g)
		if len(part) == len(r.group(g)) {
			names = append(names, g)
			continue
		}
		for _, e := range part {
			names = append(names, e.Name)
		}
	}
	return strings.Join(names, ", ")
}
