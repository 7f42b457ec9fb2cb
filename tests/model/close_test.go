//go:build linux

package model_test

import (
	"context"
	"errors"
	"time"

	"github.com/stretchr/testify/require"
)

// close closes the loop amid the program: without waiting, in a callback or
// before a run, or on another goroutine that waits for a short while.
func (m *model) close() {
	m.closing = true
	rnd := m.rnd(m.program.steps[m.next])
	if rnd.IntN(2) == 0 {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		m.l.Close(ctx)
		return
	}
	patience := time.Duration(rnd.IntN(3000)) * time.Microsecond
	m.posters.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		m.closed <- m.l.Close(ctx)
	})
}

// checkClosing asserts what the Close beside the program has returned.
func (m *model) checkClosing() {
	select {
	case err := <-m.closed:
		require.True(m.t, err == nil || errors.Is(err, context.DeadlineExceeded), "%v", err)
	default:
	}
}
