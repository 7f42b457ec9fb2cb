//go:build linux

package model_test

import (
	"slices"
	"time"

	"github.com/go-liburing/liburing"
	"github.com/stretchr/testify/require"
)

// ticking is a timer of a program.
type ticking struct {
	*liburing.Timer
	calls, most int
	repeats     bool
	stopped     bool
}

// after has a function called once, or never if it is stopped before.
func (m *model) after(s step) {
	m.start(1, false, func(f func()) *liburing.Timer {
		return m.l.After(time.Duration(m.rnd(s).IntN(1500))*time.Microsecond, f)
	})
}

// every has a function called until it stops the timer, or a step does.
func (m *model) every(s step) {
	rnd := m.rnd(s)
	d := time.Duration(50+rnd.IntN(1000)) * time.Microsecond
	m.start(1+rnd.IntN(5), true, func(f func()) *liburing.Timer { return m.l.Every(d, f) })
}

func (m *model) start(most int, repeats bool, make func(func()) *liburing.Timer) {
	t := &ticking{most: most, repeats: repeats}
	m.timers = append(m.timers, t)
	t.Timer = make(func() {
		t.calls++
		require.False(m.t, t.stopped, "a timer was called after its Stop")
		require.LessOrEqual(m.t, t.calls, t.most, "a timer was called too often")
		if t.calls == t.most && t.repeats {
			m.stop(t)
		}
		m.goOn()
	})
}

func (m *model) stop(t *ticking) {
	t.stopped = true
	t.Stop()
}

// stopTimer stops one that may have ended already.
func (m *model) stopTimer(s step) {
	if len(m.timers) > 0 {
		m.stop(m.timers[m.rnd(s).IntN(len(m.timers))])
	}
}

// resetTimer arms one anew, whatever has become of it.
func (m *model) resetTimer(s step) {
	if len(m.timers) == 0 {
		return
	}
	rnd := m.rnd(s)
	t := m.timers[rnd.IntN(len(m.timers))]
	t.most = t.calls + 1
	if t.repeats {
		t.most += rnd.IntN(3)
	}
	t.stopped = false
	t.Reset(time.Duration(50+rnd.IntN(1500)) * time.Microsecond)
}

// ticked reports whether every timer has been called as often as it should be.
func (m *model) ticked() bool {
	return !slices.ContainsFunc(m.timers, func(t *ticking) bool { return !t.stopped && t.calls < t.most })
}
