package ringio

import (
	"bytes"
	"context"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestReadBatch(t *testing.T) {
	const parts, size = 300, 1000
	overEnginesAndFallback(t, func(t *testing.T, e *Engine) {
		dir := t.TempDir()
		var files []*File
		for i := range 3 {
			name := filepath.Join(dir, string('a'+rune(i)))
			require.NoError(t, os.WriteFile(name, bytes.Repeat([]byte{'a' + byte(i)}, parts*size), 0o600))
			dropCache(t, name)
			f, err := e.Open(name)
			require.NoError(t, err)
			defer f.Close()
			files = append(files, f)
		}
		var reads []ReadRequest
		for i := range parts {
			reads = append(reads, ReadRequest{File: files[i/7%3], Buf: make([]byte, size), Off: int64(i * size), N: 7, Err: io.EOF})
		}
		for range 2 { // the second time from the page cache
			require.NoError(t, ReadBatch(reads))
			for i, r := range reads {
				require.Equal(t, size, r.N)
				require.NoError(t, r.Err)
				require.Equal(t, bytes.Repeat([]byte{'a' + byte(i/7%3)}, size), r.Buf)
			}
		}

		closed, err := e.Open(filepath.Join(dir, "a"))
		require.NoError(t, err)
		require.NoError(t, closed.Close())
		reads = []ReadRequest{
			{File: files[0], Buf: make([]byte, size), Off: 0},
			{File: closed, Buf: make([]byte, size), Off: 0},
			{File: files[0], Buf: make([]byte, size), Off: parts*size - 10},
			{File: files[1], Buf: make([]byte, size), Off: -1},
			{File: files[1]},
			{File: files[1], Buf: make([]byte, size), Off: parts * size},
			{File: files[1], Buf: make([]byte, size), Off: 5},
			{Buf: make([]byte, 1)},
		}
		require.ErrorIs(t, ReadBatch(reads), fs.ErrClosed)
		for i, r := range reads {
			n, err := r.File.ReadAt(make([]byte, len(r.Buf)), r.Off)
			require.Equal(t, n, r.N, i)
			require.Equal(t, err, r.Err, i)
		}
		require.NoError(t, ReadBatch(nil))

		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		require.ErrorIs(t, ReadBatchContext(ctx, reads[:1]), context.Canceled)
	})
}
