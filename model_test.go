//go:build linux && cgo

package liburing

import (
	"flag"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The model test runs random programs on a loop beside what is known of each of
// their requests: how often its callback may be called, which results are right,
// and which bytes. model_program_test.go makes the programs, model_fixtures_test.go
// opens what they work on, model_state_test.go keeps the books, model_checks_test.go
// runs them and looks at what is left at the end; the others make the requests.

var (
	modelSeed  = flag.Uint64("seed", 0, "the program that TestModel runs, 0 for a new one each time")
	modelSteps = flag.Int("steps", 0, "how many steps that program has, 0 for some of 1000 and of 150")
)

func firstSeed() uint64 {
	if *modelSeed != 0 {
		return *modelSeed
	}
	return uint64(time.Now().UnixNano())
}

func TestModel(t *testing.T) {
	needsModel(t)
	seed := firstSeed()
	for i, s := range setups {
		t.Run(s.name, func(t *testing.T) {
			first := seed + uint64(i)<<32
			if *modelSteps != 0 {
				runModel(t, s.name, newLoop(t, 8, s.opts...), newProgram(seed, *modelSteps))
				return
			}
			runModel(t, s.name, newLoop(t, 8, s.opts...), newProgram(first, 1000))
			for i := range uint64(4) { // small ones, for more ends
				runModel(t, s.name, newLoop(t, 8, s.opts...), newProgram(first+i, 150))
			}
		})
	}
}

// FuzzModel runs programs for as long as one likes.
func FuzzModel(f *testing.F) {
	f.Add(uint64(1), uint8(0))
	f.Fuzz(func(t *testing.T, seed uint64, setup uint8) {
		needsModel(t)
		s := setups[int(setup)%len(setups)]
		runModel(t, s.name, newLoop(t, 8, s.opts...), newProgram(max(seed, 1), 300))
	})
}

// needsModel skips on kernels before 5.19, which lack too much of what programs do:
// groups of buffers, cancels by descriptor, tables of files that the kernel fills.
func needsModel(t *testing.T) {
	t.Helper()
	needOps(t, OpSocket)
}

func runModel(t *testing.T, setup string, l *Loop, p program) {
	t.Helper()
	defer func() {
		if t.Failed() {
			t.Logf("the program is %v; again: go test -run 'TestModel$/%s' . -seed %d -steps %d", p, setup, p.seed, len(p.steps))
		}
	}()
	before := openFDs()
	m := newModel(t, l, p)
	m.run()
	m.checkPosted()
	m.closeFixtures()
	require.Empty(t, leakedFDs(before), "descriptors")
}
