//go:build linux

package model_test

import (
	"errors"
	"math/rand/v2"
	"sync"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// resize gives the loop queues of other sizes: where requests are made, in a post, or
// from another goroutine while the loop runs. What it may do to requests is nothing,
// and their own checks see to that.
func (m *model) resize(s step) {
	rnd := m.rnd(s)
	sq, cq := m.randomSizes(rnd)
	switch rnd.IntN(4) {
	case 0:
		m.posters.Go(func() { m.postTo(m, func() { m.resizeHere(sq, cq) }) })
	case 1:
		m.resizers = append(m.resizers, func() {
			if err := m.l.Resize(sq, cq); !errors.Is(err, liburing.ErrClosed) {
				m.resized(err)
			}
		})
	case 2:
		m.resizeHere(sq, cq)
		m.resizeHere(m.randomSizes(rnd))
	default:
		m.resizeHere(sq, cq)
	}
}

// resizeBeside has other goroutines resize while run runs the loop.
func (m *model) resizeBeside(run func()) {
	var all sync.WaitGroup
	for _, f := range m.resizers {
		all.Go(f)
	}
	m.resizers = nil
	run()
	all.Wait()
}

// randomSizes returns sizes that take the longest chain there is. 0 leaves one as it is.
func (m *model) randomSizes(rnd *rand.Rand) (sq, cq int) {
	size := func() int {
		n := max(0, rnd.IntN(8)-1)
		if m.program.tight {
			return n
		}
		return n * (5 + rnd.IntN(12))
	}
	return size(), 2 * size() // the completion queue is the smaller now and then, which is refused
}

// resizeHere resizes the queues and looks at their sizes, with no other resize between.
func (m *model) resizeHere(sq, cq int) {
	err := m.l.Control(func(r *liburing.Ring) error {
		wasSQ, wasCQ := r.SQEntries(), r.CQEntries()
		if err := m.l.Resize(sq, cq); err != nil {
			require.Equal(m.t, []int{wasSQ, wasCQ}, []int{r.SQEntries(), r.CQEntries()}, "it has failed, and changed the ring")
			return err
		}
		wantSQ, wantCQ := wasSQ, wasCQ
		if sq != 0 {
			wantSQ = powerOfTwo(max(sq, m.leastEntries()))
		}
		if cq != 0 {
			wantCQ = powerOfTwo(cq)
		}
		require.Equal(m.t, []int{wantSQ, max(wantCQ, wantSQ)}, []int{r.SQEntries(), r.CQEntries()})
		return nil
	})
	if !m.closing || !errors.Is(err, liburing.ErrClosed) {
		m.resized(err)
	}
}

// leastEntries returns how small a loop's queue can be.
func (m *model) leastEntries() int {
	if m.flags&liburing.SetupSQEMixed != 0 {
		return 4
	}
	return 2
}

func powerOfTwo(n int) int {
	p := 1
	for p < n {
		p *= 2
	}
	return p
}

// resized is told how a resize has ended, of a loop that is not closed.
func (m *model) resized(err error) {
	switch {
	case !m.resizable():
		require.ErrorIs(m.t, err, unix.EINVAL)
	case errors.Is(err, unix.EINVAL):
		require.ErrorContains(m.t, err, "may not be smaller than the submission queue")
	case err != nil:
		require.ErrorIs(m.t, err, unix.EOVERFLOW, "what the kernel holds does not fit")
	}
}

func (m *model) resizable() bool {
	return m.flags&liburing.SetupDeferTaskrun != 0 && !ringtest.KernelBefore(6, 13)
}
