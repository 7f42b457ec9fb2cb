//go:build linux

package ringio

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"flag"
	"io"
	"io/fs"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var bigCopy = flag.Int64("copied", 24, "how many MiB are copied through files and connections")

// noise is bytes of which none repeat, without an end.
func noise(seed uint64) io.Reader { return rand.NewChaCha8([32]byte{byte(seed)}) }

// A file goes through a connection, another one and into a file, whole.
func TestCopyOfMuch(t *testing.T) {
	size := *bigCopy << 20
	dir := t.TempDir()
	digest := func(r io.Reader) []byte {
		h := sha256.New()
		_, err := io.Copy(h, r)
		require.NoError(t, err)
		return h.Sum(nil)
	}
	from, err := Create(filepath.Join(dir, "from"))
	require.NoError(t, err)
	defer from.Close()
	_, err = io.Copy(from, io.LimitReader(noise(1), size))
	require.NoError(t, err)
	_, err = from.Seek(0, io.SeekStart)
	require.NoError(t, err)
	want := digest(from)
	onStacks(t, func(t *testing.T, s stack) {
		a, b := s.pair(t, "tcp")
		c, d := s.pair(t, "tcp")
		_, err = from.Seek(0, io.SeekStart)
		require.NoError(t, err)
		copied := make(chan error, 2)
		copyTo := func(to io.Writer, from io.Reader, end func() error) {
			n, err := io.Copy(to, from)
			if err == nil && n != size {
				err = io.ErrShortWrite
			}
			copied <- errors.Join(err, end())
		}
		go copyTo(a, from, a.Close)
		go copyTo(c, b, c.Close)
		to, err := Create(filepath.Join(dir, "to"))
		require.NoError(t, err)
		defer to.Close()
		n, err := io.Copy(to, d)
		require.NoError(t, err)
		require.Equal(t, size, n)
		require.NoError(t, <-copied)
		require.NoError(t, <-copied)
		_, err = to.Seek(0, io.SeekStart)
		require.NoError(t, err)
		require.Equal(t, want, digest(to))
	})
}

// The kernel moves what it can move by itself.
func TestWhatTheKernelCopies(t *testing.T) {
	ours, theirs := ringStack.pair(t, "tcp")
	go io.Copy(io.Discard, theirs)
	name := filepath.Join(t.TempDir(), "f")
	require.NoError(t, os.WriteFile(name, make([]byte, 100_000), 0o600))
	std, err := os.Open(name)
	require.NoError(t, err)
	defer std.Close()
	file, err := Open(name)
	require.NoError(t, err)
	defer file.Close()
	for _, r := range []io.Reader{std, file, io.LimitReader(std, 10)} {
		_, handled, err := ours.(*tcpConn).s.sendFile(r)
		require.NoError(t, err)
		require.True(t, handled)
	}
	for _, w := range []io.Writer{ours, std, file} {
		require.NotNil(t, drainFor(w))
	}
	append, err := OpenFile(name, os.O_WRONLY|os.O_APPEND, 0)
	require.NoError(t, err)
	defer append.Close()
	for _, w := range []io.Writer{append, io.Discard, new(bytes.Buffer)} {
		require.Nil(t, drainFor(w))
	}
}

// From net's connections a File splices, as os.File does, and so the errors are the same.
func TestCopyFromConnectionsOfNet(t *testing.T) {
	var protocols [2]protocol
	for i := range protocols {
		p := &protocols[i]
		p.t = t
		for _, network := range []string{"tcp", "unix"} {
			std, err := os.Create(filepath.Join(t.TempDir(), "f"))
			require.NoError(t, err)
			defer std.Close()
			var to io.Writer = std
			if i == 1 {
				to = Wrap(std)
			}
			ours, theirs := netStack.pair(t, network)
			theirs.Write([]byte("text"))
			theirs.(halfCloser).CloseWrite()
			n, err := io.Copy(to, ours)
			p.result("all", int(n), err)
			ours.SetReadDeadline(past)
			n, err = io.Copy(to, ours)
			p.result("too late", int(n), err)
			n, err = io.CopyN(to, ours, 3)
			p.result("a part", int(n), err)
			ours.Close()
			n, err = io.Copy(to, ours)
			p.result("closed", int(n), err)
		}
	}
	require.Equal(t, protocols[0].lines, protocols[1].lines)
}

// Into all kinds of files and connections, from where they stand.
func TestCopiesIntoFiles(t *testing.T) {
	const size = 3<<20 + 5
	data := make([]byte, size)
	noise(2).Read(data)
	onStacks(t, func(t *testing.T, s stack) {
		for flags, before := range map[int]string{os.O_RDWR: "", os.O_RDWR | os.O_APPEND: "before"} {
			for _, open := range []func(string, int, os.FileMode) (io.WriteCloser, error){
				func(name string, flags int, perm os.FileMode) (io.WriteCloser, error) {
					return os.OpenFile(name, flags, perm)
				},
				func(name string, flags int, perm os.FileMode) (io.WriteCloser, error) {
					return OpenFile(name, flags, perm)
				},
			} {
				name := filepath.Join(t.TempDir(), "f")
				require.NoError(t, os.WriteFile(name, []byte(before), 0o600))
				f, err := open(name, flags, 0)
				require.NoError(t, err)
				ours, theirs := s.pair(t, "tcp")
				go func() {
					for rest := data; len(rest) > 0; {
						n := min(len(rest), 1+rand.IntN(1<<rand.IntN(20)))
						theirs.Write(rest[:n])
						rest = rest[n:]
					}
					theirs.Close()
				}()
				n, err := io.Copy(f, ours)
				require.NoError(t, err)
				require.EqualValues(t, size, n)
				require.NoError(t, f.Close())
				got, err := os.ReadFile(name)
				require.NoError(t, err)
				require.True(t, bytes.Equal(append([]byte(before), data...), got))
			}
		}
	})
}

// A part of a file moves the position by that part, and the next write follows.
func TestCopyOfAPart(t *testing.T) {
	name := filepath.Join(t.TempDir(), "f")
	data := make([]byte, 300_000)
	noise(3).Read(data)
	require.NoError(t, os.WriteFile(name, data, 0o600))
	onStacks(t, func(t *testing.T, s stack) {
		f, err := os.Open(name)
		require.NoError(t, err)
		defer f.Close()
		ours, theirs := s.pair(t, "tcp")
		go func() {
			ours.Write([]byte("head"))
			n, err := io.CopyN(ours, f, 200_000)
			require.NoError(t, err)
			require.EqualValues(t, 200_000, n)
			ours.Write([]byte("tail"))
			n, err = io.CopyN(ours, f, 200_000)
			require.ErrorIs(t, err, io.EOF)
			require.EqualValues(t, 100_000, n)
			ours.Close()
		}()
		got, err := io.ReadAll(theirs)
		require.NoError(t, err)
		want := append([]byte("head"), data[:200_000]...)
		want = append(append(want, "tail"...), data[200_000:]...)
		require.True(t, bytes.Equal(want, got))
	})
}

// A copy ends with the deadline and with Close, and says how much it has copied.
func TestCopiesThatEnd(t *testing.T) {
	name := filepath.Join(t.TempDir(), "f")
	require.NoError(t, os.WriteFile(name, nil, 0o600))
	require.NoError(t, os.Truncate(name, 128<<20)) // more than the kernel has room for
	onStacks(t, func(t *testing.T, s stack) {
		f, err := os.Open(name)
		require.NoError(t, err)
		defer f.Close()
		ours, theirs := s.pair(t, "tcp") // who does not read
		var n int64
		for try := 0; n == 0 && try < 20; try++ { // a busy machine may let a deadline pass before the copy begins
			ours.SetWriteDeadline(time.Now().Add(50 * time.Millisecond))
			within(t, func() { n, err = io.Copy(ours, f) })
			require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		}
		require.Positive(t, n)
		at, err := f.Seek(0, io.SeekCurrent)
		require.NoError(t, err)
		require.Equal(t, n, at, "nothing is lost")

		got := make(chan int64)
		go func() {
			n, _ := io.Copy(io.Discard, theirs)
			got <- n
		}()
		time.Sleep(10 * time.Millisecond)
		ours.Close()
		require.Equal(t, n, <-got)

		ours, theirs = s.pair(t, "tcp")
		copying := waits(t, func() {
			_, err := io.Copy(io.Discard, ours)
			require.ErrorIs(t, err, net.ErrClosed)
		})
		ours.Close()
		within(t, func() { <-copying })
		theirs.Close()
	})
}

// The position of a file tells how far a copy got that has failed.
func TestCopyOfAFileThatFails(t *testing.T) {
	name := filepath.Join(t.TempDir(), "f")
	require.NoError(t, os.WriteFile(name, make([]byte, 32<<20), 0o600))
	onStacks(t, func(t *testing.T, s stack) {
		for _, network := range []string{"tcp", "unix"} {
			var f anyFile
			f, err := os.Open(name)
			if s.name != netStack.name {
				f, err = Open(name)
			}
			require.NoError(t, err)
			defer f.Close()
			ours, _ := s.pair(t, network) // who does not read
			position := func() int64 {
				at, err := f.Seek(0, io.SeekCurrent)
				require.NoError(t, err)
				return at
			}
			var n int64
			copying := make(chan struct{})
			go func() {
				n, err = io.Copy(ours, f)
				close(copying)
			}()
			require.Eventually(t, func() bool { return position() > 0 }, time.Minute, time.Millisecond)
			ours.SetWriteDeadline(past)
			within(t, func() { <-copying })
			require.ErrorIs(t, err, os.ErrDeadlineExceeded)
			require.Equal(t, n, position(), network)
			var path *fs.PathError
			require.ErrorAs(t, err, &path)
			require.Equal(t, "read", path.Op)
			require.Equal(t, name, path.Path)
		}
	})
}

func TestCopyToWhoHasGone(t *testing.T) {
	onStacks(t, func(t *testing.T, s stack) {
		from, source := s.pair(t, "tcp")
		to, gone := s.pair(t, "tcp")
		gone.(TCPConn).SetLinger(0)
		gone.Close()
		go func() {
			io.Copy(source, io.LimitReader(noise(4), 8<<20))
			source.Close()
		}()
		within(t, func() {
			_, err := io.Copy(to, from)
			require.Error(t, err)
			require.NotErrorIs(t, err, io.EOF)
		})
	})
}

func TestWriteBuffers(t *testing.T) {
	write := map[string]func(c net.Conn, b *net.Buffers) (int64, error){
		"function": WriteBuffers,
		"method":   func(c net.Conn, b *net.Buffers) (int64, error) { return b.WriteTo(c) },
		"ReadFrom": func(c net.Conn, b *net.Buffers) (int64, error) {
			if r, ok := c.(io.ReaderFrom); ok {
				return r.ReadFrom(b)
			}
			return b.WriteTo(c)
		},
	}
	onStacks(t, func(t *testing.T, s stack) {
		for name, write := range write {
			for _, network := range []string{"tcp", "unix"} {
				ours, theirs := s.pair(t, network)
				buffers := net.Buffers{nil, []byte("one "), {}, bytes.Repeat([]byte("two "), 300_000)}
				for range 2000 {
					buffers = append(buffers, []byte("three "))
				}
				want := bytes.Join(buffers, nil)
				go func() {
					n, err := write(ours, &buffers)
					require.NoError(t, err, name)
					require.EqualValues(t, len(want), n)
					require.Empty(t, buffers)
					ours.Close()
				}()
				got, err := io.ReadAll(theirs)
				require.NoError(t, err)
				require.True(t, bytes.Equal(want, got), name)
			}
		}
		c := s.mustListenPacket(t, "udp")
		to, err := s.dial(new(net.Dialer), context.Background(), "udp", c.LocalAddr().String())
		require.NoError(t, err)
		defer to.Close()
		n, err := WriteBuffers(to, &net.Buffers{[]byte("one"), []byte("two")})
		require.NoError(t, err)
		require.EqualValues(t, 6, n)
		b := make([]byte, 8)
		got, _, err := c.ReadFrom(b)
		require.NoError(t, err)
		require.Equal(t, "onetwo", string(b[:got]), "they are one datagram")
	})
}

// What a deadline leaves of buffers can be written later.
func TestBuffersPastADeadline(t *testing.T) {
	onStacks(t, func(t *testing.T, s stack) {
		ours, theirs := s.pair(t, "tcp")
		data := make([]byte, 32<<20)
		noise(5).Read(data)
		var buffers net.Buffers
		for at := 0; at < len(data); at += 1 << 16 {
			buffers = append(buffers, data[at:at+1<<16])
		}
		ours.SetWriteDeadline(time.Now().Add(20 * time.Millisecond))
		n, err := WriteBuffers(ours, &buffers)
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		ours.SetWriteDeadline(time.Time{})
		go func() {
			m, err := WriteBuffers(ours, &buffers)
			require.NoError(t, err)
			require.EqualValues(t, len(data), n+m)
			ours.Close()
		}()
		got, err := io.ReadAll(theirs)
		require.NoError(t, err)
		require.True(t, bytes.Equal(data, got))
	})
}
