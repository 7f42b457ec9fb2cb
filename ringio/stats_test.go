//go:build linux

package ringio

import (
	"bytes"
	"context"
	"io"
	"maps"
	"net"
	"os"
	"path/filepath"
	"runtime/trace"
	"testing"

	"github.com/stretchr/testify/require"
)

// useAFile calls each kind of operation on files, and returns how often.
func useAFile(t *testing.T, e *Engine) (times map[string]uint64) {
	times = map[string]uint64{}
	name := filepath.Join(t.TempDir(), "file")
	open := func(name string, flag int) *File {
		f, err := e.OpenFile(name, flag|os.O_CREATE, 0o600)
		require.NoError(t, err)
		t.Cleanup(func() { f.Close() })
		times["open"]++
		return f
	}
	did := func(kind string, err error) {
		require.NoError(t, err)
		times[kind]++
	}
	b := make([]byte, 8)
	f := open(name, os.O_RDWR)
	_, err := f.Write(b)
	did("write", err)
	_, err = f.WriteAt(b, 8)
	did("write", err)
	_, err = f.WriteString("text")
	did("write", err)
	did("sync", f.Sync())
	did("sync", f.SyncData())
	_, err = f.ReadAt(b, 0)
	did("read", err)
	_, err = f.Seek(0, io.SeekStart)
	require.NoError(t, err)
	_, err = f.Read(b)
	did("read", err)
	for range trusted {
		_, err = f.ReadAt(b, 0)
		did("read", err)
	}
	reads := []ReadRequest{{File: f, Buf: make([]byte, 8)}, {File: f, Buf: make([]byte, 8), Off: 8}}
	did("read", ReadBatch(reads))
	times["read"]++
	_, err = open(name+"2", os.O_RDWR).ReadFrom(io.LimitReader(f, 4))
	did("write", err)

	require.NoError(t, makeFIFO(name+"fifo"))
	fifo := open(name+"fifo", os.O_RDWR)
	_, err = fifo.Write(b)
	did("write", err)
	_, err = fifo.Read(b)
	did("read", err)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	again, err := e.OpenFileContext(ctx, name+"fifo", os.O_WRONLY, 0)
	did("open", err)
	require.NoError(t, again.Close())
	return times
}

func total(h Histogram) (n uint64) {
	for _, some := range h {
		n += some
	}
	return n
}

func latencies(e *Engine) map[string]uint64 {
	times := map[string]uint64{}
	for kind, h := range e.Stats().Latency {
		times[kind] = total(h)
	}
	return times
}

func TestHistogramsOfFiles(t *testing.T) {
	for name, o := range map[string]Options{"ring": {Histograms: true}, "fallback": {Histograms: true, NoRing: true}} {
		t.Run(name, func(t *testing.T) {
			e := ownEngine(t, o)
			require.Equal(t, useAFile(t, e), latencies(e))
			f, err := e.Create(filepath.Join(t.TempDir(), "log"))
			require.NoError(t, err)
			defer f.Close()
			log, err := NewAppender(f)
			require.NoError(t, err)
			before := latencies(e)["write"]
			_, err = log.Append([]byte("text"))
			require.NoError(t, err)
			require.Equal(t, before+1, latencies(e)["write"])
		})
	}
}

func TestTraceRegionsOfFiles(t *testing.T) {
	for name, o := range map[string]Options{"ring": {}, "fallback": {NoRing: true}} {
		for kind, use := range map[string]func(f *File) error{
			"open":  func(f *File) error { _, err := f.engine.Open(f.Name()); return err },
			"write": func(f *File) error { _, err := f.WriteAt([]byte("x"), 0); return err },
			"read":  func(f *File) error { _, err := f.ReadAt(make([]byte, 1), 0); return err },
			"sync":  func(f *File) error { return f.Sync() },
		} {
			t.Run(name+"/"+kind, func(t *testing.T) {
				if trace.IsEnabled() {
					t.Skip("it is traced already")
				}
				e := ownEngine(t, o)
				f, err := e.Create(filepath.Join(t.TempDir(), "file"))
				require.NoError(t, err)
				defer f.Close()
				_, err = f.Write([]byte("text"))
				require.NoError(t, err)
				if f.disk != nil {
					f.disk.score.Store(trusted)
				}
				var out bytes.Buffer
				require.NoError(t, trace.Start(&out))
				err = use(f)
				trace.Stop()
				require.NoError(t, err)
				require.Contains(t, out.String(), "ringio."+kind)
			})
		}
	}
}

// What goes without being shown to the program is seen, too.
func TestHistogramsOfCopies(t *testing.T) {
	e := ownEngine(t, Options{Histograms: true})
	name := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(name, make([]byte, 8*copySize), 0o600))
	from, err := e.Open(name)
	require.NoError(t, err)
	defer from.Close()
	to, err := e.Create(name + "2")
	require.NoError(t, err)
	defer to.Close()
	_, ours, theirs := pairOf(t, e)
	last := latencies(e)
	grew := func(kinds ...string) {
		now := latencies(e)
		for _, kind := range kinds {
			require.Greater(t, now[kind], last[kind], kind)
		}
		last = maps.Clone(now)
	}
	_, err = WriteBuffers(ours, &net.Buffers{[]byte("te"), []byte("xt")})
	require.NoError(t, err)
	grew("send")
	_, err = io.ReadFull(theirs, make([]byte, 4))
	require.NoError(t, err)
	grew("recv")
	go func(c net.Conn) {
		io.Copy(c, from)
		c.Close()
	}(ours)
	n, err := io.Copy(to, theirs)
	require.NoError(t, err)
	require.EqualValues(t, 8*copySize, n)
	grew("send", "recv", "write")
	p := newPipe()
	require.NotNil(t, p)
	defer p.close()
	_, ours, theirs = pairOf(t, e)
	_, err = theirs.Write([]byte("text"))
	require.NoError(t, err)
	waitReadable(t, ours)
	last = latencies(e)
	got, err := ours.(*tcpConn).s.fillPipe(p)
	require.NoError(t, err)
	require.Equal(t, 4, got)
	grew("recv")
	_, err = drainFor(to)(p, 2)
	require.NoError(t, err)
	grew("write")
	_, err = drainFor(theirs)(p, 2)
	require.NoError(t, err)
	grew("send")
}
