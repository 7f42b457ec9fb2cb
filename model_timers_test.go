//go:build linux && cgo

package liburing

import (
	"time"

	"github.com/stretchr/testify/require"
)

// modelTimer is a Timer and how often it is to call its function.
type modelTimer struct {
	*Timer
	fired, want int
}

// timer makes a timer, which ends at once if the loop is closed.
func (m *model) timer(want int, start func(f func()) *Timer) *modelTimer {
	t := &modelTimer{want: want}
	t.Timer = start(func() {
		t.fired++
		require.LessOrEqual(m.t, t.fired, t.want)
		if t.fired == t.want {
			t.Stop()
		}
		m.goOn()
	})
	if err := t.Err(); err != nil {
		require.ErrorIs(m.t, err, ErrClosed)
		require.True(m.t, m.closing, "nobody has closed the loop")
		t.want = 0
		return t
	}
	m.timers = append(m.timers, t)
	return t
}

// after makes a timer that fires once, or is stopped before it can.
func (m *model) after(s step) {
	rnd := m.rnd(s)
	d := time.Duration(rnd.IntN(500)) * time.Microsecond
	stopped := rnd.IntN(3) == 0
	if stopped {
		d = time.Hour
	}
	t := m.timer(1, func(f func()) *Timer { return m.l.After(d, f) })
	if stopped {
		t.want = 0
		t.Stop()
	}
}

// every makes a timer that fires a few times.
func (m *model) every(s step) {
	rnd := m.rnd(s)
	d := time.Duration(1+rnd.IntN(300)) * time.Microsecond
	m.timer(1+rnd.IntN(4), func(f func()) *Timer { return m.l.Every(d, f) })
}

// checkTimers asserts that all timers have fired as often as they should.
func (m *model) checkTimers() {
	for _, t := range m.timers {
		require.Equal(m.t, t.want, t.fired, "a timer's calls")
	}
}
