//go:build linux && cgo && liburing_debug

package liburing

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRequestFromTheWrongGoroutine(t *testing.T) {
	l := newLoop(t, 8)
	var wrong error
	l.Nop(func(Completion) {
		asked := make(chan error)
		go func() { asked <- l.Nop(func(Completion) { t.Error("called") }).Err() }()
		wrong = <-asked
		require.NoError(t, l.Nop(nil).Err(), "the right one")
	})
	run(t, l)
	require.ErrorIs(t, wrong, ErrWrongThread)
	require.NoError(t, l.Nop(nil).Err(), "while the loop stands still")
	run(t, l)
}
