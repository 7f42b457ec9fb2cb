//go:build linux

package model_test

import (
	"testing"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/go-liburing/liburing/uringtest"
	"github.com/stretchr/testify/require"
)

// The simulated kernel does nothing that the model of a real one does not know, and what
// it does on purpose the loop bears.
func TestModelSimulated(t *testing.T) {
	seed := firstSeed()
	whole := uringtest.AllFaults
	whole.Short = 0 // the model wants all of a file
	for name, faults := range map[string]uringtest.Faults{"no faults": uringtest.NoFaults, "all faults": whole} {
		t.Run(name, func(t *testing.T) {
			for i := range uint64(5) {
				k, err := uringtest.New(seed+i, faults)
				if err != nil {
					require.ErrorIs(t, err, liburing.ErrNotSupported)
					t.Skip(err)
				}
				runModel(t, name, ringtest.NewLoop(t, 8, k.Option(), liburing.WithFlags(liburing.SetupCoopTaskrun)), newProgram(seed+i, 300))
			}
		})
	}
}
