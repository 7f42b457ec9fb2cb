//go:build linux

package model_test

import (
	"bytes"
	"slices"
	"time"

	"github.com/go-liburing/liburing"
	"github.com/stretchr/testify/require"
)

// kept are bytes that a callback has kept.
type kept struct {
	liburing.Borrowed
	from *conduit
	pos  int
	n    int
}

func (m *model) keep(c *conduit, done liburing.Completion) {
	m.kept = append(m.kept, &kept{done.Keep(), c, c.got, int(done.Res)})
}

// release gives one of the buffers back that were kept.
func (m *model) release(s step) {
	if len(m.kept) > 0 {
		m.letGo(m.kept[m.rnd(s).IntN(len(m.kept))])
	}
}

// releaseLater has a timer, or another goroutine, give a buffer back.
func (m *model) releaseLater(s step) {
	if len(m.kept) == 0 {
		return
	}
	rnd := m.rnd(s)
	k := m.kept[rnd.IntN(len(m.kept))]
	d := time.Duration(rnd.IntN(2000)) * time.Microsecond
	if rnd.IntN(2) == 0 {
		m.l.After(d, func() { m.letGo(k) })
		return
	}
	m.posters.Go(func() {
		time.Sleep(d)
		m.postTo(m, func() { m.letGo(k) })
	})
}

// letGo gives a buffer back, if nobody else has meanwhile.
func (m *model) letGo(k *kept) {
	i := slices.Index(m.kept, k)
	if i < 0 {
		require.ErrorIs(m.t, k.Release(), liburing.ErrReleased)
		return
	}
	m.kept = slices.Delete(m.kept, i, i+1)
	require.Equal(m.t, k.from.at(k.pos, k.n), bytes.Join(slices.Collect(k.All()), nil), "kept")
	require.NoError(m.t, k.Release())
	require.ErrorIs(m.t, k.Release(), liburing.ErrReleased)
	require.Nil(m.t, k.Bytes())
}

func (m *model) letGoAll() {
	for len(m.kept) > 0 {
		m.letGo(m.kept[0])
	}
}
