//go:build linux

package ringio

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// What is read past the page cache, a little at a time, is submitted by calls that Go's
// scheduler does not know of, until one has been slow: the next ones are ordinary.
func TestShortReadsAreSubmittedBriefly(t *testing.T) {
	e := ownEngine(t, Options{})
	ring := e.rings[0]
	ring.brief.limit = time.Hour // this machine may be busy
	name := filepath.Join(t.TempDir(), "f")
	require.NoError(t, os.WriteFile(name, make([]byte, 2*mostBrief), 0o600))
	f, err := e.Open(name)
	require.NoError(t, err)
	defer f.Close()
	ctx, cancel := context.WithCancel(t.Context()) // so that it is the ring that reads
	defer cancel()

	// briefly returns how many of n reads were submitted so.
	briefly := func(n int, read func() (int, error)) int {
		ring.mu.Lock()
		ring.brief.penalty, ring.brief.quick = pacePenalty, -n
		ring.mu.Unlock()
		for range n {
			_, err := read()
			require.NoError(t, err)
		}
		ring.mu.Lock()
		defer ring.mu.Unlock()
		return n + ring.brief.quick
	}
	readAt := func(size int) func() (int, error) {
		return func() (int, error) { return f.ReadAtContext(ctx, make([]byte, size), 0) }
	}
	batch := func() (int, error) {
		reads := []ReadRequest{{File: f, Buf: make([]byte, 512)}, {File: f, Buf: make([]byte, 512), Off: 512}}
		return 0, ReadBatchContext(ctx, reads)
	}
	const n = 20
	require.Zero(t, briefly(n, readAt(4096)), "the page cache has it, or the kernel has to find out")
	f.disk.reading.Store(straight)
	require.Equal(t, n, briefly(n, readAt(4096)))
	require.Equal(t, n, briefly(n, readAt(mostBrief)))
	require.GreaterOrEqual(t, briefly(n, batch), n)
	require.Zero(t, briefly(n, readAt(mostBrief+1)))
	require.Zero(t, briefly(n, func() (int, error) { return f.ReadVAtContext(ctx, [][]byte{make([]byte, 1), make([]byte, 1)}, 0) }))
	require.Zero(t, briefly(n, func() (int, error) { return 0, f.SyncContext(ctx) }))

	ring.mu.Lock()
	ring.brief.penalty = 2
	ring.brief.took(true)
	require.Equal(t, 5, ring.brief.rest)
	ring.mu.Unlock()
	require.Zero(t, briefly(5, readAt(4096)))
	require.Equal(t, n, briefly(n, readAt(4096)))
}
