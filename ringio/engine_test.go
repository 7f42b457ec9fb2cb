//go:build linux

package ringio

import (
	"context"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/go-liburing/liburing"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func testEngine(t testing.TB, o Options) *engine {
	t.Helper()
	e, err := newEngine(o)
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, e.shutdown(context.Background()))
		require.Zero(t, e.counts.stale, "completions of nothing")
	})
	return e
}

// overEngines runs a test on an engine of each kind.
func overEngines(t *testing.T, test func(t *testing.T, e *engine)) {
	for name, o := range map[string]Options{
		"default": {}, "narrow": {Entries: 1}, "SQPOLL": {SQPoll: 10 * time.Millisecond, Entries: 8},
	} {
		t.Run(name, func(t *testing.T) { test(t, testEngine(t, o)) })
	}
}

func testPipe(t testing.TB) (r, w int) {
	t.Helper()
	var fds [2]int
	require.NoError(t, unix.Pipe2(fds[:], unix.O_CLOEXEC|unix.O_NONBLOCK))
	t.Cleanup(func() { unix.Close(fds[0]); unix.Close(fds[1]) })
	return fds[0], fds[1]
}

func (e *engine) readPipe(t testing.TB, fd int, b []byte, d *deadline) int32 {
	o := e.acquire()
	defer e.release(o)
	o.hold(b)
	o.entry().PrepRead(fd, b, liburing.CurrentPosition)
	require.NoError(t, e.submit(o))
	res, _ := e.wait(o, d)
	return res
}

func TestEngineManyAtOnce(t *testing.T) {
	overEngines(t, func(t *testing.T, e *engine) {
		var all sync.WaitGroup
		for range 200 {
			all.Go(func() {
				for range 50 {
					o := e.acquire()
					o.entry().PrepNop()
					if e.submit(o) != nil {
						panic("closed")
					}
					if res, _ := e.wait(o, nil); res != 0 {
						panic(res)
					}
					e.release(o)
				}
			})
		}
		all.Wait()
		counts := e.snapshot()
		require.Equal(t, counts.completed, counts.submitted)
	})
}

func TestEngineDeadlineEndsAndLosesNothing(t *testing.T) {
	overEngines(t, func(t *testing.T, e *engine) {
		r, w := testPipe(t)
		var d deadline
		b := make([]byte, 8)

		d.set(time.Now().Add(20 * time.Millisecond))
		require.Equal(t, -int32(unix.ECANCELED), e.readPipe(t, r, b, &d))
		require.True(t, d.passed())
		require.Equal(t, -int32(unix.ECANCELED), e.readPipe(t, r, b, &d), "one that has passed")

		d.set(time.Time{})
		_, err := unix.Write(w, []byte("kept"))
		require.NoError(t, err)
		require.Equal(t, int32(4), e.readPipe(t, r, b, &d))

		time.AfterFunc(20*time.Millisecond, func() { d.set(time.Now()) })
		require.Equal(t, -int32(unix.ECANCELED), e.readPipe(t, r, b, &d), "set while it waits")
		d.close()
		require.Equal(t, -int32(unix.ECANCELED), e.readPipe(t, r, b, &d))
	})
}

func TestEngineCancelAgainstCompletion(t *testing.T) {
	e := testEngine(t, Options{})
	r, w := testPipe(t)
	sent, got := 0, 0
	b := make([]byte, 1)
	for i := range 3000 {
		var d deadline
		go func() { unix.Write(w, []byte{1}) }()
		sent++
		d.set(time.Now().Add(time.Duration(i%40) * time.Microsecond))
		if res := e.readPipe(t, r, b, &d); res > 0 {
			got += int(res)
		} else {
			require.Equal(t, -int32(unix.ECANCELED), res)
		}
	}
	for got < sent { // what no read took is still there
		require.Equal(t, int32(1), e.readPipe(t, r, b, nil))
		got++
	}
}

// A thread that ends takes the requests along that were submitted on it.
func TestEngineOutlivesThreads(t *testing.T) {
	overEngines(t, func(t *testing.T, e *engine) {
		stop := make(chan struct{})
		var storm, readers sync.WaitGroup
		for range 2 {
			storm.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					var threads sync.WaitGroup
					for range 8 {
						threads.Go(func() { runtime.LockOSThread(); time.Sleep(10 * time.Microsecond) })
					}
					threads.Wait()
				}
			})
		}
		end := time.Now().Add(time.Second)
		for range 16 {
			r, w := testPipe(t)
			readers.Go(func() {
				b := make([]byte, 1)
				for i := 0; i == 0 || time.Now().Before(end); i++ {
					time.AfterFunc(time.Duration(i%10)*100*time.Microsecond, func() { unix.Write(w, []byte{byte(i)}) })
					if res := e.readPipe(t, r, b, nil); res != 1 || b[0] != byte(i) {
						panic(res)
					}
				}
			})
		}
		readers.Wait()
		close(stop)
		storm.Wait()
		t.Logf("%+v", e.snapshot())
	})
}

func TestEngineShutdown(t *testing.T) {
	overEngines(t, func(t *testing.T, e *engine) {
		r, _ := testPipe(t)
		o := e.acquire()
		b := make([]byte, 8)
		o.hold(b)
		o.entry().PrepRead(r, b, liburing.CurrentPosition)
		require.NoError(t, e.submit(o))
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
		defer cancel()
		require.ErrorIs(t, e.shutdown(ctx), context.DeadlineExceeded)
		res, _ := e.wait(o, nil)
		require.Equal(t, -int32(unix.ECANCELED), res)
		require.Error(t, e.submit(o))
		require.NoError(t, e.shutdown(ctx), "a second time")
	})
}

// What comes after the end, of a timer or for the end's own sake, ends too.
func TestEngineAfterShutdown(t *testing.T) {
	e, err := newEngine(Options{})
	require.NoError(t, err)
	require.NoError(t, e.shutdown(context.Background()))
	e.cancelToken(1<<32, time.Millisecond)
	o := e.acquire()
	o.entry().PrepNop()
	o.done.Add(1)
	require.True(t, e.put(o, true))
	e.kick()
	res, _ := e.wait(o, nil)
	require.Equal(t, -int32(unix.ECANCELED), res)
	e.tryLater()
	require.Eventually(t, func() bool { return !e.waiting.Load() }, 10*time.Second, time.Millisecond)
}

// pollTogether has n polls in flight that complete while nobody takes completions, and
// reports whether all found room.
func (e *engine) pollTogether(t *testing.T, n int) (r, w int, ops []*op, room bool) {
	r, w = testPipe(t)
	for range n {
		o := e.acquire()
		o.entry().PrepPollAdd(r, unix.POLLIN)
		require.NoError(t, e.submit(o))
		ops = append(ops, o)
	}
	require.Eventually(t, func() bool { return e.snapshot().inFlight == n }, time.Minute, time.Millisecond)
	e.mu.Lock()
	_, err := unix.Write(w, []byte{1})
	told := func() bool { return e.ring.CQHasOverflow() || e.ring.CQReady() == n }
	all := assert.Eventually(t, told, time.Minute, time.Millisecond)
	room = !e.ring.CQHasOverflow()
	e.unlock()
	require.NoError(t, err)
	require.True(t, all)
	return r, w, ops, room
}

// The completions of thousands of connections have room, or each would be far dearer.
func TestEngineRoom(t *testing.T) {
	e := testEngine(t, Options{})
	_, _, ops, room := e.pollTogether(t, 10_000)
	require.True(t, room)
	for _, o := range ops {
		e.wait(o, nil)
		e.release(o)
	}
}

func TestEngineOverflow(t *testing.T) {
	e := testEngine(t, Options{Entries: 64})
	r, w, ops, room := e.pollTogether(t, mostRoom+1000)
	require.False(t, room)
	for _, o := range ops {
		res, _ := e.wait(o, nil)
		require.Equal(t, int32(unix.POLLIN), res)
		e.release(o)
	}
	require.Positive(t, e.snapshot().overflows)
	for range 100 { // it is woken as before
		time.Sleep(100 * time.Microsecond)
		time.AfterFunc(100*time.Microsecond, func() { unix.Write(w, []byte{1}) })
		require.Positive(t, e.readPipe(t, r, make([]byte, 1), nil))
	}
}

// Where files are read those whom the pump has woken do not wait for each other: the last
// of each portion submits.
func TestEngineSubmitsForFilesInPortions(t *testing.T) {
	for range 20 {
		if submitsInPortions(t) {
			return
		} // On a busy machine the pump may yet look once more, and submits then what there is.
	}
	t.Error("others submit, too")
}

func submitsInPortions(t *testing.T) (so bool) {
	e := testEngine(t, Options{})
	r, w := testPipe(t)
	var ops []*op
	read := func() {
		o := e.acquire()
		b := make([]byte, 1)
		o.hold(b)
		o.entry().PrepRead(r, b, liburing.CurrentPosition)
		require.NoError(t, e.submit(o))
		ops = append(ops, o)
	}
	submitted := func() uint64 {
		e.mu.Lock()
		defer e.mu.Unlock()
		return e.counts.submitted
	}
	const portion = 3
	for range portion * portionsInFlight {
		read()
	}
	require.Eventually(t, func() bool { return submitted() == uint64(len(ops)) && e.parked.Load() }, time.Minute, time.Millisecond)

	e.parked.Store(false) // as if it had yet to run
	e.mu.Lock()
	e.await(100)
	e.mu.Unlock()
	so = true
	for range 4 {
		before := submitted()
		for range portion - 1 {
			read()
		}
		so = so && submitted() == before
		read()
		so = so && submitted() == before+portion
	}
	e.parked.Store(true)
	e.kick()
	_, err := unix.Write(w, make([]byte, len(ops)))
	require.NoError(t, err)
	for _, o := range ops {
		res, _ := e.wait(o, nil)
		require.EqualValues(t, 1, res)
		e.release(o)
	}
	return so
}

// Who has cancelled a request before it was submitted may use it again as soon as its end is
// told, while others are still being handed over.
func TestEngineRequestIsGivenBackAtItsEnd(t *testing.T) {
	e := testEngine(t, Options{})
	for range 500 {
		o := e.acquire()
		o.entry().PrepNop()
		e.mu.Lock() // nobody submits
		require.NoError(t, e.stage(o))
		o.cancelled.Store(true)
		done := make(chan struct{})
		go func() {
			defer close(done)
			e.wait(o, nil)
			o.entry().PrepNop() // the race detector tells if anybody looks at it
			e.release(o)
		}()
		e.mu.Unlock()
		e.drive()
		<-done
	}
}

// Several at a time drive, the pump among them.
func TestEngineDrivenByMany(t *testing.T) {
	e := testEngine(t, Options{})
	var all sync.WaitGroup
	for range 32 {
		all.Go(func() {
			for range 2000 {
				o := e.acquire()
				o.entry().PrepNop()
				if e.submit(o) != nil {
					panic("closed")
				}
				e.wait(o, nil)
				e.release(o)
			}
		})
	}
	all.Wait()
}

// A cancel does not make an engine of connections one of files.
func TestEngineCancelIsForNoFile(t *testing.T) {
	e := testEngine(t, Options{})
	r, _ := testPipe(t)
	o := e.acquire()
	o.entry().PrepPollAdd(r, unix.POLLIN)
	require.NoError(t, e.submit(o))
	require.Eventually(t, func() bool { return e.snapshot().inFlight == 1 }, time.Minute, time.Millisecond)
	e.cancel(o)
	e.wait(o, nil)
	e.release(o)
	e.mu.Lock()
	defer e.mu.Unlock()
	require.False(t, e.files)
}

func TestEngineSizes(t *testing.T) {
	const unlimited = ^uint64(0)
	for _, c := range []struct {
		Options
		locked uint64
		room   int
	}{
		{Options{}, unlimited, mostRoom},
		{Options{}, 8 << 20, mostRoom},
		{Options{}, 4 << 20, mostRoom / 2},
		{Options{Rings: 12}, 8 << 20, leastRoom},
		{Options{}, 64 << 10, leastRoom},
		{Options{Entries: 4096}, 64 << 10, 8 * 4096},
	} {
		require.Equal(t, c.room, c.roomWithin(c.locked), c)
	}
}
