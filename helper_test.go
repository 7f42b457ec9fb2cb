//go:build linux && cgo

package liburing

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// setups are the kinds of rings that the tests run over.
var setups = []struct {
	name string
	opts []Option
}{
	{"plain", nil},
	{"sqpoll", []Option{WithSQPoll(20 * time.Millisecond)}},
	{"defer_taskrun", []Option{WithFlags(SetupSingleIssuer | SetupDeferTaskrun)}},
	{"coop_taskrun", []Option{WithFlags(SetupCoopTaskrun | SetupTaskrunFlag)}},
	{"cqe32", []Option{WithFlags(SetupCQE32)}},
	{"sqe128", []Option{WithFlags(SetupSQE128)}},
	{"small_cq", []Option{WithCQEntries(8)}},
}

// overSetups runs a test on a ring of each kind, on a locked thread.
func overSetups(t *testing.T, entries int, test func(t *testing.T, r *Ring)) {
	for _, s := range setups {
		t.Run(s.name, func(t *testing.T) {
			lockThread(t)
			test(t, newRing(t, entries, s.opts...))
		})
	}
}

// overLoops runs a test on a loop of each kind.
func overLoops(t *testing.T, entries int, test func(t *testing.T, l *Loop)) {
	for _, s := range setups {
		t.Run(s.name, func(t *testing.T) { test(t, newLoop(t, entries, s.opts...)) })
	}
}

// lockThread keeps the test on its thread: some setups take requests from one
// only.
func lockThread(t *testing.T) {
	runtime.LockOSThread()
	t.Cleanup(runtime.UnlockOSThread)
}

// newRing returns a ring that is closed when the test ends. A kernel that does
// not know the setup is a reason to skip; anything else is not.
func newRing(t testing.TB, entries int, opts ...Option) *Ring {
	t.Helper()
	r, err := New(entries, opts...)
	skipOldKernel(t, err, newParams(opts).Flags)
	require.NoError(t, err)
	t.Cleanup(func() { r.Close() })
	return r
}

func skipOldKernel(t testing.TB, err error, flags SetupFlags) {
	t.Helper()
	if unknown := unknownFlags(flags); errors.Is(err, syscall.EINVAL) && unknown != 0 {
		t.Skipf("this kernel does not know %v", unknown)
	}
}

// newLoop returns a loop that is closed when the test ends, and which must be
// empty then.
func newLoop(t testing.TB, entries int, opts ...Option) *Loop {
	t.Helper()
	l, err := NewLoop(entries, opts...)
	skipOldKernel(t, err, newParams(opts).Flags)
	require.NoError(t, err)
	trackLoop(t.Name(), l)
	t.Cleanup(func() { closeLoop(t, l) })
	return l
}

func closeLoop(t testing.TB, l *Loop) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	require.NoError(t, l.Close(ctx))
	require.Zero(t, l.stats.Stale, "stale completions")
}

// run runs the loop until nothing is in flight, at most for a while.
func run(t testing.TB, l *Loop) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	require.NoError(t, l.RunUntilIdle(ctx))
}

// runFor runs a loop that may not come to rest for d, and on a busy machine until
// the kernel has been handed what was queued.
func runFor(t testing.TB, l *Loop, d time.Duration) {
	t.Helper()
	runUntil(t, l, d, func() bool { return l.lastEntry() == nil })
}

// runUntil runs a loop that may not come to rest, for each at a time, until ok.
func runUntil(t testing.TB, l *Loop, each time.Duration, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); ; {
		ctx, cancel := context.WithTimeout(context.Background(), each)
		err := l.RunUntilIdle(ctx)
		cancel()
		if err != nil {
			require.ErrorIs(t, err, context.DeadlineExceeded)
		}
		if ok() {
			return
		}
		require.True(t, time.Now().Before(end), "it never comes; %+v", l.Stats())
	}
}

// knows reports whether the kernel knows an operation.
func knows(t testing.TB, op Op) bool {
	t.Helper()
	p, err := GetProbe()
	require.NoError(t, err)
	return p.OpcodeSupported(op)
}

// needOps skips the test on a kernel that does not know the operations. One
// that came with the same kernel stands for what the probe does not tell.
func needOps(t testing.TB, ops ...Op) {
	t.Helper()
	p, err := GetProbe()
	require.NoError(t, err)
	for _, op := range ops {
		if !p.OpcodeSupported(op) {
			t.Skipf("this kernel does not know %v (the last it knows is %v)", op, p.LastOp())
		}
	}
}

// needsTool skips a test that runs a program where there is none: the compiled
// tests were taken elsewhere, as scripts/kernels.sh does.
func needsTool(t testing.TB, name string) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Skip(err)
	}
}

// kernelBefore reports whether the kernel is older than a version.
func kernelBefore(major, minor int) bool {
	var uts unix.Utsname
	if err := unix.Uname(&uts); err != nil {
		panic(err)
	}
	var gotMajor, gotMinor int
	if _, err := fmt.Sscanf(unix.ByteSliceToString(uts.Release[:]), "%d.%d", &gotMajor, &gotMinor); err != nil {
		panic(err)
	}
	return gotMajor < major || gotMajor == major && gotMinor < minor
}

// needsKernel skips a test of what came with a later kernel.
func needsKernel(t testing.TB, major, minor int) {
	t.Helper()
	if kernelBefore(major, minor) {
		t.Skipf("it came with Linux %d.%d", major, minor)
	}
}

// requireCancelled asserts that a request was cancelled while it waited. Where a
// worker waits for it, as behind a link, it is interrupted instead.
func requireCancelled(t testing.TB, err error) {
	t.Helper()
	if kernelBefore(6, 4) && errors.Is(err, unix.EINTR) { // pipes block in workers
		return
	}
	require.ErrorIs(t, err, unix.ECANCELED)
}

// nopTime returns what a turn of a loop takes, for tests that race with the kernel
// also where all is slow.
var nopTime = func() func(testing.TB) time.Duration {
	var once sync.Once
	var each time.Duration
	return func(t testing.TB) time.Duration {
		once.Do(func() {
			const n = 1000
			l := newLoop(t, 8)
			left := n
			var again Callback
			again = func(Completion) {
				if left--; left > 0 {
					l.Nop(again)
				}
			}
			start := time.Now()
			l.Nop(again)
			run(t, l)
			each = max(time.Since(start)/n, 1)
		})
		return each
	}
}()

var tracked struct {
	sync.Mutex
	loops map[*Loop]string
}

func trackLoop(test string, l *Loop) {
	tracked.Lock()
	defer tracked.Unlock()
	if tracked.loops == nil {
		tracked.loops = map[*Loop]string{}
	}
	tracked.loops[l] = test
}

// leakedHandles returns the loops that were not closed, or had requests without
// a completion when they were.
func leakedHandles() (leaks []string) {
	tracked.Lock()
	defer tracked.Unlock()
	for l, test := range tracked.loops {
		select {
		case <-l.done:
			if busy := l.table.used; busy != 0 || l.inFlight != 0 || l.inner != 0 {
				leaks = append(leaks, fmt.Sprintf("%s: %d handles", test, busy))
			}
		default:
			leaks = append(leaks, test+": a loop that was not closed")
		}
	}
	return leaks
}

// tempFile returns an open file with the given content.
func tempFile(t testing.TB, content []byte) *os.File {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(name, content, 0o600))
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	require.NoError(t, err)
	t.Cleanup(func() { f.Close() })
	return f
}

// pattern returns n bytes that are different at every place and for every seed.
func pattern(n int, seed byte) []byte {
	b := make([]byte, n)
	x := uint32(seed) + 1
	for i := range b {
		x = x*1664525 + 1013904223
		b[i] = byte(x >> 24)
	}
	return b
}

// socketPair returns two connected stream sockets.
func socketPair(t testing.TB) (a, b int) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	t.Cleanup(func() {
		unix.Close(fds[0])
		unix.Close(fds[1])
	})
	return fds[0], fds[1]
}

// pipe returns the two ends of a pipe.
func pipe(t testing.TB) (r, w int) {
	t.Helper()
	var fds [2]int
	require.NoError(t, unix.Pipe2(fds[:], unix.O_CLOEXEC))
	t.Cleanup(func() {
		unix.Close(fds[0])
		unix.Close(fds[1])
	})
	return fds[0], fds[1]
}

// vendored reports whether scripts/vendor-liburing.sh has filled third_party.
func vendored() bool {
	_, err := os.Stat("third_party/liburing/lib/liburing.a")
	return err == nil
}

func newGroup(t *testing.T, l *Loop, count, size int, flags BufRingFlags) *BufGroup {
	t.Helper()
	g, err := l.NewBufGroup(count, size, flags)
	require.NoError(t, err)
	return g
}
