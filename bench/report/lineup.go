package main

import "slices"

// pair has the names of the two sides of the entries of one kind.
type pair struct{ ours, c string }

// kinds are the names of the sides by kind, the second part of entries' names.
type kinds map[string]pair

// of returns the names of an entry's sides.
func (k kinds) of(e entry) pair {
	if p, ok := k[e.part(1)]; ok {
		return p
	}
	return pair{ours: e.part(1), c: "C, " + e.part(1)}
}

// lineup gathers points into series, in the order in which these turn up.
type lineup struct{ series []series }

func (l *lineup) add(name string, p point) {
	s := l.named(name)
	s.points = append(s.points, p)
}

// addOnce adds a point if the series has none at its place.
func (l *lineup) addOnce(name string, p point) {
	s := l.named(name)
	if !slices.ContainsFunc(s.points, func(q point) bool { return q.x == p.x && q.word == p.word }) {
		s.points = append(s.points, p)
	}
}

func (l *lineup) named(name string) *series {
	i := slices.IndexFunc(l.series, func(s series) bool { return s.name == name })
	if i < 0 {
		i = len(l.series)
		l.series = append(l.series, series{name: name})
	}
	return &l.series[i]
}

// ranked returns the series with the library's first and C's behind them: the
// first are drawn over the others.
func (l *lineup) ranked() []series {
	rank := func(s series) int {
		if i := slices.Index(firstNames, s.name); i >= 0 {
			return i
		}
		return len(firstNames)
	}
	slices.SortStableFunc(l.series, func(a, b series) int { return rank(a) - rank(b) })
	return l.series
}

// firstNames are the series that come before the others.
var firstNames = []string{seriesLoop, modelNameOf, seriesRing, seriesC, seriesCLoop, modelsC}

// addSides adds a point for each side of an entry, and for each peer.
func (l *lineup) addSides(e entry, names pair, at func(y float64) point) {
	l.add(names.ours, at(e.Ours))
	if e.C > 0 {
		l.add(names.c, at(e.C))
	}
	for _, peer := range (results{e}).peers() {
		l.addOnce(peer, at(e.Peers[peer]))
	}
}

// byNumber makes lines over the number at the names' end.
func (r results) byNumber(scaled func(entry, float64) float64, k kinds) []series {
	var lines lineup
	for _, e := range r {
		if n, ok := e.number(); ok {
			lines.addSides(e, k.of(e), func(y float64) point { return point{x: n, y: scaled(e, y)} })
		}
	}
	return lines.ranked()
}

// byName makes bars over the word at the names' end.
func (r results) byName(scaled func(entry, float64) float64, k kinds) []series {
	var bars lineup
	for _, e := range r {
		bars.addSides(e, k.of(e), func(y float64) point { return point{word: inWords(e.part(-1)), y: scaled(e, y)} })
	}
	return bars.ranked()
}

// perSecond returns a figure as a rate, if it is the time of one request.
func perSecond(e entry, v float64) float64 {
	units := map[string]float64{"ns": 1e9, "µs": 1e6, "us": 1e6, "ms": 1e3, "s": 1}
	if inOne, isTime := units[e.Unit]; isTime && v > 0 {
		return inOne / v
	}
	return v
}

func asMeasured(_ entry, v float64) float64 { return v }

func inMillions(e entry, v float64) float64 { return perSecond(e, v) / 1e6 }

func inThousands(e entry, v float64) float64 { return perSecond(e, v) / 1e3 }
