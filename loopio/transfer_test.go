//go:build linux

package loopio_test

import (
	"context"
	"io"
	"testing"
	"time"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/go-liburing/liburing/loopio"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// transferred runs a loop until done was called, and returns what it was told.
func transferred(t *testing.T, l *liburing.Loop, start func(done func(int, error))) (n int, err error) {
	calls := 0
	start(func(got int, why error) {
		calls++
		n, err = got, why
	})
	ringtest.RunIdle(t, l)
	require.Equal(t, 1, calls)
	return n, err
}

func TestReadFull(t *testing.T) {
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		content := ringtest.Pattern(1000, 1)
		f := ringtest.TempFile(t, content)
		read := func(fd int, buf []byte, offset uint64) (int, error) {
			return transferred(t, l, func(done func(int, error)) { loopio.ReadFull(context.Background(), l, fd, buf, offset, done) })
		}
		buf := make([]byte, 600)
		n, err := read(liburing.FD(f), buf, 300)
		require.NoError(t, err)
		require.Equal(t, content[300:900], buf[:n])
		n, err = read(liburing.FD(f), buf, 900)
		require.ErrorIs(t, err, io.ErrUnexpectedEOF)
		require.Equal(t, content[900:], buf[:n])
		n, err = read(liburing.FD(f), buf, 1000)
		require.Equal(t, io.EOF, err)
		require.Zero(t, n)
		n, err = read(liburing.FD(f), nil, 5000)
		require.NoError(t, err)
		require.Zero(t, n)
		_, err = read(-1, buf, 0)
		require.ErrorIs(t, err, unix.EBADF)

		// A stream gives a part at a time.
		r, w := ringtest.Pipe(t)
		go func() {
			for _, b := range content[:600] {
				unix.Write(w, []byte{b})
			}
		}()
		n, err = read(r, buf, liburing.CurrentPosition)
		require.NoError(t, err)
		require.Equal(t, content[:600], buf[:n])

		// Its context ends when it has a part.
		ctx, cancel := context.WithCancel(t.Context())
		unix.Write(w, []byte("half"))
		l.After(10*time.Millisecond, cancel)
		n, err = transferred(t, l, func(done func(int, error)) { loopio.ReadFull(ctx, l, r, buf, liburing.CurrentPosition, done) })
		require.ErrorIs(t, err, context.Canceled)
		require.Equal(t, "half", string(buf[:n]))
	})
}

func TestWriteAll(t *testing.T) {
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		write := func(fd int, buf []byte, offset uint64) (int, error) {
			return transferred(t, l, func(done func(int, error)) { loopio.WriteAll(context.Background(), l, fd, buf, offset, done) })
		}
		f := ringtest.TempFile(t, nil)
		n, err := write(liburing.FD(f), ringtest.Pattern(1000, 1), 24)
		require.NoError(t, err)
		require.Equal(t, 1000, n)
		got := make([]byte, 1024)
		f.ReadAt(got, 0)
		require.Equal(t, append(make([]byte, 24), ringtest.Pattern(1000, 1)...), got)

		// A pipe takes a part at a time if it does not block for less than all.
		r, w := ringtest.Pipe(t)
		big := ringtest.Pattern(1<<20, 2)
		all := make(chan []byte)
		go func() {
			b := make([]byte, len(big))
			io.ReadFull(reader(r), b)
			all <- b
		}()
		n, err = write(w, big, liburing.CurrentPosition)
		require.NoError(t, err)
		require.Equal(t, len(big), n)
		require.Equal(t, digest(big).Sum(nil), digest(<-all).Sum(nil))
		_, err = write(-1, big, 0)
		require.ErrorIs(t, err, unix.EBADF)

		ringtest.CloseLoop(t, l)
		loopio.WriteAll(context.Background(), l, w, big, 0, func(_ int, why error) { err = why })
		require.ErrorIs(t, err, liburing.ErrClosed)
		loopio.WriteAll(context.Background(), l, w, big, 0, nil)
	})
}

// reader reads from a descriptor.
type reader int

func (r reader) Read(b []byte) (int, error) { return unix.Read(int(r), b) }
