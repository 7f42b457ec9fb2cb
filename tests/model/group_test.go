//go:build linux

package model_test

import (
	"sync"
	"testing"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/stretchr/testify/require"
)

// TestModelGroup runs a program on each loop of a group; they post to each other.
func TestModelGroup(t *testing.T) {
	seed := firstSeed()
	for i := range uint64(3) {
		runModelGroup(t, seed+i, 200)
	}
}

func runModelGroup(t *testing.T, seed uint64, steps int) {
	t.Helper()
	var models []*model
	defer func() {
		if t.Failed() {
			for _, m := range models {
				t.Logf("the program is %v; %d steps done", m.program, m.next)
			}
			t.Logf("again: go test -run TestModelGroup ./tests/model -seed %d", seed)
		}
	}()
	g, err := liburing.NewLoopGroup(3, 8)
	require.NoError(t, err)
	r := &reporter{T: t}
	for i, l := range g.Loops() {
		ringtest.Track(t, l)
		m := newModel(r, l, newProgram(seed+uint64(i)<<32, steps))
		defer m.abandon()
		models = append(models, m)
	}
	var all sync.WaitGroup
	for _, m := range models {
		m.peers = models
		all.Go(m.run)
	}
	all.Wait()
	for _, m := range models {
		m.posters.Wait()
	}
	for _, m := range models {
		m.checkPosted()
		m.closeFixtures()
	}
	require.NoError(t, g.Close(t.Context()))
}

// postToPeer posts to a loop of the group, which does a step and posts back. The
// posts of one loop to another come in their order.
func (m *model) postToPeer(s step) {
	if len(m.peers) == 0 {
		return
	}
	i := m.rnd(s).IntN(len(m.peers))
	peer := m.peers[i]
	if m.sentTo == nil {
		m.sentTo = map[*model]int{}
	}
	n := m.sentTo[peer]
	posted := m.postTo(peer, func() {
		peer.cameFrom(m, n)
		peer.step()
		peer.postTo(m, func() {})
	})
	if posted {
		m.sentTo[peer]++
	}
}

func (m *model) cameFrom(peer *model, n int) {
	if m.gotFrom == nil {
		m.gotFrom = map[*model]int{}
	}
	require.Equal(m.t, m.gotFrom[peer], n, "posts of a loop out of order")
	m.gotFrom[peer]++
}
