//go:build linux

package ringio

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// What is in memory is read from there, also on a file system that can't be asked for it; only
// what has proved slow is for the ring.
func TestReadBatchWithoutNowait(t *testing.T) {
	dir, ok := places(t)["memory"]
	if !ok {
		t.Skip("there is no tmpfs")
	}
	e := ownEngine(t, Options{})
	name := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(name, bytes.Repeat([]byte("x"), 100*64), 0o600))
	f, err := e.Open(name)
	require.NoError(t, err)
	defer f.Close()
	reads := make([]ReadRequest, 100)
	for i := range reads {
		reads[i] = ReadRequest{File: f, Buf: make([]byte, 64), Off: int64(i * 64)}
	}
	byRing := func() uint64 {
		before := e.Stats().Submitted
		if err := ReadBatch(reads); err != nil {
			panic(err)
		}
		return e.Stats().Submitted - before
	}
	require.Eventually(t, func() bool { return byRing() == 0 }, 20*time.Second, time.Millisecond, "a busy machine makes some slow")
	if f.disk == nil || f.disk.reading.Load() != plain {
		t.Skip("this tmpfs can be asked")
	}
	require.Eventually(t, func() bool {
		f.disk.score.Store(hopeless)
		return byRing() > 0
	}, 20*time.Second, time.Millisecond)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	before := e.Stats().Submitted
	require.NoError(t, ReadBatchContext(ctx, reads))
	require.EqualValues(t, len(reads), e.Stats().Submitted-before, "they may take for ever")
}
