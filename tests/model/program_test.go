//go:build linux

package model_test

import (
	"fmt"
	"math/rand/v2"

	"github.com/go-liburing/liburing/internal/ringtest"
)

// program is what a model does. All of it comes from the seed; the kernel
// decides only when its parts complete.
type program struct {
	seed  uint64
	steps []step
	kind  programKind
	close int // the step before which the loop is closed, or beyond the last
	end   ending
	tight bool // no chain takes more than two entries, and resizes are down to that
}

// step is one thing to do; what it does at random comes from its own seed.
type step struct {
	do   func(*model, step)
	seed uint64
}

// programKind says which steps a program has.
type programKind int

const (
	plain  programKind = 1 << iota // no step has the loop make requests by itself
	drains                         // each request ends by itself: a drain waits for all before it
	full                           // all but the drains
	recent                         // steps for Linux 5.19 and later
)

// oldKernel reports whether there are no groups of buffers, no tables of files that
// the kernel fills, and no cancels of more than one request.
func oldKernel() bool { return ringtest.KernelBefore(5, 19) }

// ending is how a program that was not closed amid its steps ends.
type ending int

const (
	endQuiet ending = iota // each waiting request is ended by its own name
	endSweep               // one cancel for all
	endClose               // Close finds all in flight
	endings
)

// stepKinds are the steps there are, and the programs that have them.
var stepKinds = []struct {
	do func(*model, step)
	in programKind
}{
	{(*model).nop, plain | drains | full},
	{(*model).big, plain | drains | full},
	{(*model).writeAndRead, plain | drains | full},
	{(*model).wait, plain | full},
	{(*model).cancelOne, plain | full},
	{(*model).waitOrCancelFD, plain | full | recent},
	{(*model).chain, plain | full},
	{(*model).hardChain, plain | drains | full},
	{(*model).timeout, plain | drains | full},
	{(*model).timeoutRemove, plain | full},
	{(*model).linkTimeout, plain | full},
	{(*model).send, plain | full | recent},
	{(*model).receive, plain | full | recent},
	{(*model).release, plain | full | recent},
	{(*model).releaseLater, full | recent},
	{(*model).endReceive, plain | full | recent},
	{(*model).datagram, plain | drains | full | recent},
	{(*model).pollOnce, plain | full},
	{(*model).connect, plain | full | recent},
	{(*model).fixed, plain | drains | full | recent},
	{(*model).useSlot, plain | full | recent},
	{(*model).post, plain | drains | full},
	{(*model).resize, plain | drains | full},
	{(*model).drain, drains},
	{(*model).deadline, full},
	{(*model).context, full},
	{(*model).contextChain, full},
	{(*model).deadlineChain, full},
	{(*model).after, full},
	{(*model).every, full},
	{(*model).stopTimer, full},
	{(*model).resetTimer, full},
	{(*model).timeLimit, full},
	{(*model).postToPeer, plain | drains | full},
}

func newProgram(seed uint64, steps int) program {
	rnd := rand.New(rand.NewPCG(seed, 0))
	kinds := [...]programKind{plain, drains, full, full, full}
	p := program{seed: seed, kind: kinds[rnd.IntN(len(kinds))], close: steps, end: ending(rnd.IntN(int(endings)))}
	p.tight = rnd.IntN(3) == 0
	if p.end == endSweep && oldKernel() {
		p.end = endQuiet
	}
	if rnd.IntN(4) == 0 {
		p.close = rnd.IntN(steps)
	}
	for len(p.steps) < steps {
		if k := stepKinds[rnd.IntN(len(stepKinds))]; k.in&p.kind != 0 && !(k.in&recent != 0 && oldKernel()) {
			p.steps = append(p.steps, step{k.do, rnd.Uint64()})
		}
	}
	return p
}

func (p program) String() string {
	return fmt.Sprintf("seed %d, %d steps, kind %d, closed before step %d, ending %d, tight %v", p.seed, len(p.steps), p.kind, p.close, p.end, p.tight)
}
