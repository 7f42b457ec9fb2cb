//go:build linux

package model_test

import (
	"errors"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// model is what is known of a program that runs.
type model struct {
	t       *reporter
	l       *liburing.Loop
	program program

	features liburing.Features // of the loop's ring
	flags    liburing.SetupFlags

	next int // the step to come

	records []*record
	calls   uint64 // of callbacks
	closing bool   // Close was called: no more requests
	sweep   bool   // all is cancelled: any request may be

	file    *os.File
	regions int              // parts of the file that were given away
	silent  int              // a pipe that nobody writes to
	ends    []func()         // close the fixtures
	waiting []liburing.Token // reads of silent, which end by a cancel only

	other int // as silent, for cancels by descriptor
	onFD  int // reads of it that have not completed
	fresh int // those of them that no cancel was made for

	opens   int // of registered files
	opening int

	conduits  []*conduit
	datagrams datagrams
	groups    []*liburing.BufGroup
	kept      []*kept

	poll   polled
	accept accepted

	slots     []*slot
	door      int // where connections come into slots
	doorAddr  *unix.SockaddrUnix
	accepting bool

	timers  []*ticking
	waiters atomic.Int64 // that the loop has on contexts
	toEnd   int          // requests that a context is to end
	closed  chan error   // what a Close beside the program returned

	peers           []*model // of a group
	sentTo, gotFrom map[*model]int

	resizers []func() // to be called beside the next run

	posters sync.WaitGroup
	posted  atomic.Int64 // functions that the loop has taken
	ran     int64
}

// record is a request: what happened to it.
type record struct {
	name   string
	token  liburing.Token
	finals int
	last   liburing.Completion
	// What it may do.
	multi   bool // complete more than once
	silent  bool // succeed without a word
	stream  bool // have other names later
	refused bool
}

// expect is what a request is to do; check looks at each completion.
type expect struct {
	name   string
	multi  bool
	silent bool
	stream bool
	check  func(liburing.Completion)
}

// request makes a request and keeps the books of it.
func (m *model) request(e expect, do func(cb liburing.Callback) liburing.Request) liburing.Request {
	r := &record{name: e.name, multi: e.multi, silent: e.silent, stream: e.stream}
	m.records = append(m.records, r)
	req := do(func(c liburing.Completion) {
		if m.broken() {
			return
		}
		m.called(r, c)
		if !m.excused(c) {
			e.check(c)
		}
		m.goOn()
	})
	r.token = req.Token()
	if err := req.Err(); err != nil {
		require.ErrorIs(m.t, err, liburing.ErrClosed, e.name)
		require.True(m.t, m.closing, "%s: refused, and nobody has closed the loop", e.name)
		r.refused = true
		return req
	}
	require.NotEqual(m.t, liburing.StateDone, m.l.State(r.token), e.name)
	return req
}

// broken reports whether the program has failed: nothing is to be known of what comes
// then.
func (m *model) broken() bool { return m.t.told.Load() }

// called notes a call of a request's callback.
func (m *model) called(r *record, c liburing.Completion) {
	m.calls++
	r.last = c
	if errors.Is(c.Err(), liburing.ErrClosed) { // a callback of one that is refused is told as well
		r.refused = true
	}
	require.Zero(m.t, r.finals, "%s: called after its last completion", r.name)
	if c.More() {
		require.True(m.t, r.multi, "%s: more than one completion", r.name)
		require.True(m.t, r.stream || m.l.State(r.token) == liburing.StateInFlight, r.name)
		return
	}
	r.finals++
	require.Equal(m.t, liburing.StateDone, m.l.State(r.token), r.name)
}

// excused reports whether a request ended because everything is being ended. What
// would have ended another request may then find that it has ended already.
func (m *model) excused(c liburing.Completion) bool {
	if !m.closing && !m.sweep {
		return false
	}
	err := c.Err()
	if errors.Is(err, unix.ECANCELED) || errors.Is(err, liburing.ErrClosed) {
		return true
	}
	ends := c.Op() == liburing.OpAsyncCancel || c.Op() == liburing.OpLinkTimeout || c.Op() == liburing.OpTimeoutRemove
	return ends && (errors.Is(err, unix.ENOENT) || errors.Is(err, unix.EALREADY))
}

// goOn takes a step more in a callback, one time out of three.
func (m *model) goOn() {
	if m.next < len(m.program.steps) && m.program.steps[m.next].seed%3 == 0 {
		m.step()
	}
}

func (m *model) success(c liburing.Completion) { require.NoError(m.t, c.Err()) }

func (m *model) cancelled(c liburing.Completion) { ringtest.RequireCancelled(m.t, c.Err()) }

func (m *model) count(n int) func(liburing.Completion) {
	return func(c liburing.Completion) {
		require.NoError(m.t, c.Err())
		require.EqualValues(m.t, n, c.Res)
	}
}

func (m *model) failed(want error) func(liburing.Completion) {
	return func(c liburing.Completion) { require.ErrorIs(m.t, c.Err(), want) }
}

func (m *model) rnd(s step) *rand.Rand { return rand.New(rand.NewPCG(s.seed, 1)) }
