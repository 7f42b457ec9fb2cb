//go:build linux

package ringio

import (
	"context"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// overOpeners are the engines that open FIFOs differently.
func overOpeners(t *testing.T, test func(t *testing.T, e *Engine)) {
	overEnginesAndFallback(t, test)
	t.Run("shut down", func(t *testing.T) {
		e := ownEngine(t, Options{})
		require.NoError(t, e.Shutdown(context.Background()))
		test(t, e)
	})
}

// asNobody runs f on a thread whose files are opened as nobody's.
func asNobody(t *testing.T, f func()) {
	if os.Geteuid() != 0 {
		t.Skip("only root can be somebody else")
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		unix.SetfsuidRetUid(65534)
		defer unix.SetfsuidRetUid(0)
		f()
	}()
	<-done
}

// everybodyMayLookInto lets others into a folder of the test's.
func everybodyMayLookInto(t *testing.T, dir string) {
	for ; dir != "/" && dir != os.TempDir(); dir = filepath.Dir(dir) {
		require.NoError(t, os.Chmod(dir, 0o755))
	}
}

// What a thread may not open it does not open by another thread either.
func TestOpenFIFOAsAnotherUser(t *testing.T) {
	overOpeners(t, func(t *testing.T, e *Engine) {
		dir := t.TempDir()
		everybodyMayLookInto(t, dir)
		name := filepath.Join(dir, "fifo")
		require.NoError(t, makeFIFO(name))
		other, err := os.OpenFile(name, os.O_RDWR, 0)
		require.NoError(t, err)
		defer other.Close()
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		asNobody(t, func() {
			for range 50 {
				for _, flag := range []int{os.O_RDONLY, os.O_WRONLY, os.O_RDWR} {
					f, err := e.OpenFileContext(ctx, name, flag, 0)
					if err == nil {
						f.Close()
					}
					if !os.IsPermission(err) {
						t.Error("it may not: ", err)
					}
				}
			}
		})
	})
}

// And what a thread may open it opens even if one that may not is the one to submit.
func TestOpenFIFOByAnothersThread(t *testing.T) {
	e := ownEngine(t, Options{})
	ring := e.rings[0]
	dir := t.TempDir()
	everybodyMayLookInto(t, dir)
	name := filepath.Join(dir, "fifo")
	require.NoError(t, makeFIFO(name))
	other, err := os.OpenFile(name, os.O_RDWR, 0)
	require.NoError(t, err)
	defer other.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for range 10 {
		found, err := unix.Open(name, unix.O_PATH|unix.O_CLOEXEC, 0)
		require.NoError(t, err)
		self := ring.registerSelf()
		require.NotZero(t, self)
		asNobody(t, func() {
			fd, err := ring.open(ctx, fdPath(found), unix.O_WRONLY, self)
			if err != nil {
				t.Error(err)
				return
			}
			unix.Close(fd)
		})
		ring.unregister(self)
		unix.Close(found)
	}
	begun := ring.registerSelf()
	ring.unregister(begun)
	require.Less(t, begun, uint16(50), "they are given back")
}

// What os says of a FIFO is said here.
func TestOpenFIFOAsOS(t *testing.T) {
	overOpeners(t, func(t *testing.T, e *Engine) {
		name := filepath.Join(t.TempDir(), "fifo")
		require.NoError(t, makeFIFO(name))
		link := name + "link"
		require.NoError(t, os.Symlink(name, link))
		other, err := os.OpenFile(name, os.O_RDWR, 0) // so that os does not wait
		require.NoError(t, err)
		defer other.Close()
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		for _, access := range []int{os.O_RDONLY, os.O_WRONLY, os.O_RDWR} {
			for _, flag := range []int{0, os.O_CREATE, os.O_CREATE | os.O_EXCL, os.O_TRUNC, unix.O_NOFOLLOW, unix.O_DIRECTORY} {
				for _, name := range []string{name, link} {
					std, want := os.OpenFile(name, access|flag, 0o600)
					f, got := e.OpenFileContext(ctx, name, access|flag, 0o600)
					require.Equal(t, want, got, "%s %#o", name, access|flag)
					if want == nil {
						require.Equal(t, std.Name(), f.Name())
						require.NoError(t, f.SetDeadline(time.Now().Add(time.Minute)), "it has deadlines")
						std.Close()
						f.Close()
					}
				}
			}
		}
	})
}

// Each end waits for the other, and gets what it says.
func TestOpenFIFOEndsMeet(t *testing.T) {
	overOpeners(t, func(t *testing.T, e *Engine) {
		name := filepath.Join(t.TempDir(), "fifo")
		require.NoError(t, makeFIFO(name))
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		for i, first := range []int{os.O_RDONLY, os.O_WRONLY} {
			var files [2]atomic.Pointer[File]
			var all sync.WaitGroup
			open := func(flag int) {
				all.Go(func() {
					f, err := e.OpenFileContext(ctx, name, flag, fs.FileMode(0))
					if err != nil {
						panic(err)
					}
					files[flag].Store(f)
				})
			}
			open(first)
			time.Sleep(10 * time.Millisecond)
			require.Nil(t, files[first].Load())
			open(1 - first)
			all.Wait()
			r, w := files[os.O_RDONLY].Load(), files[os.O_WRONLY].Load()
			_, err := w.Write([]byte{byte(i)})
			require.NoError(t, err)
			b := make([]byte, 2)
			n, err := r.Read(b)
			require.NoError(t, err)
			require.Equal(t, []byte{byte(i)}, b[:n])
			require.NoError(t, w.Close())
			_, err = r.Read(b)
			require.Error(t, err)
			require.NoError(t, r.Close())
		}
	})
}

// A writer that has closed the FIFO at once has been there: its bytes are read, and then
// there is no more.
func TestOpenFIFOOfAQuickWriter(t *testing.T) {
	overOpeners(t, func(t *testing.T, e *Engine) {
		name := filepath.Join(t.TempDir(), "fifo")
		require.NoError(t, makeFIFO(name))
		for i := range 100 {
			text := []byte("hello")[:i%2*5] // also one that writes nothing
			var writer sync.WaitGroup
			writer.Go(func() {
				w, err := os.OpenFile(name, os.O_WRONLY, 0)
				if err != nil {
					panic(err)
				}
				w.Write(text)
				w.Close()
			})
			if i%4 < 2 {
				time.Sleep(time.Millisecond) // it mostly waits already
			}
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
			f, err := e.OpenFileContext(ctx, name, os.O_RDONLY, 0)
			cancel()
			require.NoError(t, err)
			got, err := io.ReadAll(f)
			require.NoError(t, err)
			require.Equal(t, text, got)
			f.Close()
			writer.Wait()
		}
	})
}

// An open waits for somebody who writes, not for bytes: another's may be there. Without a ring
// there is no telling.
func TestOpenFIFOWithBytesButNoWriter(t *testing.T) {
	overRings(t, func(t *testing.T, e *Engine) {
		name := filepath.Join(t.TempDir(), "fifo")
		require.NoError(t, makeFIFO(name))
		other, err := os.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK, 0)
		require.NoError(t, err)
		defer other.Close()
		w, err := os.OpenFile(name, os.O_WRONLY, 0)
		require.NoError(t, err)
		_, err = w.Write([]byte("x"))
		require.NoError(t, err)
		require.NoError(t, w.Close())
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Millisecond)
		defer cancel()
		_, err = e.OpenFileContext(ctx, name, os.O_RDONLY, 0)
		require.ErrorIs(t, err, context.DeadlineExceeded)
	})
}

// Fd makes the descriptor one that waits, as os.File's does: others who are given it
// count on that.
func TestOpenFIFOFd(t *testing.T) {
	overOpeners(t, func(t *testing.T, e *Engine) {
		name := filepath.Join(t.TempDir(), "fifo")
		require.NoError(t, makeFIFO(name))
		other, err := os.OpenFile(name, os.O_RDWR, 0)
		require.NoError(t, err)
		defer other.Close()
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		flags := func(f interface{ Fd() uintptr }) int {
			flags, err := unix.FcntlInt(f.Fd(), unix.F_GETFL, 0)
			require.NoError(t, err)
			return flags
		}
		for _, flag := range []int{os.O_RDONLY, os.O_WRONLY, os.O_RDWR, os.O_RDWR | unix.O_NONBLOCK} {
			std, err := os.OpenFile(name, flag, 0)
			require.NoError(t, err)
			f, err := e.OpenFileContext(ctx, name, flag, 0)
			require.NoError(t, err)
			require.Equal(t, flags(std), flags(f), "%#o", flag)
			require.NoError(t, std.Close())
			require.NoError(t, f.Close())
			require.Equal(t, std.Fd(), f.Fd(), "closed")
		}
		require.Equal(t, (*os.File)(nil).Fd(), (*File)(nil).Fd())
	})
}
