package main

import "slices"

// rival is what ours is compared with in an entry.
type rival struct {
	name  string
	ratio float64 // above 1: ours is faster
}

// others returns the rivals beside C: the peers, and for our model of a server
// the other models that had as many clients.
func (r results) others(e entry) []rival {
	var all []rival
	for _, name := range (results{e}).peers() {
		all = append(all, rival{name, e.ratioToPeer(name)})
	}
	if !e.isOurModel() {
		return all
	}
	for _, m := range r.group(e.part(0)) {
		if m.part(-1) == e.part(-1) && !m.isOurModel() && m.Ours > 0 {
			all = append(all, rival{modelName(m.part(1)), e.ratioTo(m.Ours)})
		}
	}
	return all
}

// kin are sides that are the library too, in another way.
var kin = []string{"Loop", "ringio", "Go, WithLatency(50µs)"}

// strangers returns the others but for kin.
func (r results) strangers(e entry) []rival {
	return slices.DeleteFunc(r.others(e), func(other rival) bool { return slices.Contains(kin, other.name) })
}

// best returns the rival that ours does least well against.
func best(rivals []rival) rival {
	first := rivals[0]
	for _, other := range rivals[1:] {
		if other.ratio < first.ratio {
			first = other
		}
	}
	return first
}
