//go:build linux

package main

import (
	"bytes"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// randomBytes returns bytes that are the same for the same size.
func randomBytes(size int) []byte {
	b := make([]byte, size)
	rand.NewChaCha8([32]byte{byte(size), byte(size >> 8), byte(size >> 16)}).Read(b)
	return b
}

// newFile makes a file and returns its name.
func newFile(t *testing.T, path string, content []byte) string {
	t.Helper()
	require.NoError(t, os.WriteFile(path, content, 0o644))
	return path
}

// same compares content without printing megabytes.
func same(t *testing.T, want, got []byte) {
	t.Helper()
	require.Equal(t, len(want), len(got), "length")
	require.True(t, bytes.Equal(want, got), "the content differs")
}

func TestCat(t *testing.T) {
	dir := t.TempDir()
	var names []string
	var all []byte
	for _, size := range []int{0, 1, 4095, streamBlock - 1, streamBlock, streamBlock + 1, 1<<20 + 7} {
		content := randomBytes(size)
		names = append(names, newFile(t, filepath.Join(dir, string(rune('a'+len(names)))), content))
		all = append(all, content...)
	}
	same(t, all, uring(t, append([]string{"cat"}, names...)...).exits(0).out.Bytes())

	words := []byte("from the standard input")
	want := append(append(randomBytes(1), words...), randomBytes(4095)...)
	same(t, want, uring(t, "cat", names[1], "-", names[2]).input(bytes.NewReader(words)).exits(0).out.Bytes())
	same(t, all, uring(t, "cat").input(bytes.NewReader(all)).exits(0).out.Bytes())

	version, err := os.ReadFile("/proc/version") // says that its size is 0
	require.NoError(t, err)
	same(t, version, uring(t, "cat", "/proc/version").exits(0).out.Bytes())
}

func TestCatGoesOnAfterWhatItCannotRead(t *testing.T) {
	dir := t.TempDir()
	a := newFile(t, filepath.Join(dir, "a"), []byte("words"))
	p := uring(t, "cat", a, filepath.Join(dir, "gone"), dir, a).exits(1)
	require.Equal(t, "wordswords", p.out.String())
	require.Contains(t, p.errs.String(), filepath.Join(dir, "gone")+": no such file")
	require.Contains(t, p.errs.String(), dir+": read: is a directory")
}

func TestCatToClosedPipe(t *testing.T) {
	big := newFile(t, filepath.Join(t.TempDir(), "big"), randomBytes(1<<20))
	r, w, err := os.Pipe()
	require.NoError(t, err)
	p := uring(t, "cat", big, big)
	p.Stdout = w
	require.NoError(t, p.Start())
	w.Close()
	_, err = io.ReadFull(r, make([]byte, 10))
	require.NoError(t, err)
	r.Close()
	p.ends(1)
	require.Empty(t, p.errs.String())
}

func TestCatToFullDisk(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	require.NoError(t, err)
	defer full.Close()
	name := newFile(t, filepath.Join(t.TempDir(), "a"), []byte("words"))
	p := uring(t, "cat", name, name) // the second is not tried any more
	p.Stdout = full
	p.exits(1)
	require.Equal(t, "uring cat: the standard output: write: no space left on device\n", p.errs.String())
}

// A write that is cut short in the middle of a block: what was written stays as
// it is, and that it is not all is told. After it the kernel leaves the file's
// position where the write began.
func TestCatBeyondTheLimitOfFiles(t *testing.T) {
	content := randomBytes(fileLimit + 3*streamBlock)
	from := newFile(t, filepath.Join(t.TempDir(), "from"), content)
	for _, flags := range []int{0, os.O_APPEND} {
		out, err := os.OpenFile(filepath.Join(t.TempDir(), "out"), os.O_RDWR|os.O_CREATE|flags, 0o644)
		require.NoError(t, err)
		defer out.Close()
		_, err = out.WriteString("odd")
		require.NoError(t, err)
		p := uring(t, "cat", from).under("file size")
		p.Stdout = out
		p.exits(1)
		require.Equal(t, "uring cat: the standard output: write: file too large\n", p.errs.String())
		same(t, append([]byte("odd"), content[:fileLimit-3]...), read(t, out.Name()))
	}
}

func TestCatToItself(t *testing.T) {
	name := newFile(t, filepath.Join(t.TempDir(), "a"), []byte("words"))
	out, err := os.OpenFile(name, os.O_WRONLY|os.O_APPEND, 0)
	require.NoError(t, err)
	defer out.Close()
	p := uring(t, "cat", name)
	p.Stdout = out
	p.exits(1)
	require.Contains(t, p.errs.String(), name+" is the output too")
	content, _ := os.ReadFile(name)
	require.Equal(t, "words", string(content))
}

// A descriptor may be one that does not block: a terminal is shared with others.
// The program has to wait for it all the same.
func TestCatWaitsForPipesThatDoNotBlock(t *testing.T) {
	in, feed := pipe(t, unix.O_NONBLOCK)
	drain, out := pipe(t, unix.O_NONBLOCK)
	p := uring(t, "cat").input(in)
	p.Stdout = out
	require.NoError(t, p.Start())
	for _, end := range []*os.File{in, out} {
		raw, err := end.SyscallConn()
		require.NoError(t, err)
		require.NoError(t, raw.Control(func(fd uintptr) {
			flags, err := unix.FcntlInt(fd, unix.F_GETFL, 0)
			require.NoError(t, err)
			require.NotZero(t, flags&unix.O_NONBLOCK, "it does not block for the program either")
		}))
		end.Close()
	}
	p.hasRing()
	time.Sleep(20 * time.Millisecond) // in which there is nothing to read
	content := randomBytes(1 << 20)
	go func() {
		defer feed.Close()
		feed.Write(content)
	}()
	time.Sleep(20 * time.Millisecond) // in which nothing more can be written
	got, err := io.ReadAll(drain)
	require.NoError(t, err)
	same(t, content, got)
	p.ends(0)
}

// pipe makes a pipe.
func pipe(t *testing.T, flags int) (r, w *os.File) {
	t.Helper()
	var fds [2]int
	require.NoError(t, unix.Pipe2(fds[:], flags|unix.O_CLOEXEC))
	r, w = os.NewFile(uintptr(fds[0]), "r"), os.NewFile(uintptr(fds[1]), "w")
	t.Cleanup(func() { r.Close(); w.Close() })
	return r, w
}
