//go:build linux

package ringio

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
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

// What has to be waited for is asked for in one system call, or a few if the pump is awake.
func TestReadBatchSubmitsTogether(t *testing.T) {
	const n = 64
	dir := t.TempDir()
	if !takesDirect(dir) {
		t.Skip("the file system does not know O_DIRECT")
	}
	e := ownEngine(t, Options{Entries: 2 * n})
	name := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(name, make([]byte, n*4096), 0o600))
	f, err := e.OpenFile(name, os.O_RDONLY|unix.O_DIRECT, 0)
	require.NoError(t, err)
	defer f.Close()
	f.disk.reading.Store(straight)
	reads := make([]ReadRequest, n)
	for i := range reads {
		reads[i] = ReadRequest{File: f, Buf: alignedBytes(4096), Off: int64(i * 4096)}
	}
	before := e.Stats()
	require.NoError(t, ReadBatch(reads))
	after := e.Stats()
	require.EqualValues(t, n, after.Submitted-before.Submitted)
	require.LessOrEqual(t, after.Enters-before.Enters, uint64(n/8))
}

// A batch that the ring has ends with its context. A FIFO that is taken for a disk waits for
// sure.
func TestReadBatchThatIsCancelled(t *testing.T) {
	e := ownEngine(t, Options{})
	name := filepath.Join(t.TempDir(), "fifo")
	require.NoError(t, makeFIFO(name))
	std, err := os.OpenFile(name, os.O_RDWR, 0)
	require.NoError(t, err)
	f := e.Wrap(std)
	defer f.Close()
	conn, err := std.SyscallConn()
	require.NoError(t, err)
	f.disk = &disk{engine: e.rings[0], watch: &e.watch, conn: conn, name: name}
	f.disk.reading.Store(straight)
	require.NoError(t, unix.SetNonblock(int(std.Fd()), false)) // a ring would not wait for it
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		for e.Stats().InFlight < 2 {
			time.Sleep(time.Millisecond)
		}
		cancel()
	}()
	reads := []ReadRequest{{File: f, Buf: make([]byte, 4)}, {File: f, Buf: make([]byte, 4)}}
	within(t, func() {
		if err := ReadBatchContext(ctx, reads); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	if t.Failed() {
		std.Write(make([]byte, 8)) // lets them end
		return
	}
	for _, r := range reads {
		require.Zero(t, r.N)
		require.ErrorIs(t, r.Err, context.Canceled)
	}
	require.Zero(t, e.Stats().InFlight)
}
