package main

import (
	"maps"
	"path"
	"slices"
)

// reasons explain where something else is faster than the library. The first
// whose pattern matches an entry's name, and whose rival the other's, counts.
var reasons = []struct{ pattern, rival, why string }{
	{"nop/*/1", "C", "One request in each system call: the way from Go into C and back is paid for every request, while a bigger batch shares it."},
	{"nop/loop/*", "C", "The loop keeps each request's memory and callback in its table, so that nothing is freed under the kernel's hands; the C loop leaves that to the programmer."},
	{"nop/*/*", "C", "A batch crosses into C once; the smaller it is, the more of that falls to each request."},
	{"nop/*/*", "*", "A library that is written in Go alone makes the system call itself, without the way into C."},
	{"*/cached*", "*", tinyCachedRead},
	{"*/cached*/*", "*", tinyCachedRead},
	{"cached*/*", "*", tinyCachedRead},
	{"cached*/*/*", "*", tinyCachedRead},
	{"randread/*/1", "os.File", "With one read at a time there is nothing to batch: pread is one system call that returns with the data, the ring has to be submitted to and waited for."},
	{"randread/*/1", "fio*", oneAtATime},
	{"randread/*/1", "C", oneAtATime},
	{"randread/*", "fio*", "fio is faster than the C program beside it too, by as much: it is not the library. What fio does otherwise has not been found out."},
	{"echo/*/*", "C", "Next to all of the time is the kernel's, for both. The loop's table and the callbacks take some 2 % of it."},
	{"latency/*/*", "C", "Rounds differ more than the sides do: on a processor that mostly waits, each wake-up takes as long as the machine pleases."},
	{"models/iouring/1", "*", oneAtATime},
}

const (
	oneAtATime = "With one request at a time there is nothing to batch, so each pays for the way into C, and for being waited for, alone."

	tinyCachedRead = "A few bytes that are in the page cache are there within one short system call. A ring needs a request, a completion and the hand-over between them, and has nothing to overlap them with."
)

// loss is a figure that something else is better at.
type loss struct {
	entry
	rival string
	ratio float64
	why   string
}

// losses returns where C or a peer is faster than the library.
func (r results) losses() []loss {
	var all []loss
	for _, e := range r.with(entry.isPair) {
		rivals := maps.Clone(e.Peers)
		if rivals == nil {
			rivals = make(map[string]float64)
		}
		delete(rivals, "C")
		all = e.lossTo(all, "C", e.Ratio)
		for _, name := range slices.Sorted(maps.Keys(rivals)) {
			all = e.lossTo(all, name, e.ratioTo(rivals[name]))
		}
	}
	return all
}

// lossTo appends a loss to a rival, if it is one.
func (e entry) lossTo(all []loss, rival string, ratio float64) []loss {
	if e.verdict(ratio) != "slower" {
		return all
	}
	return append(all, loss{entry: e, rival: rival, ratio: ratio, why: reason(e.Name, rival)})
}

func reason(name, rival string) string {
	for _, r := range reasons {
		if matches(r.pattern, name) && matches(r.rival, rival) {
			return r.why
		}
	}
	return "Not explained yet."
}

func matches(pattern, name string) bool {
	ok, err := path.Match(pattern, name)
	return ok && err == nil
}
