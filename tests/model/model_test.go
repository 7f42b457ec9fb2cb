//go:build linux

package model_test

import (
	"flag"
	"testing"
	"time"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/stretchr/testify/require"
)

// The model test runs random programs on a loop beside what is known of each of
// their requests: how often its callback may be called, which results are right,
// and which bytes. program_test.go makes the programs, fixtures_test.go opens
// what they work on, state_test.go keeps the books, checks_test.go runs them and looks at what is left at the end; the others make the requests.

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
	seed := firstSeed()
	for i, s := range ringtest.Setups {
		t.Run(s.Name, func(t *testing.T) {
			first := seed + uint64(i)<<32
			if *modelSteps != 0 {
				runModel(t, s.Name, ringtest.NewLoop(t, 8, s.Opts...), newProgram(seed, *modelSteps))
				return
			}
			runModel(t, s.Name, ringtest.NewLoop(t, 8, s.Opts...), newProgram(first, 1000))
			for i := range uint64(4) { // small ones, for more ends
				runModel(t, s.Name, ringtest.NewLoop(t, 8, s.Opts...), newProgram(first+i, 150))
			}
		})
	}
}

// FuzzModel runs programs for as long as one likes.
func FuzzModel(f *testing.F) {
	f.Add(uint64(1), uint8(0))
	f.Fuzz(func(t *testing.T, seed uint64, setup uint8) {
		s := ringtest.Setups[int(setup)%len(ringtest.Setups)]
		runModel(t, s.Name, ringtest.NewLoop(t, 8, s.Opts...), newProgram(max(seed, 1), 300))
	})
}

func runModel(t *testing.T, setup string, l *liburing.Loop, p program) {
	t.Helper()
	defer func() {
		if t.Failed() {
			t.Logf("the program is %v; again: go test -run 'TestModel$/%s' ./tests/model -seed %d -steps %d", p, setup, p.seed, len(p.steps))
		}
	}()
	before := ringtest.OpenFDs()
	m := newModel(&reporter{T: t}, l, p)
	defer m.abandon()
	defer func() {
		if t.Failed() {
			t.Logf("%+v; %s", m.l.Stats(), m.inHand())
		}
	}()
	m.run()
	m.checkPosted()
	m.closeFixtures()
	require.Empty(t, ringtest.LeakedFDs(before), "descriptors")
}
