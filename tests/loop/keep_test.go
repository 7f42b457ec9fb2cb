//go:build linux

package loop_test

import (
	"net"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// collect has the collector find what nothing refers to, and its cleanups run.
func collect() {
	for range 3 {
		runtime.GC()
		time.Sleep(time.Millisecond)
	}
}

// A file that only its queued requests know of stays open, also where they wait
// behind a link, and is let go when they have completed.
func TestKeep(t *testing.T) {
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		name := filepath.Join(t.TempDir(), "journal")
		from, to := ringtest.Pipe(t)
		closed := make(chan bool)
		func() {
			file, err := os.Create(name)
			require.NoError(t, err)
			runtime.AddCleanup(file, func(closed chan bool) { close(closed) }, closed)
			l.Read(from, make([]byte, 1), 0, nil).LinkNext()
			l.Write(liburing.FD(file), []byte("for the journal"), 0, func(c liburing.Completion) { require.NoError(t, c.Err()) }).Keep(file)
		}()
		ringtest.RunFor(t, l, time.Millisecond)
		collect()
		other, err := os.Create(name + ".other")
		require.NoError(t, err)
		defer other.Close()
		unix.Write(to, []byte("!"))
		ringtest.RunIdle(t, l)
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		require.Equal(t, "for the journal", string(text))
		for end := time.Now().Add(10 * time.Second); ; collect() {
			select {
			case <-closed:
				return
			default:
				require.True(t, time.Now().Before(end), "it is kept for ever")
			}
		}
	})
}

// It is kept beside what a request has of its own, in any number, and costs nothing
// from the second time on.
func TestKeepOfEachKind(t *testing.T) {
	l := ringtest.NewLoop(t, 8)
	f := ringtest.TempFile(t, ringtest.Pattern(8, 1))
	bufs := [][]byte{make([]byte, 4), make([]byte, 4)}
	fd := liburing.FD(f)
	turn := func(keep ...any) {
		all := []liburing.Request{l.Readv(fd, bufs, 0, nil), l.Read(fd, bufs[0], 0, nil), l.Nop(nil)}
		for _, x := range keep {
			for _, r := range all {
				r.Keep(x)
			}
		}
		ringtest.RunIdle(t, l)
	}
	turn(f, t)
	require.Equal(t, ringtest.Pattern(8, 1), append(bufs[0], bufs[1]...))
	require.Zero(t, ringtest.BooksOf(l).Asides)
	cost := func(keep ...any) int {
		return ringtest.Mallocs(func() {
			for range 200 {
				turn(keep...)
			}
		})
	}
	require.Less(t, cost(f, t), cost()+100)

	done := l.Nop(nil)
	ringtest.RunIdle(t, l)
	done.Keep(f)               // too late
	liburing.Request{}.Keep(f) // none
	require.Zero(t, ringtest.BooksOf(l).Asides)
}

func TestFDLeavesTheFileAsItIs(t *testing.T) {
	nonblocking := func(fd int) bool {
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
		require.NoError(t, err)
		return flags&unix.O_NONBLOCK != 0
	}
	r, w, err := os.Pipe()
	require.NoError(t, err)
	defer w.Close()
	require.True(t, nonblocking(liburing.FD(r)))
	require.NoError(t, r.SetReadDeadline(time.Now()), "the runtime still knows it")
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	require.True(t, nonblocking(liburing.FD(listener.(*net.TCPListener))))

	r.Close()
	require.Equal(t, -1, liburing.FD(r))
	require.Equal(t, -1, liburing.FD(nil))
	require.Equal(t, -1, liburing.FD((*os.File)(nil)))
	l := ringtest.NewLoop(t, 8)
	l.Read(liburing.FD(r), make([]byte, 1), 0, func(c liburing.Completion) { require.ErrorIs(t, c.Err(), unix.EBADF) })
	ringtest.RunIdle(t, l)
}

// A request waits for what a non-blocking file lacks.
func TestNonBlockingFilesAreWaitedFor(t *testing.T) {
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		r, w, err := os.Pipe()
		require.NoError(t, err)
		defer r.Close()
		defer w.Close()
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		defer listener.Close()
		event, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
		require.NoError(t, err)
		defer unix.Close(event)

		told := 0
		ok := func(c liburing.Completion) {
			told++
			require.NoError(t, c.Err())
			if c.Op() == liburing.OpAccept {
				unix.Close(int(c.Res))
			}
		}
		l.Read(liburing.FD(r), make([]byte, 1), 0, ok).Keep(r)
		l.Read(event, make([]byte, 8), 0, ok)
		l.Accept(liburing.FD(listener.(*net.TCPListener)), nil, unix.SOCK_CLOEXEC, ok).Keep(listener)
		ringtest.RunFor(t, l, 5*time.Millisecond)
		require.Zero(t, told)
		w.Write([]byte("x"))
		unix.Write(event, []byte{1, 0, 0, 0, 0, 0, 0, 1})
		conn, err := net.Dial("tcp", listener.Addr().String())
		require.NoError(t, err)
		defer conn.Close()
		ringtest.RunIdle(t, l)
		require.Equal(t, 3, told)
	})
}
