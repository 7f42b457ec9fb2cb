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
	"strings"
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

func ownEngine(t testing.TB, o Options) *Engine {
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

// transcript is what a scenario has seen, to be compared.
type transcript struct {
	strings.Builder
	dir string
}

func (l *transcript) note(what string, values ...any) {
	fmt.Fprintf(l, "%s:", what)
	for _, v := range values {
		switch v := v.(type) {
		case error:
			fmt.Fprintf(l, " %s", l.describe(v))
		case []byte:
			fmt.Fprintf(l, " %q", v)
		default:
			fmt.Fprintf(l, " %v", v)
		}
	}
	l.WriteString("\n")
}

// describe tells type, text and kin of an error.
func (l *transcript) describe(err error) string {
	s := fmt.Sprintf("%T(%s)", err, err)
	for _, is := range []error{fs.ErrClosed, fs.ErrExist, fs.ErrNotExist, fs.ErrPermission, fs.ErrInvalid, os.ErrDeadlineExceeded, os.ErrNoDeadline, io.EOF} {
		if errors.Is(err, is) {
			s += fmt.Sprintf(" is %v", is)
		}
	}
	var path *fs.PathError
	if errors.As(err, &path) {
		s += fmt.Sprintf(" op %s path %s err %T", path.Op, path.Path, path.Err)
	}
	if timeout, ok := err.(interface{ Timeout() bool }); ok {
		s += fmt.Sprintf(" timeout %v", timeout.Timeout())
	}
	return strings.ReplaceAll(s, l.dir, "DIR")
}

func scenarioFile(open opener, dir string, flag int) anyFile {
	name := filepath.Join(dir, "file")
	if err := os.WriteFile(name, []byte("0123456789abcdef"), 0o644); err != nil {
		panic(err)
	}
	f, err := open(name, flag, 0o644)
	if err != nil {
		panic(err)
	}
	return f
}

// scenarios are run on os and on ringio, which must see the same.
var scenarios = map[string]func(l *transcript, open opener, dir string){
	"reads": func(l *transcript, open opener, dir string) {
		f := scenarioFile(open, dir, os.O_RDONLY)
		defer f.Close()
		for _, size := range []int{4, 0, 100, 1} {
			b := make([]byte, size)
			n, err := f.Read(b)
			l.note("read", size, n, err, b[:n])
		}
		n, err := f.Read(nil)
		l.note("read nil at the end", n, err)
		for _, off := range []int64{0, 10, 15, 16, 17, 1 << 40, -1, -1 << 63, 1<<63 - 1} {
			b := make([]byte, 6)
			n, err := f.ReadAt(b, off)
			l.note("readat", off, n, err, b[:n])
			n, err = f.ReadAt(nil, off)
			l.note("readat nothing", off, n, err)
		}
		n, err = f.Write([]byte("x"))
		l.note("write to one that is read only", n, err)
		n, err = f.Write(nil)
		l.note("write nothing", n, err)
		n, err = f.WriteAt([]byte("x"), 0)
		l.note("writeat to one that is read only", n, err)
		l.note("sync", f.Sync())
		l.note("truncate", f.Truncate(1))
	},
	"writes": func(l *transcript, open opener, dir string) {
		f := scenarioFile(open, dir, os.O_RDWR)
		defer f.Close()
		n, err := f.Write([]byte("one"))
		l.note("write", n, err)
		n, err = f.WriteString("two")
		l.note("write string", n, err)
		n, err = f.WriteAt([]byte("three"), 30)
		l.note("writeat", n, err)
		n, err = f.WriteAt([]byte("x"), -1)
		l.note("writeat below zero", n, err)
		n, err = f.WriteAt(nil, -1)
		l.note("writeat nothing below zero", n, err)
		n, err = f.WriteAt([]byte("xy"), 1<<63-1)
		l.note("writeat too far", n, err)
		at, err := f.Seek(0, io.SeekCurrent)
		l.note("position", at, err)
		at, err = f.Seek(-100, io.SeekCurrent)
		l.note("seek before", at, err)
		at, err = f.Seek(0, 77)
		l.note("seek nonsense", at, err)
		l.note("truncate", f.Truncate(33), f.Truncate(-1))
		b, err := os.ReadFile(f.Name())
		l.note("all", b, err)
		l.note("sync", f.Sync())
	},
	"write only": func(l *transcript, open opener, dir string) {
		f := scenarioFile(open, dir, os.O_WRONLY)
		defer f.Close()
		b := make([]byte, 3)
		n, err := f.Read(b)
		l.note("read", n, err)
		n, err = f.ReadAt(b, 0)
		l.note("readat", n, err)
		m, err := f.WriteTo(io.Discard)
		l.note("writeto", m, err)
	},
	"append": func(l *transcript, open opener, dir string) {
		f := scenarioFile(open, dir, os.O_RDWR|os.O_APPEND)
		defer f.Close()
		b := make([]byte, 3)
		n, err := f.Read(b)
		l.note("read", n, err, b)
		n, err = f.Write([]byte("end"))
		l.note("write", n, err)
		n, err = f.Read(b)
		l.note("read behind", n, err)
		n, err = f.WriteAt([]byte("x"), 0)
		l.note("writeat", n, err)
		n, err = f.WriteAt(nil, 0)
		l.note("writeat nothing", n, err)
		n, err = f.ReadAt(b, 16)
		l.note("readat", n, err, b)
	},
	"synchronous": func(l *transcript, open opener, dir string) {
		f := scenarioFile(open, dir, os.O_RDWR|os.O_SYNC)
		defer f.Close()
		n, err := f.Write([]byte("one"))
		l.note("write", n, err)
		n, err = f.WriteString("two")
		l.note("write string", n, err)
		n, err = f.WriteAt([]byte("x"), 12)
		l.note("writeat", n, err)
		b, err := io.ReadAll(f)
		l.note("rest", b, err)
		a := scenarioFile(open, dir, os.O_RDWR|os.O_APPEND|os.O_SYNC)
		defer a.Close()
		n, err = a.Write([]byte("end"))
		l.note("append", n, err)
		n, err = a.Read(make([]byte, 1))
		l.note("read behind", n, err)
	},
	"closed": func(l *transcript, open opener, dir string) {
		f := scenarioFile(open, dir, os.O_RDWR)
		l.note("close", f.Close())
		l.note("again", f.Close())
		b := make([]byte, 3)
		for _, size := range []int{3, 0} {
			n, err := f.Read(b[:size])
			l.note("read", size, n, err)
			n, err = f.ReadAt(b[:size], 0)
			l.note("readat", size, n, err)
			n, err = f.Write(b[:size])
			l.note("write", size, n, err)
			n, err = f.WriteAt(b[:size], 0)
			l.note("writeat", size, n, err)
		}
		n, err := f.WriteString("x")
		l.note("write string", n, err)
		at, err := f.Seek(0, 0)
		l.note("seek", at, err)
		m, err := f.WriteTo(new(bytes.Buffer))
		l.note("writeto", m, err)
		m, err = f.ReadFrom(strings.NewReader("x"))
		l.note("readfrom", m, err)
		info, err := f.Stat()
		l.note("stat", info, err)
		l.note("sync", f.Sync())
		l.note("truncate", f.Truncate(0))
		l.note("chmod", f.Chmod(0))
		l.note("deadline", f.SetDeadline(time.Time{}), f.SetReadDeadline(time.Now()), f.SetWriteDeadline(time.Now()))
		entries, err := f.ReadDir(0)
		l.note("readdir", entries, err)
	},
	"folder": func(l *transcript, open opener, dir string) {
		os.WriteFile(filepath.Join(dir, "a"), nil, 0o600)
		f, err := open(dir, os.O_RDONLY, 0)
		if err != nil {
			panic(err)
		}
		n, err := f.Read(make([]byte, 1))
		l.note("read", n, err)
		n, err = f.ReadAt(make([]byte, 1), 0)
		l.note("readat", n, err)
		n, err = f.Write([]byte("x"))
		l.note("write", n, err)
		names, err := f.Readdirnames(-1)
		l.note("names", len(names), err)
		entries, err := f.ReadDir(1)
		l.note("readdir at the end", len(entries), err)
		l.note("sync", f.Sync())
		l.note("deadline", f.SetDeadline(time.Now()))
		l.note("close", f.Close())
		entries, err = f.ReadDir(1)
		l.note("readdir of a closed one", len(entries), err)
	},
	"opens": func(l *transcript, open opener, dir string) {
		for _, name := range []string{"", "missing", "missing/more", "a\x00b", strings.Repeat("n", 300)} {
			if name != "" {
				name = filepath.Join(dir, name)
			}
			f, err := open(name, os.O_RDONLY, 0)
			l.note("open", f, err)
		}
		f := scenarioFile(open, dir, os.O_RDONLY)
		f.Close()
		_, err := open(f.Name(), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
		l.note("exclusive", err)
		_, err = open(f.Name()+"/", os.O_RDONLY, 0)
		l.note("not a folder", err)
		_, err = open(dir, os.O_RDWR, 0)
		l.note("folder for writing", err)
		os.Symlink("loop", filepath.Join(dir, "loop"))
		_, err = open(filepath.Join(dir, "loop"), os.O_RDONLY, 0)
		l.note("loop", err)
	},
	"nothing": func(l *transcript, open opener, dir string) {
		f := scenarioFile(open, dir, os.O_RDWR|os.O_TRUNC)
		defer f.Close()
		n, err := f.Read(make([]byte, 4))
		l.note("read", n, err)
		n, err = f.ReadAt(make([]byte, 4), 0)
		l.note("readat", n, err)
		m, err := f.WriteTo(new(bytes.Buffer))
		l.note("writeto", m, err)
		m, err = f.ReadFrom(strings.NewReader(""))
		l.note("readfrom", m, err)
		info, err := f.Stat()
		l.note("stat", info.Size(), info.Mode(), info.Name(), err)
	},
	"proc": func(l *transcript, open opener, dir string) {
		f, err := open("/proc/self/cmdline", os.O_RDONLY, 0)
		if err != nil {
			l.note("open", err)
			return
		}
		defer f.Close()
		b, err := io.ReadAll(f)
		l.note("all", b, err)
		head := make([]byte, 5)
		n, err := f.ReadAt(head, 1)
		l.note("readat", n, err, head)
		long := make([]byte, 1<<16)
		n, err = f.ReadAt(long, 0)
		l.note("readat more than there is", n, err)
	},
	"null": func(l *transcript, open opener, dir string) {
		f, err := open(os.DevNull, os.O_RDWR, 0)
		if err != nil {
			panic(err)
		}
		defer f.Close()
		n, err := f.Write([]byte("x"))
		l.note("write", n, err)
		n, err = f.Read(make([]byte, 1))
		l.note("read", n, err)
		n, err = f.ReadAt(make([]byte, 1), 0)
		l.note("readat", n, err)
	},
	"full": func(l *transcript, open opener, dir string) {
		f, err := open("/dev/full", os.O_RDWR, 0)
		if err != nil {
			l.note("open", err)
			return
		}
		defer f.Close()
		n, err := f.Write([]byte("x"))
		l.note("write", n, err)
		n, err = f.WriteAt([]byte("x"), 7)
		l.note("writeat", n, err)
	},
	"copies": func(l *transcript, open opener, dir string) {
		f := scenarioFile(open, dir, os.O_RDWR)
		defer f.Close()
		to, err := open(filepath.Join(dir, "copy"), os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
		if err != nil {
			panic(err)
		}
		defer to.Close()
		n, err := io.Copy(to, f)
		l.note("copy", n, err)
		n, err = io.CopyN(to, f, 1)
		l.note("from the end", n, err)
		f.Seek(4, io.SeekStart)
		n, err = io.CopyN(to, f, 5)
		l.note("a part", n, err)
		at, err := f.Seek(0, io.SeekCurrent)
		l.note("position", at, err)
		n, err = to.ReadFrom(strings.NewReader("xyz"))
		l.note("from a string", n, err)
		b, err := os.ReadFile(to.Name())
		l.note("all", b, err)
	},
	"fifo": func(l *transcript, open opener, dir string) {
		name := filepath.Join(dir, "fifo")
		if err := makeFIFO(name); err != nil {
			l.note("mkfifo", err)
			return
		}
		f, err := open(name, os.O_RDWR, 0)
		if err != nil {
			panic(err)
		}
		b := make([]byte, 4)
		l.note("deadline", f.SetReadDeadline(time.Now().Add(10*time.Millisecond)))
		n, err := f.Read(b)
		l.note("read", n, err)
		n, err = f.Read(nil)
		l.note("read nothing with a passed deadline", n, err)
		l.note("no deadline", f.SetDeadline(time.Time{}))
		n, err = f.Write([]byte("ab"))
		l.note("write", n, err)
		n, err = f.Read(b)
		l.note("read", n, err)
		n, err = f.ReadAt(b, 0)
		l.note("readat", n, err)
		n, err = f.WriteAt(b, 0)
		l.note("writeat", n, err)
		at, err := f.Seek(0, io.SeekCurrent)
		l.note("seek", at, err)
		l.note("sync", f.Sync())
		l.note("write deadline", f.SetWriteDeadline(time.Now().Add(100*time.Millisecond)))
		wrote, err := f.Write(make([]byte, 1<<20))
		l.note("write more than there is room for", wrote < 1<<20, err)
		n, err = f.Write(nil)
		l.note("write nothing with a passed deadline", n, err)
		f.SetDeadline(time.Time{})
		m, err := io.ReadFull(f, make([]byte, wrote))
		l.note("read all that", m == wrote, err)
		time.AfterFunc(10*time.Millisecond, func() { f.Close() })
		n, err = f.Read(b)
		l.note("closed while it reads", n, err)
	},
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

func TestFIFOReadThatIsCancelledLosesNothing(t *testing.T) {
	overEnginesAndFallback(t, func(t *testing.T, e *Engine) {
		name := filepath.Join(t.TempDir(), "fifo")
		if err := makeFIFO(name); err != nil {
			t.Skip(err)
		}
		f, err := e.OpenFile(name, os.O_RDWR, 0)
		require.NoError(t, err)
		defer f.Close()
		got := make(chan byte, 2000)
		var all sync.WaitGroup
		const n = 1000
		for range 2 { // one that has a context, and one that must not notice
			all.Go(func() {
				b := make([]byte, 1)
				for {
					ctx, cancel := context.WithTimeout(context.Background(), 50*time.Microsecond)
					m, err := f.ReadContext(ctx, b)
					cancel()
					if errors.Is(err, context.DeadlineExceeded) {
						continue
					}
					if err != nil || m != 1 {
						panic(fmt.Sprint(m, err))
					}
					if b[0] == 'q' {
						return
					}
					got <- b[0]
				}
			})
		}
		all.Go(func() {
			b := make([]byte, 1)
			for {
				if _, err := f.Read(b); err != nil {
					panic(err)
				}
				if b[0] == 'q' {
					return
				}
				got <- b[0]
			}
		})
		for range n {
			_, err := f.Write([]byte{'x'})
			require.NoError(t, err)
		}
		for range n {
			select {
			case <-got:
			case <-time.After(10 * time.Second):
				t.Fatal("bytes were lost")
			}
		}
		_, err = f.Write([]byte("qqq"))
		require.NoError(t, err)
		all.Wait()
		require.Empty(t, got)
	})
}

func TestOpenFIFOThatIsCancelled(t *testing.T) {
	overEnginesAndFallback(t, func(t *testing.T, e *Engine) {
		name := filepath.Join(t.TempDir(), "fifo")
		if err := makeFIFO(name); err != nil {
			t.Skip(err)
		}
		for _, flag := range []int{os.O_RDONLY, os.O_WRONLY} {
			if len(e.rings) == 0 && flag == os.O_WRONLY {
				break // it would meet the one left behind
			}
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
			_, err := e.OpenFileContext(ctx, name, flag, 0)
			cancel()
			require.ErrorIs(t, err, context.DeadlineExceeded)
			var path *fs.PathError
			require.ErrorAs(t, err, &path)
			require.Equal(t, "open", path.Op)
			require.Equal(t, name, path.Path)
		}
		if len(e.rings) == 0 {
			other, err := os.OpenFile(name, os.O_RDWR, 0) // lets go of those left behind
			require.NoError(t, err)
			time.Sleep(20 * time.Millisecond)
			other.Close()
		}
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		type end struct {
			f   *File
			err error
		}
		ends := make(chan end, 2)
		for _, flag := range []int{os.O_RDONLY, os.O_WRONLY} {
			go func() {
				f, err := e.OpenFileContext(ctx, name, flag, 0)
				ends <- end{f, err}
			}()
		}
		for _, end := range []end{<-ends, <-ends} { // both, before one is closed: who comes late would wait
			require.NoError(t, end.err)
			require.Equal(t, name, end.f.Name())
			require.NoError(t, end.f.SetDeadline(time.Now().Add(time.Second)), "it has deadlines")
			require.NoError(t, end.f.Close())
		}
		f, err := e.OpenFileContext(ctx, filepath.Join(t.TempDir(), "new"), os.O_CREATE|os.O_RDWR, 0o600)
		require.NoError(t, err)
		require.NoError(t, f.Close())
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
	t.Run("ring", func(t *testing.T) { test(t, ownEngine(t, Options{})) })
	t.Run("busy", func(t *testing.T) { test(t, busyEngine(t, Options{Entries: 2})) })
	t.Run("fallback", func(t *testing.T) { test(t, ownEngine(t, Options{NoRing: true})) })
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
