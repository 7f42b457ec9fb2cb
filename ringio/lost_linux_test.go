//go:build linux

package ringio

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// A read that waits for the page cache is carried on by the thread that submitted it. If that
// has ended it fails with EFAULT, which nobody is to see.
func TestFileReadsOutliveThreads(t *testing.T) {
	e := ownEngine(t, Options{})
	const size, reads = 4096, 64
	name := filepath.Join(t.TempDir(), "f")
	want := bytes.Repeat([]byte{1}, size*reads)
	require.NoError(t, os.WriteFile(name, want, 0o600))
	f, err := e.Open(name)
	require.NoError(t, err)
	defer f.Close()
	require.NoError(t, unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_RANDOM)) // each waits for its own page
	ctx, cancel := context.WithCancel(t.Context())                        // so that it is the ring that reads
	defer cancel()
	for range 20 {
		dropCache(t, name)
		got := make([]byte, size*reads)
		var all sync.WaitGroup
		for i := range reads {
			all.Go(func() {
				if _, err := f.ReadAtContext(ctx, got[i*size:(i+1)*size], int64(i*size)); err != nil {
					t.Error(err)
				}
			})
			all.Go(func() {
				runtime.LockOSThread() // the thread ends with the goroutine
				e.rings[0].drive()
			})
		}
		all.Wait()
		require.True(t, bytes.Equal(want, got))
	}
}

// Memory that can't be written to is told as os tells it, and not tried for ever.
func TestReadsIntoBadMemory(t *testing.T) {
	bad, err := unix.Mmap(-1, 0, 4096, unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	require.NoError(t, err)
	defer unix.Munmap(bad)
	name := filepath.Join(t.TempDir(), "f")
	require.NoError(t, os.WriteFile(name, make([]byte, 4096), 0o600))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	e := ownEngine(t, Options{})
	for _, flag := range append([]int{os.O_RDWR}, directFlags...) {
		if isDirect(flag) && !takesDirect(filepath.Dir(name)) {
			continue
		}
		dropCache(t, name)
		f, err := e.OpenFile(name, flag, 0)
		require.NoError(t, err)
		n, err := f.ReadAtContext(ctx, bad, 0)
		require.Zero(t, n)
		require.True(t, errors.Is(err, unix.EFAULT), err)
		reads := []ReadRequest{{File: f, Buf: bad}}
		require.ErrorIs(t, ReadBatchContext(ctx, reads), unix.EFAULT)
		require.Zero(t, reads[0].N)
		require.NoError(t, f.Close())
	}
}
