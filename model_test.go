//go:build linux && cgo

package liburing

import (
	"context"
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// model runs a random program of requests, chains, cancels and posts on a loop
// beside what is known of each request: how often its callback may be called,
// which results are right, and which bytes.
type model struct {
	t    *testing.T
	l    *Loop
	rnd  *rand.Rand
	file int
	pipe int // nobody writes to it: reads of it wait until they are cancelled
	left int // requests that may still be begun
	// waiting are the requests that end by a cancel only.
	waiting []Token
	begun   int
	ended   map[int]int // how often the callback of each request was called
	chunk   int         // regions of the file that were given away
	closing bool        // any request may be cancelled
}

// begin counts a request and returns its callback, which checks the result.
func (m *model) begin(check func(Completion)) Callback {
	id := m.begun
	m.begun++
	m.left--
	return func(c Completion) {
		m.ended[id]++
		if m.closing && errors.Is(c.Err(), unix.ECANCELED) {
			return
		}
		check(c)
		for range m.rnd.IntN(3) {
			m.step()
		}
	}
}

func (m *model) step() {
	if m.left <= 0 {
		return
	}
	switch m.rnd.IntN(7) {
	case 0:
		m.l.Nop(m.begin(m.success))
	case 1, 2:
		m.writeAndRead()
	case 3:
		req := m.l.Read(m.pipe, make([]byte, 64), 0, m.begin(m.cancelled))
		m.waiting = append(m.waiting, req.Token())
	case 4:
		m.cancelOne()
	case 5:
		m.chain()
	case 6:
		d := time.Duration(m.rnd.IntN(1000)) * time.Microsecond
		m.l.Timeout(d, 0, 0, m.begin(func(c Completion) { require.ErrorIs(m.t, c.Err(), unix.ETIME) }))
	}
}

func (m *model) success(c Completion)   { require.NoError(m.t, c.Err()) }
func (m *model) cancelled(c Completion) { require.ErrorIs(m.t, c.Err(), unix.ECANCELED) }

// writeAndRead writes to a region of its own and reads it back.
func (m *model) writeAndRead() {
	n := 1 + m.rnd.IntN(8000)
	off := uint64(m.chunk) * 8192
	m.chunk++
	seed := byte(m.rnd.IntN(256))
	m.l.Write(m.file, pattern(n, seed), off, m.begin(func(c Completion) {
		require.EqualValues(m.t, n, c.Res)
		got := make([]byte, n)
		id := m.begun
		req := m.l.Read(m.file, got, off, m.begin(func(c Completion) {
			require.EqualValues(m.t, n, c.Res)
			require.Equal(m.t, pattern(n, seed), got)
		}))
		if errors.Is(req.Err(), ErrClosed) { // refused: the write ended in Close
			m.ended[id]++
		}
	}))
}

// cancelOne cancels a waiting request, or one that has long ended.
func (m *model) cancelOne() {
	if len(m.waiting) == 0 {
		m.l.Cancel(newToken(uint32(m.rnd.IntN(100)), 999999), 0, m.begin(func(c Completion) {
			require.ErrorIs(m.t, c.Err(), unix.ENOENT)
		}))
		return
	}
	i := m.rnd.IntN(len(m.waiting))
	token := m.waiting[i]
	m.waiting = append(m.waiting[:i], m.waiting[i+1:]...)
	m.l.Cancel(token, 0, m.begin(func(c Completion) {
		// EALREADY: it is being completed at this moment.
		require.True(m.t, c.Err() == nil || errors.Is(c.Err(), unix.EALREADY), "%v", c.Err())
	}))
}

// chain links a few requests; from a bad one on they are cancelled.
func (m *model) chain() {
	n := 2 + m.rnd.IntN(4)
	bad := m.rnd.IntN(2 * n) // none, half of the time
	for i := range n {
		var req Request
		switch {
		case i == bad:
			req = m.l.Read(-1, make([]byte, 1), 0, m.begin(func(c Completion) { require.ErrorIs(m.t, c.Err(), unix.EBADF) }))
		case i > bad:
			req = m.l.Nop(m.begin(m.cancelled))
		default:
			req = m.l.Nop(m.begin(m.success))
		}
		if i < n-1 {
			req.Link()
		}
	}
}

// run begins requests until none are left, lets the loop run dry, and closes it
// with the waiting ones in flight.
func (m *model) run() {
	for m.left > 0 {
		for range 1 + m.rnd.IntN(20) {
			m.step()
		}
		m.l.Post(m.step)
		ctx, cancel := context.WithTimeout(context.Background(), time.Duration(m.rnd.IntN(3))*time.Millisecond)
		err := m.l.RunUntilIdle(ctx)
		cancel()
		require.True(m.t, err == nil || errors.Is(err, context.DeadlineExceeded), "%v", err)
	}
	// No callback begins another request now; what has not ended by itself is
	// waiting, and Close cancels it.
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	m.l.RunUntilIdle(ctx)
	m.closing = true
	closeLoop(m.t, m.l)
	for id := range m.begun {
		require.Equal(m.t, 1, m.ended[id], "request %d", id)
	}
}

func runModel(t *testing.T, l *Loop, seed uint64, requests int) {
	t.Helper()
	defer func() {
		if t.Failed() {
			t.Logf("seed %d", seed)
		}
	}()
	rd, _ := pipe(t)
	m := model{
		t: t, l: l, rnd: rand.New(rand.NewPCG(seed, 0)), left: requests,
		file: int(tempFile(t, nil).Fd()), pipe: rd, ended: map[int]int{},
	}
	m.run()
}

func TestModel(t *testing.T) {
	overLoops(t, 8, func(t *testing.T, l *Loop) {
		runModel(t, l, uint64(time.Now().UnixNano()), 2000)
	})
}

// FuzzModel runs programs for as long as one likes.
func FuzzModel(f *testing.F) {
	f.Add(uint64(1), uint8(0))
	f.Fuzz(func(t *testing.T, seed uint64, setup uint8) {
		s := setups[int(setup)%len(setups)]
		runModel(t, newLoop(t, 8, s.opts...), seed, 300)
	})
}
