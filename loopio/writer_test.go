//go:build linux

package loopio_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"testing"
	"time"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/go-liburing/liburing/loopio"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// conduits are what a Writer can write to: an end for it, which it closes, and one to
// read from.
var conduits = map[string]func(t *testing.T) (fd int, peer io.ReadCloser){
	"unix": func(t *testing.T) (int, io.ReadCloser) {
		fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		require.NoError(t, err)
		return fds[0], os.NewFile(uintptr(fds[1]), "peer")
	},
	"tcp": func(t *testing.T) (int, io.ReadCloser) { return tcpPair(t) },
	"pipe": func(t *testing.T) (int, io.ReadCloser) {
		r, w, err := os.Pipe()
		require.NoError(t, err)
		fd, err := unix.FcntlInt(uintptr(liburing.FD(w)), unix.F_DUPFD_CLOEXEC, 0)
		require.NoError(t, err)
		require.NoError(t, w.Close())
		return fd, r
	},
}

// tcpPair returns the descriptor of a connection's one end, and the other.
func tcpPair(t *testing.T) (fd int, peer *net.TCPConn) {
	listener, local, err := loopio.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer unix.Close(listener)
	conn, err := net.Dial("tcp", local.String())
	require.NoError(t, err)
	fd, _, err = unix.Accept4(listener, unix.SOCK_CLOEXEC)
	require.NoError(t, err)
	return fd, conn.(*net.TCPConn)
}

// overConduits runs a test on each kind of conduit, and each kind of loop.
func overConduits(t *testing.T, test func(t *testing.T, l *liburing.Loop, fd int, peer io.ReadCloser)) {
	for name, conduit := range conduits {
		t.Run(name, func(t *testing.T) {
			ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
				fd, peer := conduit(t)
				defer peer.Close()
				test(t, l, fd, peer)
			})
		})
	}
}

// closed reports whether a descriptor is.
func closed(fd int) bool {
	_, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
	return err == unix.EBADF
}

// collector reads everything, slowly at first, and tells what there was.
func collector(peer io.Reader, pause time.Duration) <-chan []byte {
	all := make(chan []byte, 1)
	go func() {
		var b bytes.Buffer
		part := make([]byte, 5000)
		for i := 0; ; i++ {
			if i < 20 {
				time.Sleep(pause)
			}
			n, err := peer.Read(part)
			b.Write(part[:n])
			if err != nil {
				break
			}
		}
		all <- b.Bytes()
	}()
	return all
}

// What is written by whatever method, of any size, more than the kernel has room for,
// comes out whole and in order.
func TestWriterOrder(t *testing.T) {
	overConduits(t, func(t *testing.T, l *liburing.Loop, fd int, peer io.ReadCloser) {
		got := collector(peer, 100*time.Microsecond)
		sum, n, owned := sha256.New(), 0, 0
		rnd := rand.New(rand.NewPCG(1, 2))
		var w *loopio.Writer
		var more func()
		w = loopio.NewWriter(l, fd, loopio.WriterOptions{
			Limit: 200_000, ZeroCopy: 20_000,
			Drained: func() { more() },
			Failed:  func(err error) { require.NoError(t, err) },
		})
		const total = 4 << 20
		done := false
		more = func() {
			for n < total {
				b := ringtest.Pattern(rnd.IntN(1<<rnd.IntN(17)), byte(n))
				var err error
				if rnd.IntN(2) == 0 {
					owned++
					err = w.WriteNoCopy(b, func(err error) {
						require.NoError(t, err)
						owned--
						clear(b) // the kernel is done with it
					})
					if err != nil {
						owned--
					}
				} else {
					_, err = w.Write(b)
				}
				if errors.Is(err, loopio.ErrWriterFull) {
					require.GreaterOrEqual(t, w.Buffered(), 200_000)
					return
				}
				require.NoError(t, err)
				sum.Write(ringtest.Pattern(len(b), byte(n)))
				n += len(b)
			}
			w.Close(func(err error) {
				require.NoError(t, err)
				done = true
			})
		}
		more()
		ringtest.RunIdle(t, l)
		require.True(t, done)
		require.Zero(t, owned, "each is told of")
		require.Zero(t, w.Buffered())
		all := <-got
		require.Len(t, all, n)
		require.Equal(t, sum.Sum(nil), digest(all).Sum(nil))
		require.True(t, closed(fd))
	})
}

func digest(b []byte) hash.Hash {
	h := sha256.New()
	h.Write(b)
	return h
}

// What one turn writes goes in one send.
func TestWriterCoalesces(t *testing.T) {
	overConduits(t, func(t *testing.T, l *liburing.Loop, fd int, peer io.ReadCloser) {
		w := loopio.NewWriter(l, fd, loopio.WriterOptions{})
		w.WriteString("first, ")
		ringtest.RunIdle(t, l)
		sends := l.Stats().Submitted
		for range 100 {
			fmt.Fprint(w, "one, ")
			w.WriteNoCopy([]byte("two, "), nil)
		}
		require.Equal(t, 1000, w.Buffered())
		ringtest.RunIdle(t, l)
		require.Zero(t, w.Buffered())
		require.LessOrEqual(t, l.Stats().Submitted-sends, uint64(4+2), "64 buffers a send; the read of the waker")
		w.Close(nil)
		ringtest.RunIdle(t, l)
		all, err := io.ReadAll(peer)
		require.NoError(t, err)
		require.Equal(t, "first, "+string(bytes.Repeat([]byte("one, two, "), 100)), string(all))
	})
}

// A peer that does not read: Write refuses more, and Drained tells when it reads.
func TestWriterFull(t *testing.T) {
	overConduits(t, func(t *testing.T, l *liburing.Loop, fd int, peer io.ReadCloser) {
		drained := 0
		w := loopio.NewWriter(l, fd, loopio.WriterOptions{Limit: 1000, Drained: func() { drained++ }})
		big := ringtest.Pattern(8<<20, 1) // more than the kernel takes
		n, err := w.Write(big)
		require.NoError(t, err, "what is taken is taken whole")
		require.Equal(t, len(big), n)
		ringtest.RunFor(t, l, 5*time.Millisecond)
		n, err = w.Write([]byte("x"))
		require.ErrorIs(t, err, loopio.ErrWriterFull)
		require.Zero(t, n)
		require.ErrorIs(t, w.WriteNoCopy([]byte("x"), func(error) { t.Error("it was not taken") }), loopio.ErrWriterFull)
		require.Zero(t, drained)
		require.NoError(t, w.Err())

		got := collector(peer, 0)
		ringtest.RunIdle(t, l)
		require.Equal(t, 1, drained)
		_, err = w.Write([]byte("more"))
		require.NoError(t, err)
		w.Close(nil)
		ringtest.RunIdle(t, l)
		require.True(t, bytes.Equal(append(big, "more"...), <-got))
	})
}

// A peer that goes away: the first error is told once, what waits is let go, and
// Close still closes.
func TestWriterFails(t *testing.T) {
	overConduits(t, func(t *testing.T, l *liburing.Loop, fd int, peer io.ReadCloser) {
		var told []error
		var owned []error
		w := loopio.NewWriter(l, fd, loopio.WriterOptions{Limit: 16 << 20, Failed: func(err error) { told = append(told, err) }})
		_, err := w.Write(ringtest.Pattern(8<<20, 1))
		require.NoError(t, err)
		require.NoError(t, w.WriteNoCopy([]byte("lost"), func(err error) { owned = append(owned, err) }))
		ringtest.RunFor(t, l, 2*time.Millisecond)
		require.NoError(t, peer.Close())
		ringtest.RunIdle(t, l)
		require.Len(t, told, 1)
		require.True(t, errors.Is(told[0], unix.EPIPE) || errors.Is(told[0], unix.ECONNRESET), "%v", told[0])
		require.Equal(t, told, owned)
		require.Equal(t, told[0], w.Err())
		require.Zero(t, w.Buffered())
		_, err = w.Write([]byte("x"))
		require.Equal(t, told[0], err)
		require.False(t, closed(fd))
		w.CloseWrite(func(err error) { owned = append(owned, err) })
		w.Close(func(err error) { owned = append(owned, err) })
		ringtest.RunIdle(t, l)
		require.True(t, closed(fd))
		require.Len(t, owned, 3)
		require.Equal(t, told[0], owned[2])
		w.Close(func(err error) { owned = append(owned, err) })
		ringtest.RunIdle(t, l)
		require.Len(t, owned, 4, "who closes again is told too")
	})
}

// Close waits for what is on its way; Abort does not.
func TestWriterCloseInFlight(t *testing.T) {
	overConduits(t, func(t *testing.T, l *liburing.Loop, fd int, peer io.ReadCloser) {
		w := loopio.NewWriter(l, fd, loopio.WriterOptions{})
		_, err := w.Write(ringtest.Pattern(8<<20, 1))
		require.NoError(t, err)
		var told []error
		end := func(err error) { told = append(told, err) }
		w.Close(end)
		_, err = w.Write([]byte("x"))
		require.ErrorIs(t, err, liburing.ErrClosed)
		ringtest.RunFor(t, l, 5*time.Millisecond)
		require.Empty(t, told)
		require.False(t, closed(fd))
		w.Abort(end)
		ringtest.RunIdle(t, l)
		require.True(t, closed(fd))
		require.Len(t, told, 2)
		require.ErrorIs(t, told[0], unix.ECANCELED)
		require.ErrorIs(t, told[1], unix.ECANCELED)
		io.Copy(io.Discard, peer) // it ends
	})
}

// The loop is closed while Writers have much to send: the functions that wait are
// called, and descriptors closed where that was asked for.
func TestWriterWhenTheLoopIsClosed(t *testing.T) {
	overConduits(t, func(t *testing.T, l *liburing.Loop, fd int, peer io.ReadCloser) {
		told := 0
		owned := 0
		w := loopio.NewWriter(l, fd, loopio.WriterOptions{Limit: 16 << 20, Failed: func(error) { told++ }})
		_, err := w.Write(ringtest.Pattern(8<<20, 1))
		require.NoError(t, err)
		require.NoError(t, w.WriteNoCopy(ringtest.Pattern(100, 1), func(err error) {
			require.Error(t, err)
			owned++
		}))
		ringtest.RunFor(t, l, 2*time.Millisecond)
		w.Close(func(err error) {
			require.Error(t, err)
			told++
		})
		ringtest.CloseLoop(t, l)
		require.Equal(t, 2, told)
		require.Equal(t, 1, owned)
		require.True(t, closed(fd))
		_, err = w.Write([]byte("x"))
		require.Error(t, err)
	})
}

// What is written and never run, and what comes after the loop's end.
func TestWriterOfALoopThatNeverRan(t *testing.T) {
	l := ringtest.NewLoop(t, 8)
	a, b := ringtest.SocketPair(t)
	dup, err := unix.Dup(a)
	require.NoError(t, err)
	other, err := unix.Dup(b)
	require.NoError(t, err)
	first, second := loopio.NewWriter(l, dup, loopio.WriterOptions{}), loopio.NewWriter(l, other, loopio.WriterOptions{})
	var told []error
	require.NoError(t, first.WriteNoCopy([]byte("x"), func(err error) { told = append(told, err) }))
	first.Close(func(err error) { told = append(told, err) })
	ringtest.CloseLoop(t, l)
	require.Len(t, told, 2)
	require.ErrorIs(t, told[0], liburing.ErrClosed)
	require.ErrorIs(t, told[1], liburing.ErrClosed)
	require.True(t, closed(dup))

	_, err = second.Write([]byte("x"))
	require.ErrorIs(t, err, liburing.ErrClosed)
	second.Close(func(err error) { told = append(told, err) })
	require.Len(t, told, 3)
	require.True(t, closed(other))
}

// The peer learns of the end while it may still be listened to.
func TestWriterCloseWrite(t *testing.T) {
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		fd, peer := tcpPair(t)
		defer peer.Close()
		heard := make(chan error, 1)
		go func() {
			all, err := io.ReadAll(peer)
			if err == nil && string(all) != "a question" {
				err = fmt.Errorf("it said %q", all)
			}
			peer.Write([]byte("an answer"))
			peer.Close()
			heard <- err
		}()
		w := loopio.NewWriter(l, fd, loopio.WriterOptions{})
		w.WriteString("a question")
		answer := make([]byte, 100)
		n := 0
		w.CloseWrite(func(err error) {
			require.NoError(t, err)
			l.Recv(fd, answer, unix.MSG_WAITALL, func(c liburing.Completion) {
				n = int(c.Res)
				w.Close(nil)
			})
		})
		ringtest.RunIdle(t, l)
		require.NoError(t, <-heard)
		require.Equal(t, "an answer", string(answer[:n]))
		require.True(t, closed(fd))
	})
}

// Close ends a receive that is in flight.
func TestWriterCloseHangsUp(t *testing.T) {
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		fd, peer := tcpPair(t)
		defer peer.Close()
		w := loopio.NewWriter(l, fd, loopio.WriterOptions{})
		ended := false
		l.Recv(fd, make([]byte, 1), 0, func(c liburing.Completion) { ended = c.Res == 0 })
		w.WriteString("bye")
		w.Close(nil)
		ringtest.RunIdle(t, l)
		require.True(t, ended)
		all, err := io.ReadAll(peer)
		require.NoError(t, err)
		require.Equal(t, "bye", string(all))
	})
}

// A registered file has no descriptor, and is closed by emptying its place.
func TestWriterOfAFixedFile(t *testing.T) {
	l := ringtest.NewLoop(t, 8)
	ringtest.SparseFiles(t, l, 8)
	a, b := ringtest.SocketPair(t)
	require.NoError(t, l.Control(func(r *liburing.Ring) error {
		_, err := r.RegisterFilesUpdate(3, []int{a})
		return err
	}))
	w := loopio.NewWriter(l, liburing.Fixed(3).FD(), loopio.WriterOptions{})
	w.WriteString("hello")
	w.Close(func(err error) { require.NoError(t, err) })
	ringtest.RunIdle(t, l)
	got := make([]byte, 10)
	n, err := unix.Read(b, got)
	require.NoError(t, err)
	require.Equal(t, "hello", string(got[:n]))
	l.Read(liburing.Fixed(3).FD(), nil, 0, func(c liburing.Completion) { require.ErrorIs(t, c.Err(), unix.EBADF) })
	ringtest.RunIdle(t, l)
}

// A function of a Writer's user that panics ends Run; the others are served by the
// next.
func TestWriterPanic(t *testing.T) {
	l := ringtest.NewLoop(t, 8)
	a, b := ringtest.SocketPair(t)
	one, two := loopio.NewWriter(l, a, loopio.WriterOptions{}), loopio.NewWriter(l, b, loopio.WriterOptions{})
	one.CloseWrite(nil)
	ringtest.RunIdle(t, l)
	one.CloseWrite(func(error) { panic("no") }) // called as soon as the loop looks
	two.WriteString("hello")
	require.Panics(t, func() { l.RunUntilIdle(context.Background()) })
	ringtest.RunIdle(t, l)
	got := make([]byte, 10)
	n, _ := unix.Read(a, got)
	require.Equal(t, "hello", string(got[:n]))
}

// runPanics runs a loop until it is idle, n panics later.
func runPanics(t *testing.T, l *liburing.Loop, n int) {
	for range n {
		require.Panics(t, func() { l.RunUntilIdle(context.Background()) })
	}
	ringtest.RunIdle(t, l)
}

// Whatever function of a Writer's user panics, the others are called.
func TestWriterPanicKeepsNothingBack(t *testing.T) {
	told := 0
	tell := func(error) { told++; panic("no") }
	t.Run("Drained", func(t *testing.T) {
		l, told := ringtest.NewLoop(t, 8), false
		a, _ := ringtest.SocketPair(t)
		w := loopio.NewWriter(l, a, loopio.WriterOptions{Limit: 1, Drained: func() { panic("no") }})
		require.NoError(t, w.WriteNoCopy([]byte("hello"), func(err error) { told = err == nil }))
		runPanics(t, l, 1)
		require.True(t, told)
	})
	t.Run("Failed", func(t *testing.T) {
		l := ringtest.NewLoop(t, 8)
		told = 0
		failed := false
		w := loopio.NewWriter(l, -1, loopio.WriterOptions{Failed: func(error) { failed = true; panic("no") }})
		for range 100 { // more than go in one send
			require.NoError(t, w.WriteNoCopy([]byte("hello"), tell))
		}
		runPanics(t, l, 1)
		require.Equal(t, 100, told)
		require.True(t, failed)
	})
	t.Run("Abort", func(t *testing.T) {
		l := ringtest.NewLoop(t, 8)
		told = 0
		w := loopio.NewWriter(l, -1, loopio.WriterOptions{})
		for range 3 {
			require.NoError(t, w.WriteNoCopy([]byte("hello"), tell))
		}
		require.Panics(t, func() { w.Abort(nil) })
		require.Equal(t, 3, told)
		ringtest.RunIdle(t, l)
	})
	t.Run("CloseWrite", func(t *testing.T) {
		l := ringtest.NewLoop(t, 8)
		told = 0
		fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		require.NoError(t, err)
		defer unix.Close(fds[1])
		w := loopio.NewWriter(l, fds[0], loopio.WriterOptions{})
		w.CloseWrite(func(err error) { w.Close(tell); tell(err) })
		w.CloseWrite(tell)
		runPanics(t, l, 3)
		require.Equal(t, 3, told)
		require.True(t, closed(fds[0]))
	})
}

// A panic does not keep Close from ending all Writers.
func TestWriterPanicInClose(t *testing.T) {
	l, err := liburing.NewLoop(8)
	require.NoError(t, err)
	told := 0
	var fds []int
	for range 5 {
		pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		require.NoError(t, err)
		defer unix.Close(pair[1])
		fds = append(fds, pair[0])
		w := loopio.NewWriter(l, pair[0], loopio.WriterOptions{})
		for range 2 {
			w.Close(func(error) { told++; panic("no") })
		}
	}
	var panicked *liburing.CallbackPanic
	require.ErrorAs(t, l.Close(context.Background()), &panicked)
	require.Equal(t, 10, told)
	for _, fd := range fds {
		require.True(t, closed(fd))
	}
}

func TestNothingIsAllocatedForWriters(t *testing.T) {
	for _, options := range []loopio.WriterOptions{{}, {ZeroCopy: 100}} {
		l := ringtest.NewLoop(t, 8)
		fd, peer := tcpPair(t)
		defer peer.Close()
		go io.Copy(io.Discard, peer)
		w := loopio.NewWriter(l, fd, options)
		text, left := ringtest.Pattern(100, 1), 0
		var again func()
		told := func(error) { again() }
		again = func() {
			if left--; left < 0 {
				return
			}
			w.Write(text)
			w.WriteNoCopy(text, told)
			w.Write(text)
		}
		rounds := func(n int) {
			left = n
			again()
			ringtest.RunIdle(t, l)
		}
		rounds(100)
		require.Less(t, ringtest.Mallocs(func() { rounds(1000) }), 100)
		unix.Close(fd)
	}
}

// A terminal that does not block is waited for when it is full: older kernels answer
// EAGAIN.
func TestWriterOfATerminal(t *testing.T) {
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip(err)
	}
	defer master.Close()
	require.NoError(t, unix.IoctlSetPointerInt(liburing.FD(master), unix.TIOCSPTLCK, 0))
	number, err := unix.IoctlGetInt(liburing.FD(master), unix.TIOCGPTN)
	require.NoError(t, err)
	fd, err := unix.Open(fmt.Sprintf("/dev/pts/%d", number), unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	require.NoError(t, err)
	text := bytes.Repeat([]byte("0123456789abcdef"), 8<<10)
	heard := make(chan []byte, 1)
	go func() {
		all := make([]byte, len(text))
		time.Sleep(time.Millisecond)
		io.ReadFull(master, all)
		heard <- all
	}()
	l := ringtest.NewLoop(t, 8)
	w := loopio.NewWriter(l, fd, loopio.WriterOptions{})
	w.Write(text)
	w.Close(func(err error) { require.NoError(t, err) })
	ringtest.RunIdle(t, l)
	require.True(t, bytes.Equal(text, <-heard))
	require.True(t, closed(fd))
}

// A pipe is closed without a worker thread, which might hold on to it while the loop
// stands still.
func TestWriterClosesPipesAlone(t *testing.T) {
	l := ringtest.NewLoop(t, 8)
	fd, peer := conduits["pipe"](t)
	defer peer.Close()
	w := loopio.NewWriter(l, fd, loopio.WriterOptions{})
	_, err := w.Write([]byte("x"))
	require.NoError(t, err)
	w.Close(nil)
	before := l.Stats().Completed
	ringtest.RunIdle(t, l)
	require.EqualValues(t, 2, l.Stats().Completed-before, "a write and a close")
	got, err := io.ReadAll(peer)
	require.NoError(t, err)
	require.Equal(t, "x", string(got))
}
