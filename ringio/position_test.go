//go:build linux

package ringio

import (
	"bytes"
	"encoding/binary"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// Whoever moves a file's position has what is there to itself, in whichever way it goes.

const positionBlock = 4096

// numbered is n blocks, each with its number.
func numbered(from, n int) []byte {
	b := alignedBytes(n * positionBlock)
	for i := range n {
		binary.LittleEndian.PutUint32(b[i*positionBlock:], uint32(from+i))
	}
	return b
}

// numbersOf returns the numbers of blocks, sorted.
func numbersOf(b []byte) (numbers []int) {
	for ; len(b) >= positionBlock; b = b[positionBlock:] {
		numbers = append(numbers, int(binary.LittleEndian.Uint32(b)))
	}
	slices.Sort(numbers)
	return numbers
}

func upTo(n int) (all []int) {
	for i := range n {
		all = append(all, i)
	}
	return all
}

// Some read, some send to connections and some copy to files.
func TestFilePositionOfReaders(t *testing.T) {
	const blocks = 1500
	overFiles(t, func(t *testing.T, open opener) {
		dir, flag := t.TempDir(), os.O_RDONLY
		if takesDirect(dir) {
			flag |= unix.O_DIRECT
		}
		name := filepath.Join(dir, "file")
		require.NoError(t, os.WriteFile(name, numbered(0, blocks), 0o600))
		f, err := open(name, flag, 0)
		require.NoError(t, err)
		defer f.Close()
		var mu sync.Mutex
		var got []byte
		took := func(b []byte) {
			mu.Lock()
			defer mu.Unlock()
			got = append(got, b...)
		}
		var all sync.WaitGroup
		all.Go(func() {
			b := alignedBytes(positionBlock)
			for {
				n, err := f.Read(b)
				took(b[:n])
				if err != nil {
					return
				}
			}
		})
		copyParts := func(to io.Writer) {
			for {
				n, err := to.(io.ReaderFrom).ReadFrom(io.LimitReader(f, positionBlock))
				if err != nil {
					panic(err)
				}
				if n == 0 {
					return
				}
			}
		}
		for _, s := range []stack{netStack, ringStack} {
			ours, theirs := s.pair(t, "tcp")
			all.Go(func() {
				b, err := io.ReadAll(theirs)
				if err != nil {
					panic(err)
				}
				took(b)
			})
			all.Go(func() {
				copyParts(ours)
				ours.Close()
			})
		}
		for place, open := range map[string]opener{"std": byOS, "same": open} {
			all.Go(func() {
				to, err := open(filepath.Join(dir, place), os.O_RDWR|os.O_CREATE, 0o600)
				if err != nil {
					panic(err)
				}
				defer to.Close()
				copyParts(to)
				b, err := os.ReadFile(to.Name())
				if err != nil {
					panic(err)
				}
				took(b)
			})
		}
		all.Wait()
		require.Equal(t, upTo(blocks), numbersOf(got))
	})
}

// Some write, some copy from memory and some from files.
func TestFilePositionOfWriters(t *testing.T) {
	const each = 40
	overFiles(t, func(t *testing.T, open opener) {
		dir := t.TempDir()
		f, err := open(filepath.Join(dir, "file"), os.O_RDWR|os.O_CREATE|unix.O_DSYNC, 0o600)
		require.NoError(t, err)
		defer f.Close()
		source := func(i int, open opener) anyFile {
			name := filepath.Join(dir, string('a'+rune(i)))
			require.NoError(t, os.WriteFile(name, numbered(i*each, each), 0o600))
			from, err := open(name, os.O_RDONLY, 0)
			require.NoError(t, err)
			t.Cleanup(func() { from.Close() })
			return from
		}
		std, same := source(4, byOS), source(5, open)
		var all sync.WaitGroup
		for i, put := range []func(b []byte) (int64, error){
			func(b []byte) (int64, error) { n, err := f.Write(b); return int64(n), err },
			func(b []byte) (int64, error) { n, err := f.WriteString(string(b)); return int64(n), err },
			func(b []byte) (int64, error) { return f.ReadFrom(bytes.NewReader(b)) },
			func(b []byte) (int64, error) { return io.Copy(f, bytes.NewReader(b)) },
			func([]byte) (int64, error) { return f.ReadFrom(io.LimitReader(std, positionBlock)) },
			func([]byte) (int64, error) { return f.ReadFrom(io.LimitReader(same, positionBlock)) },
		} {
			all.Go(func() {
				for n := range each {
					if n, err := put(numbered(i*each+n, 1)); n != positionBlock || err != nil {
						panic(err)
					}
				}
			})
		}
		all.Wait()
		b, err := os.ReadFile(f.Name())
		require.NoError(t, err)
		require.Equal(t, upTo(6*each), numbersOf(b))
	})
}

// Each moves the position by what it has read or written.
func TestFilePositionOfReadersAndWriters(t *testing.T) {
	const each = 60
	overFiles(t, func(t *testing.T, open opener) {
		name := filepath.Join(t.TempDir(), "file")
		require.NoError(t, os.WriteFile(name, make([]byte, 8*each*positionBlock), 0o600))
		f, err := open(name, os.O_RDWR|unix.O_DSYNC, 0)
		require.NoError(t, err)
		defer f.Close()
		var all sync.WaitGroup
		for _, move := range []func(b []byte) (int64, error){
			func(b []byte) (int64, error) { n, err := f.Write(b); return int64(n), err },
			func(b []byte) (int64, error) { n, err := f.Read(b); return int64(n), err },
			func(b []byte) (int64, error) { return f.ReadFrom(bytes.NewReader(b)) },
			func(b []byte) (int64, error) { return f.ReadFrom(onlyReader{bytes.NewReader(b)}) },
			func(b []byte) (int64, error) { return f.Seek(positionBlock, io.SeekCurrent) },
		} {
			all.Go(func() {
				b := make([]byte, positionBlock)
				for range each {
					if f, ok := f.(*File); ok && f.disk != nil {
						f.disk.score.Store(hopeless) // else the reads are plain
					}
					if n, err := move(b); n < positionBlock || err != nil {
						panic(err)
					}
				}
			})
		}
		all.Wait()
		at, err := f.Seek(0, io.SeekCurrent)
		require.NoError(t, err)
		require.EqualValues(t, 5*each*positionBlock, at)
	})
}

// onlyReader hides what a reader is besides.
type onlyReader struct{ io.Reader }

// A connection that takes nothing of the file that it is sent keeps nobody from asking where
// the position is.
func TestFilePositionWhileAPeerIsSlow(t *testing.T) {
	overFiles(t, func(t *testing.T, open opener) {
		name := filepath.Join(t.TempDir(), "file")
		require.NoError(t, os.WriteFile(name, make([]byte, 32<<20), 0o600))
		f, err := open(name, os.O_RDONLY, 0)
		require.NoError(t, err)
		defer f.Close()
		onStacks(t, func(t *testing.T, s stack) {
			_, err := f.Seek(0, io.SeekStart)
			require.NoError(t, err)
			ours, theirs := s.pair(t, "tcp")
			done := make(chan struct{})
			go func() {
				io.Copy(ours, f)
				close(done)
			}()
			var last int64
			require.Eventually(t, func() bool {
				at, err := f.Seek(0, io.SeekCurrent)
				require.NoError(t, err)
				same := at > 0 && at == last
				last = at
				return same
			}, 30*time.Second, 10*time.Millisecond)
			waiting := make(chan struct{})
			go func() { // it has to wait: in the middle of the copy
				f.Read(make([]byte, 1))
				close(waiting)
			}()
			for range 5 {
				within(t, func() {
					at, err := f.Seek(0, io.SeekCurrent)
					require.NoError(t, err)
					require.GreaterOrEqual(t, at, last)
				})
			}
			theirs.Close()
			<-done
			<-waiting
		})
	})
}

// Copies between files end as os.File's do.
func TestFileCopiesEndAsOS(t *testing.T) {
	run := func(open opener) (seen []string) {
		dir := t.TempDir()
		l := &transcript{dir: dir}
		get := func(name string, flag int) anyFile {
			f, err := open(filepath.Join(dir, name), flag|os.O_CREATE, 0o600)
			require.NoError(t, err)
			t.Cleanup(func() { f.Close() })
			return f
		}
		require.NoError(t, os.WriteFile(filepath.Join(dir, "from"), numbered(0, 3), 0o600))
		closed := get("closed", os.O_RDWR)
		require.NoError(t, closed.Close())
		for _, copied := range []struct {
			what     string
			to, from anyFile
		}{
			{"plain", get("to", os.O_RDWR), get("from", os.O_RDONLY)},
			{"to one that is read", get("to", os.O_RDONLY), get("from", os.O_RDONLY)},
			{"from one that is written", get("to", os.O_RDWR), get("from", os.O_WRONLY)},
			{"appended", get("to", os.O_RDWR|os.O_APPEND), get("from", os.O_RDONLY)},
			{"to a closed one", closed, get("from", os.O_RDONLY)},
			{"from a closed one", get("to", os.O_RDWR), closed},
			{"from nothing", get("to", os.O_RDWR), get("empty", os.O_RDONLY)},
		} {
			n, err := copied.to.ReadFrom(copied.from)
			l.note(copied.what+": ReadFrom", n, err)
			part := &io.LimitedReader{R: copied.from, N: 100}
			n, err = copied.to.ReadFrom(part)
			l.note(copied.what+": ReadFrom of a part", n, err, part.N)
			copied.from.Seek(0, io.SeekStart)
			n, err = copied.from.WriteTo(copied.to)
			l.note(copied.what+": WriteTo", n, err)
			b, err := os.ReadFile(filepath.Join(dir, "to"))
			l.note("then there are", len(b), numbersOf(b), err)
		}
		return []string{l.String()}
	}
	want := run(byOS)
	for _, e := range []*Engine{ownEngine(t, Options{}), busyEngine(t, Options{}), ownEngine(t, Options{NoRing: true})} {
		require.Equal(t, want, run(by(e)))
	}
}
