package ringio

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"
)

var long = flag.Bool("long", false, "run the tests that take a minute")

// anyFile is what os.File and File have in common.
type anyFile interface {
	io.Reader
	io.Writer
	io.ReaderAt
	io.WriterAt
	io.Seeker
	io.Closer
	io.ReaderFrom
	io.WriterTo
	io.StringWriter
	fs.ReadDirFile
	Sync() error
	Truncate(int64) error
	Name() string
	SetDeadline(time.Time) error
	SetReadDeadline(time.Time) error
	SetWriteDeadline(time.Time) error
	Readdirnames(int) ([]string, error)
	Chmod(fs.FileMode) error
	SyscallConn() (syscall.RawConn, error)
}

var (
	_ anyFile = (*os.File)(nil)
	_ anyFile = (*File)(nil)
)

// opener opens files in one of the ways that are compared.
type opener func(name string, flag int, perm fs.FileMode) (anyFile, error)

func byOS(name string, flag int, perm fs.FileMode) (anyFile, error) {
	f, err := os.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err
	}
	return f, nil
}

func by(e *Engine) opener {
	return func(name string, flag int, perm fs.FileMode) (anyFile, error) {
		f, err := e.OpenFile(name, flag, perm)
		if err != nil {
			return nil, err
		}
		return f, nil
	}
}

// ownEngine is one that believes that many connections have something to say.
func ownEngine(t testing.TB, o Options) *Engine {
	t.Helper()
	e := fewEngine(t, o)
	keepMany(e)
	return e
}

// fewEngine is one that begins as all do: with few connections that have something to say.
func fewEngine(t testing.TB, o Options) *Engine {
	t.Helper()
	e, err := New(o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Shutdown(context.Background())) })
	return e
}

// busyEngine is one that believes that others wait for the disk, so that nothing that
// waits is a plain call.
func busyEngine(t testing.TB, o Options) *Engine {
	e := ownEngine(t, o)
	keepBusy(e)
	return e
}

func overFiles(t *testing.T, test func(t *testing.T, open opener)) {
	t.Run("os", func(t *testing.T) { test(t, byOS) })
	for name, e := range map[string]*Engine{
		"ring": ownEngine(t, Options{}), "busy": busyEngine(t, Options{}),
		"rings": busyEngine(t, Options{Rings: 3, Entries: 2}), "fallback": ownEngine(t, Options{NoRing: true}),
	} {
		t.Run(name, func(t *testing.T) { test(t, by(e)) })
	}
}

// places are folders on file systems of different kinds.
func places(t testing.TB) map[string]string {
	all := map[string]string{"disk": t.TempDir()}
	if dir, err := os.MkdirTemp("/dev/shm", "ringio"); err == nil {
		t.Cleanup(func() { os.RemoveAll(dir) })
		all["memory"] = dir
	}
	return all
}

func TestFileAsOS(t *testing.T) {
	engines := map[string]*Engine{
		"ring": ownEngine(t, Options{}), "busy": busyEngine(t, Options{}), "fallback": ownEngine(t, Options{NoRing: true}),
	}
	for place, dir := range places(t) {
		for name, scenario := range scenarios {
			run := func(open opener) string {
				own, err := os.MkdirTemp(dir, "scenario")
				require.NoError(t, err)
				l := &transcript{dir: own}
				scenario(l, open, own)
				return l.String()
			}
			want := run(byOS)
			for engine, e := range engines {
				t.Run(place+"/"+name+"/"+engine, func(t *testing.T) { require.Equal(t, want, run(by(e))) })
			}
		}
	}
}

func TestNilFile(t *testing.T) {
	var f *File
	_, err := f.Read(nil)
	require.ErrorIs(t, err, fs.ErrInvalid)
	_, err = f.ReadAt(make([]byte, 1), 0)
	require.ErrorIs(t, err, fs.ErrInvalid)
	_, err = f.WriteAt(make([]byte, 1), 0)
	require.ErrorIs(t, err, fs.ErrInvalid)
	_, err = f.Write(nil)
	require.ErrorIs(t, err, fs.ErrInvalid)
	_, err = f.Seek(0, 0)
	require.ErrorIs(t, err, fs.ErrInvalid)
	require.ErrorIs(t, f.Sync(), fs.ErrInvalid)
	require.ErrorIs(t, f.SetDeadline(time.Time{}), fs.ErrInvalid)
	require.ErrorIs(t, f.Chdir(), fs.ErrInvalid)
	require.ErrorIs(t, f.Chmod(0), fs.ErrInvalid)
	require.ErrorIs(t, f.Chown(0, 0), fs.ErrInvalid)
	_, err = f.ReadDir(0)
	require.ErrorIs(t, err, fs.ErrInvalid)
	_, err = f.Readdir(0)
	require.ErrorIs(t, err, fs.ErrInvalid)
	_, err = f.Readdirnames(0)
	require.ErrorIs(t, err, fs.ErrInvalid)
	_, err = f.Stat()
	require.ErrorIs(t, err, fs.ErrInvalid)
	_, err = f.SyscallConn()
	require.ErrorIs(t, err, fs.ErrInvalid)
	require.ErrorIs(t, f.Truncate(0), fs.ErrInvalid)
}

func TestFileReader(t *testing.T) {
	content := bytes.Repeat([]byte("some text, "), 10000)
	overFiles(t, func(t *testing.T, open opener) {
		name := filepath.Join(t.TempDir(), "file")
		require.NoError(t, os.WriteFile(name, content, 0o600))
		f, err := open(name, os.O_RDONLY, 0)
		require.NoError(t, err)
		defer f.Close()
		dropCache(t, name)
		require.NoError(t, iotest.TestReader(f, content))
	})
}

func TestFileVectors(t *testing.T) {
	for _, e := range []*Engine{ownEngine(t, Options{}), busyEngine(t, Options{}), ownEngine(t, Options{NoRing: true})} {
		f, err := e.Create(filepath.Join(t.TempDir(), "file"))
		require.NoError(t, err)
		defer f.Close()
		var out, in [][]byte
		size := 0
		for i := range 3000 { // more than one call takes
			out = append(out, bytes.Repeat([]byte{byte(i)}, i%5))
			in = append(in, make([]byte, i%5))
			size += i % 5
		}
		n, err := f.WriteVAt(out, 3)
		require.NoError(t, err)
		require.Equal(t, size, n)
		dropCache(t, f.Name())
		n, err = f.ReadVAt(in, 3)
		require.NoError(t, err)
		require.Equal(t, size, n)
		require.True(t, reflect.DeepEqual(out, in))
		n, err = f.ReadVAt([][]byte{nil, make([]byte, 3), make([]byte, 10)}, int64(size-2))
		require.Equal(t, 5, n)
		require.Equal(t, io.EOF, err)
		n, err = f.ReadVAt(nil, 0)
		require.NoError(t, err)
		require.Zero(t, n)
		_, err = f.ReadVAt(in, -1)
		require.ErrorContains(t, err, "negative offset")
		_, err = f.WriteVAt(out, -1)
		require.ErrorContains(t, err, "negative offset")
	}
}

// Two readers of one file never get the same bytes.
func TestFileSharedPosition(t *testing.T) {
	const size, part = 1 << 20, 64
	content := make([]byte, size)
	for i := range content {
		content[i] = byte(i / part % 251)
	}
	overFiles(t, func(t *testing.T, open opener) {
		name := filepath.Join(t.TempDir(), "file")
		require.NoError(t, os.WriteFile(name, content, 0o600))
		dropCache(t, name)
		f, err := open(name, os.O_RDONLY, 0)
		require.NoError(t, err)
		defer f.Close()
		var seen [251]int
		var mu sync.Mutex
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				b := make([]byte, part)
				for {
					n, err := f.Read(b)
					if err == io.EOF {
						return
					}
					if err != nil || n != part {
						panic(fmt.Sprint(n, err))
					}
					mu.Lock()
					seen[b[0]]++
					mu.Unlock()
				}
			})
		}
		all.Wait()
		var want [251]int
		for i := 0; i < size; i += part {
			want[content[i]]++
		}
		require.Equal(t, want, seen)
	})
}

func TestFileAppendsOfMany(t *testing.T) {
	for _, flag := range []int{0, os.O_SYNC} {
		overFiles(t, func(t *testing.T, open opener) {
			name := filepath.Join(t.TempDir(), "file")
			var all sync.WaitGroup
			for i := range 4 {
				all.Go(func() {
					f, err := open(name, os.O_CREATE|os.O_WRONLY|os.O_APPEND|flag, 0o600)
					if err != nil {
						panic(err)
					}
					defer f.Close()
					for range 20 {
						if _, err := f.Write(bytes.Repeat([]byte{'a' + byte(i)}, 10)); err != nil {
							panic(err)
						}
					}
				})
			}
			all.Wait()
			b, err := os.ReadFile(name)
			require.NoError(t, err)
			require.Len(t, b, 4*20*10)
			for i := 0; i < len(b); i += 10 {
				require.Equal(t, bytes.Repeat(b[i:i+1], 10), b[i:i+10])
			}
		})
	}
}

func TestFileBeyond2GiB(t *testing.T) {
	const off = 5 << 30
	overFiles(t, func(t *testing.T, open opener) {
		f, err := open(filepath.Join(t.TempDir(), "file"), os.O_RDWR|os.O_CREATE, 0o600)
		require.NoError(t, err)
		defer f.Close()
		_, err = f.WriteAt([]byte("far"), off)
		require.NoError(t, err)
		dropCache(t, f.Name())
		b := make([]byte, 3)
		_, err = f.ReadAt(b, off)
		require.NoError(t, err)
		require.Equal(t, "far", string(b))
		_, err = f.Seek(off+1, io.SeekStart)
		require.NoError(t, err)
		rest, err := io.ReadAll(f)
		require.NoError(t, err)
		require.Equal(t, "ar", string(rest))
	})
}

// A file is copied by many goroutines, block by block, past the page cache and through
// it; the digests are the same.
func TestFileCopy(t *testing.T) {
	size := int64(8 << 20)
	if *long {
		size = 4 << 30
	}
	size += 12345
	overEnginesAndFallback(t, func(t *testing.T, e *Engine) {
		dir := t.TempDir()
		from, err := os.Create(filepath.Join(dir, "from"))
		require.NoError(t, err)
		want := sha256.New()
		noise := rand.NewChaCha8([32]byte{1})
		_, err = io.Copy(io.MultiWriter(from, want), io.LimitReader(noise, size))
		require.NoError(t, err)
		require.NoError(t, from.Close())
		dropCache(t, from.Name())
		for i, flag := range append([]int{os.O_RDWR}, directFlags[:min(1, len(directFlags))]...) {
			if isDirect(flag) && !takesDirect(dir) {
				continue
			}
			to := filepath.Join(dir, fmt.Sprint("to", i))
			copyByMany(t, e, to, from.Name(), flag, size)
			require.Equal(t, want.Sum(nil), digest(t, e, to))
		}
	})
}

// copyByMany copies a file. With O_DIRECT the last block is written whole, and cut.
func copyByMany(t *testing.T, e *Engine, to, from string, flag int, size int64) {
	in, err := e.OpenFile(from, flag&^os.O_RDWR, 0)
	require.NoError(t, err)
	defer in.Close()
	out, err := e.OpenFile(to, flag|os.O_CREATE, 0o600)
	require.NoError(t, err)
	defer out.Close()
	var next atomic.Int64
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			b := alignedBytes(128 << 10)
			for {
				off := next.Add(int64(len(b))) - int64(len(b))
				if off >= size {
					return
				}
				n, err := in.ReadAt(b, off)
				if err != nil && (err != io.EOF || off+int64(n) != size) {
					panic(err)
				}
				if _, err := out.WriteAt(b[:(n+4095)&^4095], off); err != nil {
					panic(err)
				}
			}
		})
	}
	all.Wait()
	require.NoError(t, out.Truncate(size))
	require.NoError(t, out.Sync())
}

func digest(t *testing.T, e *Engine, name string) []byte {
	f, err := e.Open(name)
	require.NoError(t, err)
	defer f.Close()
	sum := sha256.New()
	_, err = io.Copy(sum, f)
	require.NoError(t, err)
	return sum.Sum(nil)
}

// A slice longer than one call takes is moved whole.
func TestFileLongSlice(t *testing.T) {
	if !*long {
		t.Skip("it moves 2 GiB, see -long")
	}
	size := int64(1)<<31 + 4096 // of holes, which need no memory but the slice's
	for _, e := range []*Engine{ownEngine(t, Options{}), busyEngine(t, Options{})} {
		f, err := e.Create(filepath.Join(t.TempDir(), "file"))
		require.NoError(t, err)
		defer f.Close()
		require.NoError(t, f.Truncate(size))
		_, err = f.WriteAt([]byte("end"), size-3)
		require.NoError(t, err)
		b, free := bigSlice(t, int(size)+1)
		n, err := f.ReadAt(b, 0)
		require.Equal(t, io.EOF, err)
		require.Equal(t, int(size), n)
		require.Equal(t, "end", string(b[size-3:size]))
		free()
	}
}

func TestFileContext(t *testing.T) {
	overEnginesAndFallback(t, func(t *testing.T, e *Engine) {
		f, err := e.Create(filepath.Join(t.TempDir(), "file"))
		require.NoError(t, err)
		defer f.Close()
		ended, end := context.WithCancel(context.Background())
		end()
		b := []byte("x")
		for name, call := range map[string]func(context.Context) error{
			"read":    func(ctx context.Context) error { _, err := f.ReadContext(ctx, b); return err },
			"readat":  func(ctx context.Context) error { _, err := f.ReadAtContext(ctx, b, 0); return err },
			"readv":   func(ctx context.Context) error { _, err := f.ReadVAtContext(ctx, [][]byte{b}, 0); return err },
			"write":   func(ctx context.Context) error { _, err := f.WriteContext(ctx, b); return err },
			"writeat": func(ctx context.Context) error { _, err := f.WriteAtContext(ctx, b, 0); return err },
			"writev":  func(ctx context.Context) error { _, err := f.WriteVAtContext(ctx, [][]byte{b}, 0); return err },
			"sync":    func(ctx context.Context) error { return f.SyncContext(ctx) },
		} {
			err := call(ended)
			require.ErrorIs(t, err, context.Canceled, name)
			require.IsType(t, (*fs.PathError)(nil), err, name)
		}
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		n, err := f.WriteAtContext(ctx, []byte("text"), 0)
		require.NoError(t, err)
		require.Equal(t, 4, n)
		require.NoError(t, f.SyncContext(ctx))
		dropCache(t, f.Name())
		got := make([]byte, 4)
		_, err = f.ReadAtContext(ctx, got, 0)
		require.NoError(t, err)
		require.Equal(t, "text", string(got))
		_, err = f.ReadAtContext(ctx, got, 2)
		require.Equal(t, io.EOF, err)
	})
}

func TestFileCloseDuringReads(t *testing.T) {
	overFiles(t, func(t *testing.T, open opener) {
		name := filepath.Join(t.TempDir(), "file")
		content := bytes.Repeat([]byte("x"), 1<<20)
		require.NoError(t, os.WriteFile(name, content, 0o600))
		for range 30 {
			dropCache(t, name)
			f, err := open(name, os.O_RDONLY, 0)
			require.NoError(t, err)
			var all sync.WaitGroup
			for i := range 8 {
				all.Go(func() {
					b := make([]byte, 4096)
					for off := int64(i) * 4096; ; off = (off + 1<<15) % (1 << 20) {
						n, err := f.ReadAt(b, off)
						if errors.Is(err, fs.ErrClosed) {
							return
						}
						if err != nil || n != len(b) || b[0] != 'x' {
							panic(fmt.Sprint(n, err))
						}
					}
				})
			}
			require.NoError(t, f.Close())
			other, err := os.Open(os.DevNull) // which may get the number
			require.NoError(t, err)
			all.Wait()
			other.Close()
		}
	})
}

func TestSyncsOfMany(t *testing.T) {
	overEnginesAndFallback(t, func(t *testing.T, e *Engine) {
		f, err := e.Create(filepath.Join(t.TempDir(), "file"))
		require.NoError(t, err)
		var all sync.WaitGroup
		for i := range 32 {
			all.Go(func() {
				for range 5 {
					if _, err := f.WriteAt([]byte{1}, int64(i)*4096); err != nil {
						panic(err)
					}
					sync := f.Sync
					if i%2 == 0 {
						sync = f.SyncData
					}
					if err := sync(); err != nil {
						panic(err)
					}
				}
			})
		}
		all.Wait()
		require.NoError(t, f.Close())
		require.ErrorIs(t, f.Sync(), fs.ErrClosed)
		require.ErrorIs(t, f.SyncData(), fs.ErrClosed)
	})
}

func overEnginesAndFallback(t *testing.T, test func(t *testing.T, e *Engine)) {
	overRings(t, test)
	t.Run("fallback", func(t *testing.T) { test(t, ownEngine(t, Options{NoRing: true})) })
}

func overRings(t *testing.T, test func(t *testing.T, e *Engine)) {
	t.Run("ring", func(t *testing.T) { test(t, ownEngine(t, Options{})) })
	t.Run("busy", func(t *testing.T) { test(t, busyEngine(t, Options{Entries: 2})) })
}

func TestFilesAfterShutdown(t *testing.T) {
	e := busyEngine(t, Options{})
	f, err := e.Create(filepath.Join(t.TempDir(), "file"))
	require.NoError(t, err)
	defer f.Close()
	require.NoError(t, e.Shutdown(context.Background()))
	_, err = f.WriteAt([]byte("text"), 0)
	require.NoError(t, err)
	require.NoError(t, f.Sync())
	dropCache(t, f.Name())
	b := make([]byte, 4)
	_, err = f.ReadAt(b, 0)
	require.NoError(t, err)
	require.Equal(t, "text", string(b))
	f, err = e.Open(f.Name())
	require.NoError(t, err)
	require.NoError(t, f.Close())
}
