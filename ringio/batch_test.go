package ringio

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

// stackMeter is a context that looks, now and then when it is asked, how deep the stack is.
type stackMeter struct {
	context.Context
	asked, deepest int
	frames         [2000]uintptr
}

func (m *stackMeter) Err() error {
	if m.asked++; m.asked%100 == 0 {
		m.deepest = max(m.deepest, runtime.Callers(0, m.frames[:]))
	}
	return nil
}

// However many reads there are, and of however many files, a batch needs only so much stack.
func TestReadBatchOfManyNeedsLittleStack(t *testing.T) {
	const many, size = 400, 512
	overEnginesAndFallback(t, func(t *testing.T, e *Engine) {
		dir := t.TempDir()
		files := make([]*File, many)
		for i := range files {
			name := filepath.Join(dir, fmt.Sprint(i))
			require.NoError(t, os.WriteFile(name, bytes.Repeat([]byte{byte(i)}, size), 0o600))
			dropCache(t, name)
			f, err := e.Open(name)
			require.NoError(t, err)
			defer f.Close()
			files[i] = f
		}
		for _, among := range []int{many, 2} { // the more files first, from the disk
			reads := make([]ReadRequest, 20_000)
			for i := range reads {
				reads[i] = ReadRequest{File: files[i%among], Buf: make([]byte, 8), Off: int64(i % (size - 8))}
			}
			meter := &stackMeter{Context: context.Background()}
			require.NoError(t, ReadBatchContext(meter, reads))
			for i, r := range reads {
				require.NoError(t, r.Err)
				require.Equal(t, bytes.Repeat([]byte{byte(i % among)}, 8), r.Buf[:r.N])
			}
			require.Less(t, meter.deepest, 1200, among)
		}
	})
}

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
