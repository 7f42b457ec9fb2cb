//go:build linux

package liburing_test

import (
	"testing"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/stretchr/testify/require"
)

// A group does not ask for all the numbers again that others have.
func TestBufGroupNumbers(t *testing.T) {
	l := ringtest.NewLoop(t, 8)
	var groups []*liburing.BufGroup
	numbers := func(n int) (ids []uint16) {
		for range n {
			groups = append(groups, ringtest.NewGroup(t, l, 1, 1, 0))
			ids = append(ids, ringtest.InsideGroup(groups[len(groups)-1]).ID)
		}
		return ids
	}
	require.Equal(t, []uint16{0, 1, 2}, numbers(3))
	require.NoError(t, groups[1].Close())
	require.Equal(t, []uint16{3, 4}, numbers(2))
	l.SetNextGroup(1<<16 - 1)
	require.Equal(t, []uint16{1<<16 - 1, 1, 5}, numbers(3), "around, past those that are taken")
}
