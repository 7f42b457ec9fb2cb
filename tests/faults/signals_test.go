//go:build linux

package faults_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/go-liburing/liburing/ringio"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// storm calls f while signals come from all sides, a thousand a second of each kind: an
// interval timer of the process, one sent to each of its threads, those of a profile. The
// program handles SIGURG itself, which Go's runtime sends its threads.
func storm(t *testing.T, f func()) {
	t.Helper()
	var came atomic.Int64
	signals := make(chan os.Signal, 64)
	signal.Notify(signals, unix.SIGALRM, unix.SIGUSR1, unix.SIGURG)
	stop := make(chan struct{})
	var senders sync.WaitGroup
	senders.Go(func() {
		for {
			select {
			case <-signals:
				came.Add(1)
			case <-stop:
				return
			}
		}
	})
	senders.Go(func() { toAllThreads(stop) })
	var profile bytes.Buffer
	runtime.SetCPUProfileRate(1000) // and pprof leaves it so, with a word on stderr
	require.NoError(t, pprof.StartCPUProfile(&profile))
	interval(t, time.Millisecond)
	start := time.Now()
	f()
	spent := time.Since(start)
	interval(t, 0)
	pprof.StopCPUProfile()
	close(stop)
	senders.Wait()
	signal.Stop(signals)
	t.Logf("%d signals in %v", came.Load(), spent.Round(time.Millisecond))
	require.Greater(t, came.Load(), spent.Milliseconds()/200, "the storm was none") // an emulator is slow
}

// interval has SIGALRM sent to the process in intervals, 0 for an end.
func interval(t *testing.T, d time.Duration) {
	t.Helper()
	every := unix.NsecToTimeval(int64(d))
	_, err := unix.Setitimer(unix.ITIMER_REAL, unix.Itimerval{Interval: every, Value: every})
	require.NoError(t, err)
}

// toAllThreads sends a signal to each thread every millisecond.
func toAllThreads(stop <-chan struct{}) {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
		}
		tasks, _ := filepath.Glob("/proc/self/task/*")
		for _, task := range tasks {
			if tid, err := strconv.Atoi(filepath.Base(task)); err == nil {
				unix.Tgkill(os.Getpid(), tid, unix.SIGUSR1)
			}
		}
	}
}

// stormTime is how long each part of a storm lasts.
func stormTime() time.Duration {
	if long {
		return 10 * time.Second
	}
	return 200 * time.Millisecond
}

// during calls f until the time of a storm's part is over.
func during(t *testing.T, f func(n int)) {
	for n, end := 0, time.Now().Add(stormTime()); time.Now().Before(end) && !t.Failed(); n++ {
		f(n)
	}
}

func TestSignalsInRingWaits(t *testing.T) {
	if !inChild(t) {
		return
	}
	for _, s := range ringtest.Setups[:4] {
		t.Run(s.Name, func(t *testing.T) {
			ringtest.LockThread(t)
			r := ringtest.NewRing(t, 16, s.Opts...)
			regWaits := waitRegion(t)
			storm(t, func() { during(t, func(n int) { waitEveryWay(t, r, regWaits, n) }) })
		})
	}
}

// waitRegion returns a ring that has registered waits, nil where the kernel knows none.
func waitRegion(t *testing.T) *liburing.Ring {
	if ringtest.KernelBefore(6, 13) {
		return nil
	}
	r := ringtest.NewRing(t, 8, liburing.WithFlags(liburing.SetupRDisabled))
	waits, err := r.RegisterWaitRegion(1)
	require.NoError(t, err)
	waits[0].Timeout, waits[0].Flags = liburing.Timespec{Nsec: 5e6}, liburing.RegWaitTS
	require.NoError(t, r.EnableRings())
	return r
}

// waitEveryWay waits for a timeout of 5 ms in each of the ways that there are, and for
// longer than there is something to come.
func waitEveryWay(t *testing.T, r, withRegion *liburing.Ring, n int) {
	const after = 5 * time.Millisecond
	ms := time.Millisecond
	arm := func() {
		sqe := ringtest.NextSQE(t, r)
		sqe.PrepTimeout(&liburing.Timespec{Nsec: int64(after)}, 0, 0)
	}
	seen := func(cqe *liburing.CQE, err error) {
		t.Helper()
		require.NoError(t, err)
		require.Equal(t, -int32(unix.ETIME), cqe.Res)
		r.CQESeen(cqe)
	}
	late := func(cqe *liburing.CQE, err error) {
		t.Helper()
		require.ErrorIs(t, err, unix.ETIME)
		require.Nil(t, cqe)
	}
	submit := func() {
		_, err := r.Submit()
		require.NoError(t, err)
	}
	start := time.Now()
	switch n % 8 {
	case 0:
		arm()
		submit()
		seen(r.WaitCQE())
	case 1:
		arm()
		_, err := r.SubmitAndWait(1)
		require.NoError(t, err)
		seen(r.PeekCQE())
	case 2:
		arm()
		arm()
		submit()
		seen(r.WaitCQENr(2))
		seen(r.PeekCQE())
	case 3:
		arm()
		submit()
		seen(r.WaitCQEs(1, time.Minute))
		late(r.WaitCQEs(1, 5*ms))
	case 4:
		arm()
		seen(r.SubmitAndWaitTimeout(1, time.Minute))
		late(r.WaitCQETimeout(5 * ms))
	case 5:
		if r.Features()&liburing.FeatMinTimeout != 0 {
			arm()
			seen(r.SubmitAndWaitMinTimeout(1, time.Minute, 2*ms))
			late(r.WaitCQEsMinTimeout(1, 5*ms, 2*ms))
		}
	case 6:
		if withRegion != nil {
			late(withRegion.SubmitAndWaitReg(1, 0))
		}
	case 7:
		require.NoError(t, r.SQRingWait())
		require.NoError(t, r.GetEvents())
		require.NoError(t, registerAll(r))
		return
	}
	if n%8 < 5 {
		require.GreaterOrEqual(t, time.Since(start), after, "way %d", n%8)
	}
}

// registerAll makes the register calls that wait.
func registerAll(r *liburing.Ring) error {
	if err := r.RegisterFiles([]int{0, -1}); err != nil {
		return err
	}
	if err := r.RegisterBuffers([][]byte{make([]byte, 1<<16)}); err != nil {
		return err
	}
	return errors.Join(r.UnregisterBuffers(), r.UnregisterFiles())
}

func TestSignalsInLoops(t *testing.T) {
	if !inChild(t) {
		return
	}
	for _, s := range ringtest.Setups[:4] {
		t.Run(s.Name, func(t *testing.T) {
			ringtest.NewLoop(t, 8, s.Opts...) // skips where the kernel does not know it
			storm(t, func() { during(t, func(int) { loopOnce(t, s.Opts) }) })
		})
	}
}

// loopOnce has a loop live for some milliseconds, with the waits of all its methods.
func loopOnce(t *testing.T, opts []liburing.Option) {
	l, err := liburing.NewLoop(8, opts...)
	require.NoError(t, err)
	ringtest.Track(t, l)
	ran := make(chan error, 1)
	go func() { ran <- l.Run(context.Background()) }()
	r, w := pipe(t)
	b := make([]byte, 8)
	told := make(chan error, 4)
	post := func(f func()) { require.NoError(t, l.Post(f)) }
	post(func() {
		tell := func(c liburing.Completion) { told <- c.Err() }
		untilDone(l, func(cb liburing.Callback) liburing.Request { return l.Read(r, b, 0, cb) }, tell)
		l.After(2*time.Millisecond, func() {
			if ringtest.KernelBefore(5, 12) { // a worker there gives a write up when signals come
				_, err := unix.Write(w, []byte("8 bytes."))
				told <- err
				return
			}
			untilDone(l, func(cb liburing.Callback) liburing.Request { return l.Write(w, []byte("8 bytes."), 0, cb) }, tell)
		})
		l.Timeout(3*time.Millisecond, 0, 0, func(c liburing.Completion) {
			if c.Res != -int32(unix.ETIME) {
				told <- fmt.Errorf("timeout: %d", c.Res)
			} else {
				told <- nil
			}
		})
	})
	for range 3 {
		require.NoError(t, l.Control(func(r *liburing.Ring) error { return registerAll(r) }))
	}
	for range 3 {
		require.NoError(t, within(told))
	}
	require.Equal(t, "8 bytes.", string(b))
	post(func() { l.Read(r, b, 0, func(c liburing.Completion) { told <- c.Err() }) })
	require.NoError(t, l.Close(context.Background()))
	err = within(told)
	require.True(t, errors.Is(err, unix.ECANCELED) || errors.Is(err, liburing.ErrClosed), "%v", err)
	if err := within(ran); err != nil {
		require.ErrorIs(t, err, liburing.ErrClosed)
	}
	unix.Close(r)
	unix.Close(w)
}

// untilDone makes a request, again each time that the kernel gives it up, which it does when
// signals come while it makes the thread's first worker: signals of the test, or those by
// which Go's runtime preempts goroutines, where a machine stands still now and then. Nothing
// has been done then. A loop that is being closed cancels itself, for good.
func untilDone(l *liburing.Loop, request func(liburing.Callback) liburing.Request, told liburing.Callback) liburing.Request {
	return request(func(c liburing.Completion) {
		if c.Res == -int32(unix.ECANCELED) && ringtest.KernelBefore(6, 19) && !l.Closing() {
			untilDone(l, request, told)
			return
		}
		told(c)
	})
}

func pipe(t *testing.T) (r, w int) {
	var fds [2]int
	require.NoError(t, unix.Pipe2(fds[:], unix.O_CLOEXEC))
	return fds[0], fds[1]
}

// within returns what comes, or an error.
func within(c <-chan error) error {
	select {
	case err := <-c:
		return err
	case <-time.After(patience):
		return errors.New("it never comes")
	}
}

func TestSignalsInRingio(t *testing.T) {
	if !inChild(t) {
		return
	}
	for name, o := range map[string]ringio.Options{"plain": {}, "interrupts": {Interrupts: true}, "sqpoll": {SQPoll: time.Millisecond}} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			storm(t, func() {
				during(t, func(int) {
					e, err := ringio.New(o)
					require.NoError(t, err)
					require.NoError(t, useFile(e, filepath.Join(dir, "file")))
					require.NoError(t, useConn(e))
					require.NoError(t, usePipe(e))
					require.NoError(t, e.Shutdown(context.Background()))
				})
			})
		})
	}
}

// usePipe waits for what comes late, and for what does not.
func usePipe(e *ringio.Engine) error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	from, to := e.Wrap(r), e.Wrap(w)
	defer from.Close()
	defer to.Close()
	time.AfterFunc(3*time.Millisecond, func() { to.WriteString("text") })
	b := make([]byte, 4)
	if _, err := io.ReadFull(from, b); err != nil || string(b) != "text" {
		return fmt.Errorf("%q, %w", b, err)
	}
	if err := from.SetReadDeadline(time.Now().Add(3 * time.Millisecond)); err != nil {
		return err
	}
	if _, err := from.Read(b); !errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("no deadline: %w", err)
	}
	return nil
}
