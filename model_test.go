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
// and which bytes. model_program_test.go makes the programs, model_state_test.go
// keeps the books, model_steps_test.go and model_bytes_test.go make the requests,
// model_checks_test.go looks at what is left at the end.

var modelSeed = flag.Uint64("seed", 0, "the program that TestModel runs, 0 for a new one each time")

func TestModel(t *testing.T) {
	seed := *modelSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	overLoops(t, 8, func(t *testing.T, l *Loop) {
		runModel(t, l, newProgram(seed, 1000))
		for i := range uint64(4) { // small ones, for more ends
			runModel(t, newLoop(t, 8), newProgram(seed+i, 150))
		}
	})
}

// FuzzModel runs programs for as long as one likes.
func FuzzModel(f *testing.F) {
	f.Add(uint64(1), uint8(0))
	f.Fuzz(func(t *testing.T, seed uint64, setup uint8) {
		s := setups[int(setup)%len(setups)]
		runModel(t, newLoop(t, 8, s.opts...), newProgram(seed, 300))
	})
}

func runModel(t *testing.T, l *Loop, p program) {
	t.Helper()
	defer func() {
		if t.Failed() {
			t.Logf("the program is %v; again: go test -run TestModel . -seed %d", p, p.seed)
		}
	}()
	before := openFDs()
	m := newModel(t, l, p)
	m.run()
	m.closeFixtures()
	require.Empty(t, leakedFDs(before), "descriptors")
}
