//go:build linux

package loopio_test

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/go-liburing/liburing/loopio"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// What is behind a hold waits for it, and for those before it; what is before does not.
func TestWriterHold(t *testing.T) {
	overConduits(t, func(t *testing.T, l *liburing.Loop, fd int, peer io.ReadCloser) {
		w := loopio.NewWriter(l, fd, loopio.WriterOptions{})
		w.WriteString("a")
		first := w.Hold()
		w.WriteString("b")
		second := w.Hold()
		w.WriteNoCopy([]byte("c"), nil)
		ended := false
		w.Close(func(err error) { require.NoError(t, err); ended = true })
		second()
		ringtest.RunIdle(t, l)
		requireRead(t, peer, "a")
		require.Equal(t, 2, w.Buffered())
		require.False(t, ended)
		l.Post(func() { first(); first() })
		ringtest.RunIdle(t, l)
		requireRead(t, peer, "bc")
		require.True(t, ended)
		require.True(t, closed(fd))
		second()
		require.NotPanics(t, func() { w.Hold()() }, "there is nothing to hold")
		ringtest.RunIdle(t, l)
	})
}

func requireRead(t *testing.T, peer io.Reader, want string) {
	t.Helper()
	got := make([]byte, len(want))
	_, err := io.ReadFull(peer, got)
	require.NoError(t, err)
	require.Equal(t, want, string(got))
}

// What is held is dropped by Abort, and by the loop's Close, and all are told.
func TestWriterHoldEnds(t *testing.T) {
	for name, end := range map[string]func(t *testing.T, l *liburing.Loop, w *loopio.Writer){
		"Abort": func(t *testing.T, l *liburing.Loop, w *loopio.Writer) { w.Abort(nil); ringtest.RunIdle(t, l) },
		"Close": func(t *testing.T, l *liburing.Loop, w *loopio.Writer) {
			w.Close(nil)
			ringtest.RunIdle(t, l)
			ringtest.CloseLoop(t, l)
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := ringtest.NewLoop(t, 8)
			fd, peer := conduits["unix"](t)
			defer peer.Close()
			w := loopio.NewWriter(l, fd, loopio.WriterOptions{})
			release := w.Hold()
			var told []error
			w.WriteNoCopy([]byte("x"), func(err error) { told = append(told, err) })
			end(t, l, w)
			require.Len(t, told, 1)
			require.ErrorIs(t, told[0], map[string]error{"Abort": unix.ECANCELED, "Close": liburing.ErrClosed}[name])
			require.True(t, closed(fd))
			all, _ := io.ReadAll(peer)
			require.Empty(t, all)
			release()
		})
	}
}

// newLog returns a Writer for a new file.
func newLog(t *testing.T, l *liburing.Loop, options loopio.WriterOptions) (w *loopio.Writer, path string, fd int) {
	path = filepath.Join(t.TempDir(), "log")
	fd, err := unix.Open(path, unix.O_WRONLY|unix.O_CREAT|unix.O_APPEND|unix.O_CLOEXEC, 0o600)
	require.NoError(t, err)
	return loopio.NewWriter(l, fd, options), path, fd
}

// Who waits for a sync finds what was written before in the file; those who come in the
// same turn share one, and those who come while it is on its way the next. Close waits
// for all.
func TestWriterSync(t *testing.T) {
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		w, path, fd := newLog(t, l, loopio.WriterOptions{})
		var want strings.Builder
		told, ended := 0, false
		write := func(i int) {
			fmt.Fprintf(&want, "%d\n", i)
			fmt.Fprintf(w, "%d\n", i)
			sofar := want.String()
			w.Sync(func(err error) {
				require.NoError(t, err)
				require.False(t, ended)
				require.Equal(t, i, told, "in order")
				told++
				got, err := os.ReadFile(path)
				require.NoError(t, err)
				require.True(t, strings.HasPrefix(string(got), sofar))
			})
		}
		before := l.Stats().Submitted
		for i := range 100 {
			write(i)
		}
		ringtest.RunIdle(t, l)
		require.Equal(t, 100, told)
		require.LessOrEqual(t, l.Stats().Submitted-before, uint64(4), "a write, a sync, and the loop's own")
		for i := 100; i < 200; i++ {
			l.Nop(func(liburing.Completion) { write(i) })
		}
		l.Nop(func(liburing.Completion) {
			w.Sync(nil)
			w.Close(func(err error) { require.NoError(t, err); ended = true })
		})
		ringtest.RunIdle(t, l)
		require.Equal(t, 200, told)
		require.True(t, ended)
		require.True(t, closed(fd))
	})
}

// A sync that can't be is the Writer's error; all who wait are told, also if one of their
// functions panics.
func TestWriterSyncFails(t *testing.T) {
	l := ringtest.NewLoop(t, 8)
	_, fd := ringtest.Pipe(t)
	var failed error
	w := loopio.NewWriter(l, fd, loopio.WriterOptions{Failed: func(err error) { failed = err }})
	w.WriteString("x")
	var told []error
	for i := range 3 {
		w.Sync(func(err error) {
			told = append(told, err)
			if i == 1 {
				panic("told")
			}
		})
	}
	require.Panics(t, func() { ringtest.RunIdle(t, l) })
	ringtest.RunIdle(t, l)
	w.Sync(func(err error) { told = append(told, err) })
	ringtest.RunIdle(t, l)
	require.Len(t, told, 4)
	for _, err := range append(told, failed, w.Err()) {
		require.ErrorIs(t, err, unix.EINVAL)
	}
}

// The loop's Close, and Abort, tell those who wait for a sync that has not been.
func TestWriterSyncEnds(t *testing.T) {
	for name, end := range map[string]func(l *liburing.Loop, w *loopio.Writer){
		"Abort": func(l *liburing.Loop, w *loopio.Writer) { w.Abort(nil); ringtest.RunIdle(t, l) },
		"Close": func(l *liburing.Loop, w *loopio.Writer) { ringtest.CloseLoop(t, l) },
	} {
		t.Run(name, func(t *testing.T) {
			l := ringtest.NewLoop(t, 8)
			w, _, fd := newLog(t, l, loopio.WriterOptions{})
			defer unix.Close(fd)
			w.WriteString("x")
			var told []error
			for range 2 {
				w.Sync(func(err error) { told = append(told, err) })
			}
			end(l, w)
			require.Len(t, told, 2)
			for _, err := range told {
				require.Error(t, err)
			}
		})
	}
}
