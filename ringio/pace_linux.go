//go:build linux

package ringio

// pace keeps from doing, for some turns, what has turned out slow: for twice as many each
// time, and for fewer again when it has long been quick.
type pace struct {
	rest    int // turns for which it is not to be done
	penalty int // how many these were the last time, less one for each paceQuick quick turns since
	quick   int // of these, the last ones
}

const (
	pacePenalty = 63 // turns at most; a garbage collection, too, makes something slow once
	paceQuick   = 8
)

// rests reports whether it is not to be done this turn.
func (p *pace) rests() bool {
	if p.rest == 0 {
		return false
	}
	p.rest--
	return true
}

// took notes whether it was slow when it was done.
func (p *pace) took(slow bool) {
	switch {
	case slow:
		p.penalty = min(2*p.penalty+1, pacePenalty)
		p.rest, p.quick = p.penalty, 0
	case p.penalty > 0:
		if p.quick++; p.quick == paceQuick {
			p.penalty, p.quick = p.penalty-1, 0
		}
	}
}
