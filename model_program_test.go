//go:build linux && cgo

package liburing

import (
	"fmt"
	"math/rand/v2"
)

// program is what a model does. All of it comes from the seed; the kernel
// decides only when its parts complete.
type program struct {
	seed  uint64
	steps []step
	plain bool // no step has the loop make requests by itself
	close int  // the step before which the loop is closed, or beyond the last
	end   ending
}

// step is one thing to do; what it does at random comes from its own seed.
type step struct {
	kind stepKind
	seed uint64
}

// ending is how a program that was not closed amid its steps ends.
type ending int

const (
	endQuiet ending = iota // each waiting request is ended by its own name
	endSweep               // one cancel for all
	endClose               // Close finds all in flight
	endings
)

type stepKind int

const (
	stepNop stepKind = iota
	stepFile
	stepWait
	stepCancel
	stepCancelFD
	stepChain
	stepHardChain
	stepTimeout
	stepTimeoutRemove
	stepLinkTimeout
	stepSend
	stepReceive
	stepRelease
	stepEndReceive
	stepPoll
	stepAccept
	stepFixed
	stepPost
	stepDatagram
	stepDeadline
	stepContext
	stepLinkedDeadline
	stepLinkedContext
	stepAfter
	stepEvery
	allSteps

	plainSteps = stepDeadline // behind them, the loop makes requests by itself
)

func newProgram(seed uint64, steps int) program {
	rnd := rand.New(rand.NewPCG(seed, 0))
	p := program{seed: seed, plain: rnd.IntN(4) == 0, close: steps, end: ending(rnd.IntN(int(endings)))}
	if rnd.IntN(4) == 0 {
		p.close = rnd.IntN(steps)
	}
	kinds := allSteps
	if p.plain {
		kinds = plainSteps
	}
	for range steps {
		p.steps = append(p.steps, step{stepKind(rnd.IntN(int(kinds))), rnd.Uint64()})
	}
	return p
}

func (p program) String() string {
	return fmt.Sprintf("seed %d, %d steps, plain %v, closed before step %d, ending %d", p.seed, len(p.steps), p.plain, p.close, p.end)
}
