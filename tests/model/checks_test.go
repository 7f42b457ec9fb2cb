//go:build linux

package model_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/stretchr/testify/require"
)

// run does the steps of the program, ends it and checks what is left.
func (m *model) run() {
	rnd := rand.New(rand.NewPCG(m.program.seed, 3))
	for !m.closing && m.next < len(m.program.steps) {
		// Once the loop is being closed its thread alone does steps.
		for n := 1 + rnd.IntN(20); n > 0 && !m.closing; n-- {
			m.step()
		}
		if !m.closing {
			m.runFor(time.Duration(rnd.IntN(2000)) * time.Microsecond)
		}
	}
	if !m.closing {
		m.posters.Wait()
		m.deliverAll()
	}
	if !m.closing {
		m.finish()
	}
	if !m.closing {
		m.closing = true
	}
	ringtest.CloseLoop(m.t, m.l)
	for m.next < len(m.program.steps) && !m.broken() { // all of these are refused
		m.step()
	}
	m.posters.Wait()
	m.checkClosed()
}

// runFor runs the loop until it is idle, but no longer than d.
func (m *model) runFor(d time.Duration) {
	if m.broken() {
		m.t.FailNow()
	}
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	var err error
	m.resizeBeside(func() { err = m.l.RunUntilIdle(ctx) })
	if m.closing { // by a callback
		return
	}
	require.True(m.t, err == nil || errors.Is(err, context.DeadlineExceeded), "%v", err)
}

// until runs the loop until ok. It counts turns and no time, of which a busy machine
// gives little.
func (m *model) until(what string, ok func() bool) {
	for turns := 0; !ok() && !m.closing; turns++ {
		require.Less(m.t, turns, 5000, "%s: never", what)
		m.runFor(2 * time.Millisecond)
	}
}

// inHand says what a program that does not end has not brought to its end.
func (m *model) inHand() string {
	var b strings.Builder
	fmt.Fprintf(&b, "accepts %d/%d armed %v, to end %d", m.accept.got, m.accept.begun, m.accept.armed, m.toEnd)
	for i, c := range m.conduits {
		fmt.Fprintf(&b, "\nconduit %d: got %d of %d, sending %v, armed %v (%v), group %+v",
			i, c.got, c.sent, c.sending, c.armed, m.l.State(c.token), ringtest.InsideGroup(c.group))
	}
	for _, s := range m.slots {
		fmt.Fprintf(&b, "\nslot %d: busy %v, file %v, peer %d", s.Fixed, s.busy, s.file, s.peer)
	}
	for _, r := range m.records {
		if s := m.l.State(r.token); s != liburing.StateDone {
			fmt.Fprintf(&b, "\n%s: %v", r.name, s)
		}
	}
	for _, r := range m.records[max(0, len(m.records)-10):] {
		fmt.Fprintf(&b, "\nlately: %s, result %d, flags %v", r.name, r.last.Res, r.last.Flags)
	}
	return b.String()
}

// deliverAll has every byte and every connection arrive, whatever ran dry on
// the way.
func (m *model) deliverAll() {
	// The kernel may still hold back what would end a request that is made
	// behind a drain; Close must not mind.
	arm := m.program.kind != drains || m.program.end == endClose
	m.until("every byte and connection", func() bool {
		done := m.accept.got >= m.accept.begun && m.ticked() && m.slotsRest() && m.toEnd == 0
		m.letGoAll()
		for i, c := range m.conduits {
			done = done && !c.sending && c.got == c.sent
			if arm {
				m.arm(c, i%3)
			}
		}
		if !done && !oldKernel() {
			m.armAccept()
		}
		return done
	})
	if m.closing {
		return
	}
	require.Equal(m.t, m.accept.begun, m.accept.got, "connections")
	for _, c := range m.conduits {
		require.Equal(m.t, c.sent, c.got)
	}
}

// finish ends what waits, as the program says, and checks that nothing is left.
func (m *model) finish() {
	switch m.program.end {
	case endClose:
		return
	case endSweep:
		m.sweep = true
		m.until("the end of all", func() bool {
			m.request(expect{name: "cancel of all", check: func(liburing.Completion) {}},
				func(cb liburing.Callback) liburing.Request {
					return m.l.Cancel(0, liburing.AsyncCancelAny|liburing.AsyncCancelAll, cb)
				})
			m.runFor(20 * time.Millisecond)
			return m.l.Stats().InFlight == 0
		})
	case endQuiet:
		m.endWaiting()
		m.until("the end of all", func() bool { return m.l.Stats().InFlight == 0 })
	}
	m.checkBuffers()
	m.checkStats()
}

// endWaiting ends each request that would not end by itself.
func (m *model) endWaiting() {
	for _, token := range m.waiting {
		m.request(expect{name: "cancel", check: m.found}, func(cb liburing.Callback) liburing.Request { return m.l.Cancel(token, 0, cb) })
	}
	if !oldKernel() {
		m.request(expect{name: "cancel of a descriptor's", check: m.success},
			func(cb liburing.Callback) liburing.Request { return m.l.CancelFD(m.other, liburing.AsyncCancelAll, cb) })
	}
	for _, c := range m.conduits {
		m.disarm(c)
	}
	for _, token := range []liburing.Token{m.poll.token, m.accept.token, m.datagrams.token} {
		m.request(expect{name: "cancel of many", check: m.cancelOfMany},
			func(cb liburing.Callback) liburing.Request { return m.l.Cancel(token, 0, cb) })
	}
}

// checkBuffers asserts that every buffer is with the kernel again.
func (m *model) checkBuffers() {
	m.letGoAll()
	for _, g := range m.groups {
		ringtest.AllBack(m.t, g)
	}
}

func (m *model) checkStats() {
	s := m.l.Stats()
	require.Zero(m.t, s.InFlight)
	require.Zero(m.t, s.Stale)
	require.Equal(m.t, ringtest.Books{}, ringtest.BooksOf(m.l))
	require.GreaterOrEqual(m.t, s.Submitted, uint64(len(m.records)))
	if m.program.kind == plain { // all requests are the model's
		require.Equal(m.t, m.calls, s.Completed)
	}
}

// checkClosed asserts what holds when the loop is gone.
func (m *model) checkClosed() {
	for _, r := range m.records {
		switch {
		case r.silent:
			require.LessOrEqual(m.t, r.finals, 1, r.name)
		default:
			require.Equal(m.t, 1, r.finals, r.name)
		}
		require.Equal(m.t, liburing.StateDone, m.l.State(r.token), r.name)
	}
	m.letGoAll()
	m.checkClosing()
	require.Zero(m.t, m.waiters.Load(), "contexts that the loop still waits for")
	require.Zero(m.t, m.l.Stats().InFlight)
	require.ErrorIs(m.t, m.l.Post(func() {}), liburing.ErrClosed)
}

// checkPosted asserts that what a loop has taken, it has run. No other loop may
// post any more.
func (m *model) checkPosted() { require.Equal(m.t, m.posted.Load(), m.ran, "posted functions") }
