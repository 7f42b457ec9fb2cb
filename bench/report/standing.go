package main

import (
	"fmt"
	"slices"
	"strings"
)

// stand is how ours relates to one rival in some entries of a group.
type stand struct {
	rival, verdict string
	ratios         []float64
	entries        results
}

// standing says in a sentence how the group's figures relate to those of the
// best of the others, or to C's where there are no others.
func (g group) standing(r results) string {
	ours := r.group(g.name).with(entry.isCompared)
	against := "Against the best of the others, "
	compared := ours.with(func(e entry) bool { return len(r.strangers(e)) > 0 })
	rivalOf := func(e entry) rival { return best(r.strangers(e)) }
	if len(compared) == 0 {
		against, compared = "", ours
		rivalOf = func(e entry) rival { return rival{"C", e.Ratio} }
	}
	var clauses []string
	for _, s := range g.subjects(compared) {
		var phrases []string
		for _, s := range stands(s.entries, rivalOf) {
			phrases = append(phrases, g.phrase(s))
		}
		clauses = append(clauses, s.name+" "+g.verb()+" "+list(phrases, ", and "))
	}
	if len(clauses) == 0 {
		return ""
	}
	return capital(against+strings.Join(clauses, "; ")) + "."
}

// stands gathers entries with the same rival and the same verdict.
func stands(entries results, rivalOf func(entry) rival) []stand {
	var all []stand
	for _, e := range entries {
		to := rivalOf(e)
		verdict := e.verdict(to.ratio)
		i := slices.IndexFunc(all, func(s stand) bool { return s.rival == to.name && s.verdict == verdict })
		if i < 0 {
			i = len(all)
			all = append(all, stand{rival: to.name, verdict: verdict})
		}
		all[i].ratios = append(all[i].ratios, to.ratio)
		all[i].entries = append(all[i].entries, e)
	}
	return all
}

// subject is what of the library a sentence is about.
type subject struct {
	name    string
	entries results
}

// subjects are Loop and ringio where the entries are of both: what holds for one need not for
// the other.
func (g group) subjects(compared results) (all []subject) {
	for _, name := range []string{"Loop", "ringio"} {
		its := compared.with(func(e entry) bool { return e.part(1) == strings.ToLower(name) })
		if len(its) != 0 {
			all = append(all, subject{name, its})
		}
	}
	switch {
	case len(all) == 2 && len(all[0].entries)+len(all[1].entries) == len(compared):
		return all
	case len(compared) == 0:
		return nil
	case g.ours != "":
		return []subject{{g.ours, compared}}
	}
	return []subject{{"ours", compared}}
}

func (g group) verb() string {
	switch {
	case g.does != "":
		return g.does
	case g.takes != "":
		return "takes"
	}
	return "is"
}

// phrase is a part of the sentence: what ours does, and where it does.
func (g group) phrase(s stand) string {
	much, ratios := "as fast as ", s.ratios
	switch {
	case g.does != "":
		much = "as many " + g.one + "s as "
	case g.takes != "":
		much, ratios = "as much "+g.takes+" as ", inverse(ratios)
	}
	times := ""
	if s.verdict != even {
		times = span(ratios) + " times "
	}
	return times + much + s.rival + g.where(s.entries)
}

// where says which of the group's entries are meant, nothing if one of them has no label: what
// is said does not hold for the others alone.
func (g group) where(entries results) string {
	var labels []string
	for _, e := range entries {
		label := e.label()
		if label == "" {
			return ""
		}
		labels = append(labels, label)
	}
	if len(labels) == 0 {
		return ""
	}
	at := g.at
	if at == "" {
		at = " in %s"
	}
	if one := len(labels) == 1 && labels[0] == "1"; one && !strings.HasSuffix(at, "%s") {
		at = strings.TrimSuffix(at, "s")
	}
	return fmt.Sprintf(at, list(labels, " and "))
}

// label is what tells an entry from the others of its group and kind.
func (e entry) label() string {
	if e.part(0) == "load" {
		return map[string]string{"p50": "the median", "cpu": "the processor's time"}[e.part(-1)] + " at " + inWords(e.part(2)) + "/s"
	}
	if p := percentile(e.part(-1)); p != "" {
		return p + " at " + inWords(e.part(1)) + "/s"
	}
	switch {
	case strings.Count(e.Name, "/") < 2:
		return ""
	case e.part(0) == "copies":
		return strings.Join(strings.Fields("a "+e.part(3)+" "+e.part(1)+" on "+e.part(2)), " ")
	case e.part(0) == "pebble":
		return e.part(2) + "s by " + inWords(e.part(3))
	case e.part(0) == "walk" && e.part(3) == "all":
		return e.part(2) + " on all processors"
	case e.part(0) == "walk":
		return e.part(2) + " on one processor"
	}
	return inWords(e.part(-1))
}

// inverse turns ratios around: of what is the better the less there is of it.
func inverse(ratios []float64) (turned []float64) {
	for _, r := range ratios {
		turned = append(turned, 1/r)
	}
	return turned
}

// span is the ratios' range.
func span(ratios []float64) string {
	from, to := ratio(slices.Min(ratios)), ratio(slices.Max(ratios))
	if from == to {
		return from
	}
	return from + " to " + to
}

// list puts words behind each other, and something else before the last.
func list(words []string, last string) string {
	n := len(words) - 1
	if n < 1 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:n], ", ") + last + words[n]
}

func capital(sentence string) string { return strings.ToUpper(sentence[:1]) + sentence[1:] }
