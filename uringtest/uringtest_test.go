//go:build linux

package uringtest_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/go-liburing/liburing/loopio"
	"github.com/go-liburing/liburing/uringtest"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) { ringtest.Main(m) }

// newKernel skips the test in builds whose rings are liburing's.
func newKernel(t *testing.T, seed uint64, faults uringtest.Faults) *uringtest.Kernel {
	t.Helper()
	k, err := uringtest.New(seed, faults)
	if err != nil {
		require.ErrorIs(t, err, liburing.ErrNotSupported)
		require.ErrorContains(t, err, "-tags liburing_go")
		t.Skip(err)
	}
	require.Equal(t, seed, k.Seed())
	return k
}

func newLoop(t *testing.T, k *uringtest.Kernel) *liburing.Loop {
	t.Helper()
	return ringtest.NewLoop(t, 8, k.Option())
}

// A program that bears what kernels do has its bytes, whatever this one does.
func TestBytesAreRight(t *testing.T) {
	for seed := range uint64(20) {
		l := newLoop(t, newKernel(t, seed, uringtest.AllFaults))
		a, b := ringtest.SocketPair(t)
		sent, got := ringtest.Pattern(10_000, byte(seed)), make([]byte, 10_000)
		loopio.WriteAll(t.Context(), l, a, sent, 0, func(_ int, err error) { require.NoError(t, err) })
		loopio.ReadFull(t.Context(), l, b, got, 0, func(_ int, err error) { require.NoError(t, err) })
		ringtest.RunIdle(t, l)
		require.True(t, bytes.Equal(sent, got), "seed %d", seed)
	}
}

// work is a program of which all is decided by the kernel: it does nothing elsewhere.
func work(t *testing.T, k *uringtest.Kernel) {
	t.Helper()
	l := newLoop(t, k)
	f := ringtest.TempFile(t, ringtest.Pattern(4096, 1))
	for range 5 {
		rd, wr := ringtest.Pipe(t)
		loopio.WriteAll(context.Background(), l, wr, make([]byte, 500), 0, nil)
		loopio.ReadFull(context.Background(), l, rd, make([]byte, 500), 0, nil)
		l.Read(int(f.Fd()), make([]byte, 1000), 0, nil).LinkNext()
		waits := l.PollAdd(rd, unix.POLLPRI, nil).Token()
		l.Read(int(f.Fd()), make([]byte, 100), 0, func(liburing.Completion) { l.Cancel(waits, 0, nil) })
	}
	ringtest.RunIdle(t, l)
}

// A seed replays what it did, and another does something else.
func TestSameSeedSameEvents(t *testing.T) {
	events := func(seed uint64) []uringtest.Event {
		k := newKernel(t, seed, uringtest.AllFaults)
		work(t, k)
		return k.Events()
	}
	first := events(7)
	require.Equal(t, first, events(7))
	require.NotEqual(t, first, events(8))
}

// often makes attempts until one shows what it is to show.
func often(t *testing.T, faults uringtest.Faults, attempt func(l *liburing.Loop) bool) {
	t.Helper()
	for seed := range uint64(100) {
		if attempt(newLoop(t, newKernel(t, seed, faults))) {
			return
		}
	}
	require.Fail(t, "it never happens")
}

func TestShort(t *testing.T) {
	often(t, uringtest.Faults{Short: 0.5}, func(l *liburing.Loop) bool {
		f := ringtest.TempFile(t, ringtest.Pattern(100, 1))
		buf := make([]byte, 100)
		n := ringtest.One(t, l, func(cb liburing.Callback) liburing.Request { return l.Read(int(f.Fd()), buf, 0, cb) })
		require.Positive(t, n)
		require.Equal(t, ringtest.Pattern(100, 1)[:n], buf[:n])
		require.Equal(t, make([]byte, 100-n), buf[n:])
		return n < 100
	})
}

// Datagrams are whole.
func TestNeverShort(t *testing.T) {
	l := newLoop(t, newKernel(t, 1, uringtest.Faults{Short: 1}))
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM, 0)
	require.NoError(t, err)
	defer unix.Close(fds[0])
	defer unix.Close(fds[1])
	require.Equal(t, 50, ringtest.One(t, l, func(cb liburing.Callback) liburing.Request { return l.Send(fds[0], make([]byte, 50), 0, cb) }))
	require.Equal(t, 50, ringtest.One(t, l, func(cb liburing.Callback) liburing.Request { return l.Recv(fds[1], make([]byte, 90), 0, cb) }))
}

// A request that is cancelled completes after the cancel, and one that is about to
// succeed does.
func TestLateAfterCancel(t *testing.T) {
	for _, want := range []int32{0, -int32(unix.EALREADY)} {
		often(t, uringtest.Faults{Late: 0.7}, func(l *liburing.Loop) bool {
			rd, wr := ringtest.Pipe(t)
			unix.Write(wr, []byte("x"))
			var order []string
			var found, read int32
			token := l.Read(rd, make([]byte, 1), 0, func(c liburing.Completion) { read = c.Res; order = append(order, "read") }).Token()
			l.Cancel(token, 0, func(c liburing.Completion) { found = c.Res; order = append(order, "cancel") })
			ringtest.RunIdle(t, l)
			if found == -int32(unix.EALREADY) {
				require.EqualValues(t, 1, read)
			}
			return found == want && order[0] == "cancel"
		})
	}
}

func TestReorder(t *testing.T) {
	often(t, uringtest.Faults{Reorder: 1}, func(l *liburing.Loop) bool {
		f := ringtest.TempFile(t, ringtest.Pattern(100, 1))
		var order []int
		for i := range 4 {
			l.Read(int(f.Fd()), make([]byte, 1), 0, func(liburing.Completion) { order = append(order, i) })
		}
		ringtest.RunIdle(t, l)
		require.ElementsMatch(t, []int{0, 1, 2, 3}, order)
		return order[0] == 3
	})
}

func TestNoBuffers(t *testing.T) {
	often(t, uringtest.Faults{NoBuffers: 0.5}, func(l *liburing.Loop) bool {
		g := ringtest.NewGroup(t, l, 4, 16, 0)
		rd, wr := ringtest.Pipe(t)
		unix.Write(wr, []byte("abcd"))
		var err error
		l.Read(rd, nil, 0, func(c liburing.Completion) {
			if err = c.Err(); err == nil {
				require.Equal(t, "abcd", string(c.Buffer()))
			}
		}).Buffers(g)
		ringtest.RunIdle(t, l)
		ringtest.AllBack(t, g)
		return errors.Is(err, unix.ENOBUFS)
	})
}

func TestEndMultishot(t *testing.T) {
	often(t, uringtest.Faults{EndMultishot: 0.5}, func(l *liburing.Loop) bool {
		g := ringtest.NewGroup(t, l, 4, 16, 0)
		a, b := ringtest.SocketPair(t)
		unix.Write(a, []byte("abcd"))
		ended := false
		l.RecvMultishot(b, nil, 0, func(c liburing.Completion) { ended = c.Res == 4 && !c.More() }).Buffers(g)
		ringtest.RunFor(t, l, time.Millisecond)
		return ended
	})
}

// Nothing is lost in a queue that overflows, and a loop bears what its system calls say.
func TestOverflowInterruptedRefused(t *testing.T) {
	l := newLoop(t, newKernel(t, 1, uringtest.Faults{Overflow: 0.3, Interrupted: 0.3, Refused: 0.3}))
	n := 0
	for range 100 {
		l.Nop(func(c liburing.Completion) { n++ })
	}
	fired := false
	l.After(10*time.Millisecond, func() { fired = true })
	ringtest.RunIdle(t, l)
	require.Equal(t, 100, n)
	require.True(t, fired)
	require.Positive(t, l.Stats().Overflows)
}

// A Ring is one of the kernel's too, and sees what it says.
func TestRing(t *testing.T) {
	k := newKernel(t, 1, uringtest.Faults{Refused: 0.5})
	r := ringtest.NewRing(t, 8, k.Option())
	refused, taken := 0, 0
	for range 50 {
		if sqe := r.GetSQE(); sqe != nil {
			sqe.PrepNop()
		}
		n, err := r.Submit()
		if errors.Is(err, unix.EAGAIN) {
			refused++
		} else {
			require.NoError(t, err)
			taken += n
		}
		for range r.CQEs() {
		}
	}
	require.Positive(t, refused)
	require.Positive(t, taken)

	probe, err := r.GetProbe()
	require.NoError(t, err)
	require.True(t, probe.OpcodeSupported(liburing.OpRecv))
	require.False(t, probe.OpcodeSupported(liburing.OpFutexWait))
	_, err = liburing.New(8, k.Option(), liburing.WithSQPoll(0))
	require.ErrorIs(t, err, unix.EINVAL)
}

// Each loop of a group is a ring of its own.
func TestGroup(t *testing.T) {
	k := newKernel(t, 1, uringtest.NoFaults)
	g, err := liburing.NewLoopGroup(3, 8, k.Option())
	require.NoError(t, err)
	for _, l := range g.Loops() {
		ringtest.One(t, l, l.Nop)
	}
	require.NoError(t, g.Close(context.Background()))
	rings := map[int]bool{}
	for _, e := range k.Events() {
		rings[e.Ring] = e.Op == liburing.OpNop || rings[e.Ring]
	}
	require.Equal(t, map[int]bool{0: true, 1: true, 2: true}, rings)
}

// A request that waits keeps its file, whatever becomes of the number.
func TestClosedWhileItWaits(t *testing.T) {
	l := newLoop(t, newKernel(t, 1, uringtest.NoFaults))
	var fds, others [2]int
	require.NoError(t, unix.Pipe2(fds[:], unix.O_CLOEXEC))
	var got int32
	l.Read(fds[0], make([]byte, 8), 0, func(c liburing.Completion) { got = c.Res })
	ringtest.RunFor(t, l, time.Millisecond)
	require.NoError(t, unix.Close(fds[0]))
	require.NoError(t, unix.Pipe2(others[:], unix.O_CLOEXEC))
	require.Equal(t, fds[0], others[0], "the number is another file's")
	unix.Write(others[1], []byte("wrong"))
	unix.Write(fds[1], []byte("yes"))
	ringtest.RunIdle(t, l)
	require.EqualValues(t, 3, got)
	for _, fd := range []int{fds[1], others[0], others[1]} {
		unix.Close(fd)
	}
}

// NewLoop takes its seed from the environment, closes the loop, and is for tests that
// know nothing of the kernel.
func TestNewLoop(t *testing.T) {
	newKernel(t, 1, uringtest.NoFaults)
	t.Setenv(uringtest.SeedEnv, "42")
	l := uringtest.NewLoop(t, 8, uringtest.AllFaults)
	name := filepath.Join(t.TempDir(), "file")
	fd := ringtest.One(t, l, func(cb liburing.Callback) liburing.Request {
		return l.Openat(unix.AT_FDCWD, name, unix.O_CREAT|unix.O_WRONLY|unix.O_CLOEXEC, 0o600, cb)
	})
	loopio.WriteAll(t.Context(), l, fd, []byte("text"), 0, func(_ int, err error) {
		require.NoError(t, err)
		l.CloseFD(fd, nil)
	})
	ringtest.RunIdle(t, l)
	text, err := os.ReadFile(name)
	require.NoError(t, err)
	require.Equal(t, "text", string(text))
}
