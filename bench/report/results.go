package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// entry is a result, as the benchmarks write it: what they leave out is nil.
type entry struct {
	Name     string    `json:"name"` // group/what/of which kind
	Unit     string    `json:"unit"`
	Ours     float64   `json:"ours"`
	C        float64   `json:"c"`
	Ratio    float64   `json:"ratio"` // above 1: ours is faster
	Spread   float64   `json:"spread"`
	CSpread  float64   `json:"c_spread"`
	CPU      *float64  `json:"cpu"` // µs per request
	CCPU     *float64  `json:"c_cpu"`
	Allocs   *float64  `json:"allocs"`   // ours, per request
	Failures *float64  `json:"failures"` // requests without an answer
	Rounds   int       `json:"rounds"`
	Date     time.Time `json:"date"`

	Peers      map[string]float64 `json:"peers"`
	PeersRatio map[string]float64 `json:"peers_ratio"` // above 1: ours is faster
	PeersCPU   map[string]float64 `json:"peers_cpu"`

	Histograms map[string][]bucket `json:"histograms"` // by program

	Machine  string            `json:"machine"`
	Kernel   string            `json:"kernel"`
	Versions map[string]string `json:"versions"`
}

// bucket is a part of a histogram of times; those that are empty are left out.
type bucket struct {
	Upper float64 `json:"us"`    // its end, in µs
	Share float64 `json:"share"` // of all requests
}

// results are all entries, in the order they were measured.
type results []entry

func readResults(file string) (results, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var r results
	if err := json.Unmarshal(text, &r); err != nil {
		return nil, fmt.Errorf("%s is not a list of results: %w", file, err)
	}
	return r, nil
}

// part returns a part of the name: 0 is the group, -1 the last.
func (e entry) part(i int) string {
	parts := strings.Split(e.Name, "/")
	if i < 0 {
		i += len(parts)
	}
	if i < 0 || i >= len(parts) {
		return ""
	}
	return parts[i]
}

// number returns the number that the name ends with: a batch, a depth.
func (e entry) number() (float64, bool) {
	n, err := strconv.ParseFloat(e.part(-1), 64)
	return n, err == nil
}

// moreIsGood reports whether the figure is a rate and not a time.
func (e entry) moreIsGood() bool { return strings.HasSuffix(e.Unit, "/s") }

// ratioTo returns how much faster ours is than another figure.
func (e entry) ratioTo(other float64) float64 {
	if e.moreIsGood() {
		return e.Ours / other
	}
	return other / e.Ours
}

// ratioToPeer returns how much faster ours is than a peer: by the rounds, and
// if these are not known, by the medians.
func (e entry) ratioToPeer(name string) float64 {
	if ratio, ok := e.PeersRatio[name]; ok {
		return ratio
	}
	return e.ratioTo(e.Peers[name])
}

// noise is how much a ratio may differ from 1 without saying anything: half the
// widths of the middle halves of both sides' rounds, and never less than 2 %.
func (e entry) noise() float64 { return max(0.02, (e.Spread+e.CSpread)/2) }

// What a ratio says.
const (
	faster = "faster"
	slower = "slower"
	even   = "even"
)

// verdict puts a ratio into a word.
func (e entry) verdict(ratio float64) string {
	switch {
	case ratio > 1+e.noise():
		return faster
	case ratio < 1-e.noise():
		return slower
	}
	return even
}

// isPair reports whether the entry compares the library with C: of the models of
// servers only one is made with it.
func (e entry) isPair() bool {
	return e.C > 0 && e.Ratio > 0 && (e.part(0) != "models" || e.isOurModel())
}

// isAmongPeers reports whether the entry compares the library with others than C alone.
func (e entry) isAmongPeers() bool { return e.C == 0 && len(e.Peers) > 0 }

// isCompared reports whether the library takes part in the entry.
func (e entry) isCompared() bool { return e.isPair() || e.isAmongPeers() }

// isOurModel reports whether the entry is of the one model that is made with the
// library.
func (e entry) isOurModel() bool { return e.part(0) == "models" && e.part(1) == "iouring" }

// with returns the entries that a condition holds for.
func (r results) with(holds func(entry) bool) results {
	var some results
	for _, e := range r {
		if holds(e) {
			some = append(some, e)
		}
	}
	return some
}

// group returns the entries of a group.
func (r results) group(name string) results {
	return r.with(func(e entry) bool { return e.part(0) == name })
}

// parts returns the different values of a part of the names, in order.
func (r results) parts(i int) []string {
	var parts []string
	for _, e := range r {
		if !slices.Contains(parts, e.part(i)) {
			parts = append(parts, e.part(i))
		}
	}
	return parts
}

// peers returns the names of all peers.
func (r results) peers() []string {
	names := make(map[string]bool)
	for _, e := range r {
		for name := range e.Peers {
			names[name] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// dates returns when the first and the last entry were measured.
func (r results) dates() (first, last time.Time) {
	for _, e := range r {
		if e.Date.IsZero() {
			continue
		}
		if first.IsZero() || e.Date.Before(first) {
			first = e.Date
		}
		if e.Date.After(last) {
			last = e.Date
		}
	}
	return first, last
}
