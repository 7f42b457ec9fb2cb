//go:build linux

package ringio

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"runtime/trace"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// How the engine behaves in Go's runtime.

func threadCount(t testing.TB) int {
	tasks, err := os.ReadDir("/proc/self/task")
	require.NoError(t, err)
	return len(tasks)
}

func processorTime() time.Duration {
	var use syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &use)
	return time.Duration(use.Utime.Nano() + use.Stime.Nano())
}

func TestManyWaitersNeedNoThreads(t *testing.T) {
	e := testEngine(t, Options{})
	r, w := testPipe(t)
	const waiters = 10000
	ready, err := unix.Dup(r)
	require.NoError(t, err)
	defer unix.Close(ready)
	before := threadCount(t)
	goroutines := runtime.NumGoroutine()
	var all sync.WaitGroup
	for range waiters {
		all.Go(func() {
			o := e.acquire()
			o.entry().PrepPollAdd(ready, unix.POLLIN)
			if e.submit(o) != nil {
				panic("closed")
			}
			if res, _ := e.wait(o, nil); res&unix.POLLIN == 0 && !t.Failed() {
				panic(res)
			}
			e.release(o)
		})
	}
	require.Eventually(t, func() bool { return e.snapshot().inFlight == waiters }, 20*time.Second, time.Millisecond)
	// Go's runtime makes some for those that a busy machine interrupts in the kernel.
	require.LessOrEqual(t, threadCount(t), before+waiters/200)
	require.LessOrEqual(t, runtime.NumGoroutine(), goroutines+waiters+waiters/100, "a goroutine a request") // a test has some of its own

	require.Eventually(t, idle, 20*time.Second, time.Millisecond, "it is busy with waiting")

	_, err = unix.Write(w, []byte{1})
	require.NoError(t, err)
	all.Wait()
}

// idle reports whether the process has nothing to do for a while. Others' load, and what
// the collector has left to do, may make it look busy at first.
func idle() bool {
	used := processorTime()
	time.Sleep(200 * time.Millisecond)
	return processorTime()-used < 10*time.Millisecond
}

// nobody waits in the kernel for the ring, so no time counts as waiting for a disk.
func TestIdleEngineParksInTheNetpoller(t *testing.T) {
	e := testEngine(t, Options{})
	r, _ := testPipe(t)
	o := e.acquire()
	b := make([]byte, 1)
	o.hold(b)
	o.entry().PrepRead(r, b, 0)
	require.NoError(t, e.submit(o))
	require.Eventually(t, func() bool { return e.parked.Load() }, 10*time.Second, time.Millisecond)
	stacks := make([]byte, 1<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	for _, stack := range strings.Split(string(stacks), "\n\n") {
		if strings.Contains(stack, "ringio.(*engine).pump") {
			require.Regexp(t, `^goroutine \d+ \[(IO wait|runnable|running)`, stack)
		}
	}
	e.cancel(o)
	e.wait(o, nil)
	e.release(o)
}

func TestEngineWithOneProcessor(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	e := busyEngine(t, Options{})
	f, err := e.Create(filepath.Join(t.TempDir(), "file"))
	require.NoError(t, err)
	defer f.Close()
	var all sync.WaitGroup
	for i := range 32 {
		all.Go(func() {
			b := bytes.Repeat([]byte{byte(i)}, 100)
			for range 20 {
				if _, err := f.WriteAt(b, int64(i)*100); err != nil {
					panic(err)
				}
				f.disk.score.Store(hopeless)
				got := make([]byte, 100)
				if _, err := f.ReadAt(got, int64(i)*100); err != nil || !bytes.Equal(b, got) {
					panic("something else was read")
				}
			}
		})
	}
	for i := range 16 {
		_, ours, theirs := pairOf(t, e)
		all.Go(func() { io.Copy(theirs, theirs) })
		all.Go(func() {
			defer ours.Close()
			for round := range 50 {
				hear(ours, byte(i), 1+round*37)
			}
		})
	}
	all.Wait()
}

// hear says something to a connection that repeats it, and hears that.
func hear(c net.Conn, what byte, size int) {
	b := bytes.Repeat([]byte{what}, size)
	if _, err := c.Write(b); err != nil {
		panic(err)
	}
	got := make([]byte, size)
	if _, err := io.ReadFull(c, got); err != nil || !bytes.Equal(b, got) {
		panic(fmt.Sprint("something else was heard: ", err))
	}
}

// Signals, garbage collections and a small heap change nothing.
func TestEngineUnderProfilerAndCollector(t *testing.T) {
	runtime.SetCPUProfileRate(1000) // StartCPUProfile complains, and goes on
	require.NoError(t, pprof.StartCPUProfile(io.Discard))
	defer pprof.StopCPUProfile()
	defer debug.SetGCPercent(debug.SetGCPercent(1))
	e := busyEngine(t, Options{})
	dir := t.TempDir()
	stop := time.Now().Add(500 * time.Millisecond)
	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() {
			name := filepath.Join(dir, string('a'+rune(i)))
			content := bytes.Repeat([]byte{byte(i)}, 1000)
			if err := os.WriteFile(name, content, 0o600); err != nil {
				panic(err)
			}
			for time.Now().Before(stop) {
				f, err := e.Open(name)
				if err != nil {
					panic(err)
				}
				f.disk.score.Store(hopeless)
				b := make([]byte, 1000)
				if _, err := f.ReadAt(b, 0); err != nil || !bytes.Equal(b, content) {
					panic("something else was read")
				}
				// f is garbage now, and closed by the collector
			}
		})
	}
	for i := range 8 {
		_, ours, theirs := pairOf(t, e)
		all.Go(func() { io.Copy(theirs, theirs) })
		all.Go(func() {
			defer ours.Close()
			for round := 0; time.Now().Before(stop); round++ {
				hear(ours, byte(i), 1+round%5000)
			}
		})
	}
	all.Go(func() {
		for time.Now().Before(stop) {
			runtime.GC()
			_ = make([]byte, 1<<16)
		}
	})
	all.Wait()
}

// A file that nobody has any more is open as long as its read is in flight. A FIFO that
// is taken for a disk waits for sure.
func TestGarbageFileStaysOpenDuringItsRead(t *testing.T) {
	e := busyEngine(t, Options{})
	name := filepath.Join(t.TempDir(), "fifo")
	require.NoError(t, makeFIFO(name))
	w, err := os.OpenFile(name, os.O_RDWR, 0)
	require.NoError(t, err)
	defer w.Close()
	type result struct {
		n   int
		err error
	}
	results := make(chan result)
	b := make([]byte, 4)
	go func() {
		f, err := os.OpenFile(name, os.O_RDONLY, 0)
		if err != nil {
			panic(err)
		}
		conn, _ := f.SyscallConn()
		d := &disk{engine: e.rings[0], watch: &e.watch, conn: conn, name: name}
		d.reading.Store(straight)
		n, err := d.readAt(context.Background(), nil, b, 0)
		results <- result{n, err}
	}()
	require.Eventually(t, func() bool { return e.Stats().InFlight == 1 }, 10*time.Second, time.Millisecond)
	for range 5 {
		runtime.GC()
		time.Sleep(5 * time.Millisecond)
	}
	_, err = w.Write([]byte("text"))
	require.NoError(t, err)
	require.Equal(t, result{4, nil}, <-results)
	require.Equal(t, "text", string(b))
}

func TestDescriptorsAreNotInherited(t *testing.T) {
	e := ownEngine(t, Options{})
	require.NotEmpty(t, e.rings)
	name := filepath.Join(t.TempDir(), "fifo")
	require.NoError(t, makeFIFO(name))
	other, err := os.OpenFile(name, os.O_RDWR, 0)
	require.NoError(t, err)
	defer other.Close()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	f, err := e.OpenFileContext(ctx, name, os.O_RDONLY, 0)
	require.NoError(t, err)
	defer f.Close()
	fds, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	for _, fd := range fds {
		link, err := os.Readlink("/proc/self/fd/" + fd.Name())
		if err != nil || !strings.Contains(link, "io_uring") && link != name {
			continue
		}
		info, err := os.ReadFile("/proc/self/fdinfo/" + fd.Name())
		require.NoError(t, err)
		require.Regexp(t, `flags:\s+\d*[2367]\d{6}\n`, string(info), "%s: O_CLOEXEC is missing", link)
	}
}

// Requests that block take no more threads of the kernel's than they may.
func TestWorkersAreFew(t *testing.T) {
	if !alone(t) { // the kernel counts the workers of all rings that a thread submits to
		return
	}
	e := busyEngine(t, Options{Workers: 2})
	name := filepath.Join(t.TempDir(), "fifo")
	require.NoError(t, makeFIFO(name))
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel() // else the engine's end would wait
	var all sync.WaitGroup
	for range 40 { // each takes a worker, which waits for the other end
		all.Go(func() {
			if _, err := e.OpenFileContext(ctx, name, os.O_RDONLY, 0); err == nil {
				panic("there is no other end")
			}
		})
	}
	require.Eventually(t, func() bool { return e.Stats().InFlight == 40 }, 10*time.Second, time.Millisecond)
	require.Eventually(t, func() bool { return len(workersOfThreads()) > 0 }, 20*time.Second, 10*time.Millisecond)
	time.Sleep(50 * time.Millisecond) // for more, if there were to be any
	for thread, n := range workersOfThreads() {
		require.LessOrEqual(t, n, 2, thread)
	}
	cancel()
	all.Wait()
}

// workersOfThreads counts the kernel's workers. Each thread that submits has its own, with its
// number in their names.
func workersOfThreads() map[string]int {
	workers := map[string]int{}
	tasks, _ := filepath.Glob("/proc/self/task/*/comm")
	for _, task := range tasks {
		if comm, _ := os.ReadFile(task); strings.HasPrefix(string(comm), "iou-wrk") {
			workers[string(comm)]++
		}
	}
	return workers
}

func TestShutdownLeavesWhatWasNotRead(t *testing.T) {
	e, err := newEngine(Options{})
	require.NoError(t, err)
	r, w := testPipe(t)
	o := e.acquire()
	into := make([]byte, 8)
	o.hold(into)
	o.entry().PrepRead(r, into, 0)
	require.NoError(t, e.submit(o))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	require.ErrorIs(t, e.shutdown(ctx), context.Canceled)
	_, err = unix.Write(w, []byte("text"))
	require.NoError(t, err)
	time.Sleep(100 * time.Millisecond)
	require.Equal(t, make([]byte, 8), into)
	b := make([]byte, 8)
	n, err := unix.Read(r, b)
	require.NoError(t, err)
	require.Equal(t, "text", string(b[:n]))
}

func TestFixedBuffers(t *testing.T) {
	e := busyEngine(t, Options{FixedBuffers: 8, FixedBufferSize: 8192, Rings: 2})
	require.Equal(t, 8, e.Stats().FixedBuffers)
	flag, dir := os.O_RDWR|os.O_CREATE|unix.O_DIRECT, t.TempDir()
	if !takesDirect(dir) {
		flag = os.O_RDWR | os.O_CREATE | os.O_SYNC
	}
	f, err := e.OpenFile(filepath.Join(dir, "file"), flag, 0o600)
	require.NoError(t, err)
	defer f.Close()
	b, ok := e.Buffers().Get()
	require.True(t, ok)
	b.Bytes = b.Bytes[:8192] // a page may be larger
	for _, ring := range e.rings {
		require.Equal(t, b.Index, ring.fixed.index(b.Bytes))
		require.Equal(t, b.Index, ring.fixed.index(b.Bytes[4096:]))
		require.Equal(t, -1, ring.fixed.index(make([]byte, 10)))
	}
	copy(b.Bytes, bytes.Repeat([]byte("ab"), 4096))
	_, err = f.WriteAt(b.Bytes, 4096)
	require.NoError(t, err)
	clear(b.Bytes)
	runtime.GC()
	_, err = f.ReadAt(b.Bytes, 4096)
	require.NoError(t, err)
	require.Equal(t, bytes.Repeat([]byte("ab"), 4096), b.Bytes)
	clear(b.Bytes)
	require.NoError(t, ReadBatch([]ReadRequest{{File: f, Buf: b.Bytes[:4096], Off: 4096}}))
	require.Equal(t, bytes.Repeat([]byte("ab"), 2048), b.Bytes[:4096])
	require.NoError(t, e.Buffers().Put(b))
}

func TestStatsAndHistograms(t *testing.T) {
	e := busyEngine(t, Options{Histograms: true})
	f, err := e.Create(filepath.Join(t.TempDir(), "file"))
	require.NoError(t, err)
	defer f.Close()
	for i := range 10 {
		_, err = f.WriteAt([]byte("x"), int64(i))
		require.NoError(t, err)
	}
	require.NoError(t, f.Sync())
	_, err = f.ReadAt(make([]byte, 1), 0)
	require.NoError(t, err)
	s := e.Stats()
	require.False(t, s.Fallback)
	require.Positive(t, s.Submitted)
	require.Positive(t, s.Enters)
	total := func(h Histogram) (n uint64) {
		for _, some := range h {
			n += some
		}
		return n
	}
	require.Equal(t, uint64(10), total(s.Latency["write"]))
	require.Equal(t, uint64(1), total(s.Latency["read"]))
	require.Equal(t, uint64(1), total(s.Latency["sync"]))
	require.Equal(t, uint64(1), total(s.Latency["open"]))
	require.Positive(t, s.Latency["write"].Quantile(0.5))
	require.LessOrEqual(t, s.Latency["write"].Quantile(0.5), s.Latency["write"].Quantile(1))
	require.Contains(t, e.String(), `"Submitted":`)
	require.Zero(t, Histogram{}.Quantile(0.5))
}

func TestTraceRegions(t *testing.T) {
	if trace.IsEnabled() {
		t.Skip("it is traced already")
	}
	var out bytes.Buffer
	require.NoError(t, trace.Start(&out))
	e := busyEngine(t, Options{})
	talk(t, e)
	f, err := e.Create(filepath.Join(t.TempDir(), "file"))
	require.NoError(t, err)
	_, err = f.ReadAt(make([]byte, 1), 0)
	require.Equal(t, io.EOF, err)
	require.NoError(t, f.Sync())
	require.NoError(t, f.Close())
	trace.Stop()
	require.Contains(t, out.String(), "ringio.read")
	require.Contains(t, out.String(), "ringio.sync")
	for _, kind := range []string{"recv", "send", "accept", "connect"} {
		require.Contains(t, out.String(), "ringio."+kind)
	}
}

// talk has two connections of an engine say something to each other.
func talk(t *testing.T, e *Engine) {
	for _, network := range []string{"tcp", "unix"} {
		l, err := e.Listen(network, address(t, network))
		require.NoError(t, err)
		defer l.Close()
		ours, err := e.Dial(network, l.Addr().String())
		require.NoError(t, err)
		defer ours.Close()
		theirs, err := l.Accept()
		require.NoError(t, err)
		defer theirs.Close()
		_, err = ours.Write([]byte("text"))
		require.NoError(t, err)
		_, err = theirs.Read(make([]byte, 4))
		require.NoError(t, err)
	}
	there, err := e.ListenPacket("udp", address(t, "udp"))
	require.NoError(t, err)
	defer there.Close()
	_, err = there.WriteTo([]byte("text"), there.LocalAddr())
	require.NoError(t, err)
	_, _, err = there.ReadFrom(make([]byte, 4))
	require.NoError(t, err)
}

func TestHistogramsOfConnections(t *testing.T) {
	e := ownEngine(t, Options{Histograms: true})
	talk(t, e)
	for kind, times := range map[string]uint64{"recv": 3, "send": 3, "accept": 2, "connect": 2} {
		n := uint64(0)
		for _, some := range e.Stats().Latency[kind] {
			n += some
		}
		require.Equal(t, times, n, kind)
	}
}

// What the file system and the flags are decides how a file is read.
func TestWaysOfReading(t *testing.T) {
	e := busyEngine(t, Options{})
	open := func(dir string, flag int) *File {
		name := filepath.Join(dir, "file")
		require.NoError(t, os.WriteFile(name, bytes.Repeat([]byte("text"), 1<<14), 0o600))
		f, err := e.OpenFile(name, flag, 0)
		require.NoError(t, err)
		t.Cleanup(func() { f.Close() })
		return f
	}
	ringReads := func(f *File) uint64 {
		before := e.Stats().Submitted
		_, err := f.ReadAt(alignedBytes(4096), 4096)
		require.NoError(t, err)
		return e.Stats().Submitted - before
	}
	for place, dir := range places(t) {
		f := open(dir, os.O_RDONLY)
		require.Zero(t, ringReads(f), "%s: it is in the page cache", place)
		if f.disk.reading.Load() == plain {
			continue // tmpfs
		}
		require.Equal(t, uint64(1), ringReads(open(dir, os.O_RDONLY|unix.O_DIRECT)), place)
		cold := uint64(0)
		for i := 0; i < 100 && cold == 0; i++ {
			dropCache(t, f.Name())
			cold = ringReads(f)
		}
		if cold == 0 {
			t.Skip("the disk is as quick as the page cache: readahead is done at once")
		}
		require.Equal(t, uint64(1), cold, place)
		require.Zero(t, ringReads(f), "%s: now it is in the page cache", place)
	}
	f, err := e.Open("/proc/self/maps")
	require.NoError(t, err)
	defer f.Close()
	f.ReadAt(make([]byte, 1), 0)
	require.Equal(t, plain, f.disk.reading.Load())
}

// The page cache is asked by a call that does not wait. A pipe that is taken for a file in it
// and has nothing would keep another one waiting; it has no position to be read from then.
func TestPageCacheIsAsked(t *testing.T) {
	e := busyEngine(t, Options{})
	r, w, err := os.Pipe()
	require.NoError(t, err)
	defer r.Close()
	defer w.Close()
	conn, err := r.SyscallConn()
	require.NoError(t, err)
	require.NoError(t, unix.SetNonblock(int(r.Fd()), false))
	if _, err := unix.Preadv2(int(r.Fd()), [][]byte{make([]byte, 1)}, -1, unix.RWF_NOWAIT); err == unix.EOPNOTSUPP {
		t.Skip("this kernel can't ask a pipe")
	}
	d := &disk{engine: e.rings[0], watch: &e.watch, conn: conn, name: "pipe"}
	within(t, func() {
		_, err := d.read(context.Background(), make([]byte, 4))
		if !errors.Is(err, unix.ESPIPE) {
			t.Error(err)
		}
	})
	_, err = w.Write([]byte("text"))
	require.NoError(t, err)
	require.False(t, t.Failed())
	require.Equal(t, int32(-1), d.score.Load())
	n, err := d.read(context.Background(), make([]byte, 4))
	require.NoError(t, err)
	require.Equal(t, 4, n)
	require.Equal(t, int32(1), d.score.Load())
}

func TestScore(t *testing.T) {
	var d disk
	for range 3 {
		for range trusted {
			require.Less(t, d.score.Load(), int32(trusted))
			d.hit()
		}
		require.Equal(t, int32(trusted), d.score.Load())
		d.hit()
		require.Equal(t, int32(trusted), d.score.Load())
		d.miss()
		require.Zero(t, d.score.Load())
		for range -hopeless {
			d.miss()
		}
		require.Equal(t, int32(hopeless), d.score.Load())
		d.miss()
		require.Equal(t, int32(hopeless), d.score.Load())
		d.hit()
		require.Equal(t, int32(1), d.score.Load())
		d.score.Store(0)
	}
}

// A file that the page cache has had for long is read by plain calls, but for a few that
// ask, and never by more threads at a time than may have to wait.
func TestTrustedReadsAreBounded(t *testing.T) {
	e := ownEngine(t, Options{})
	f, err := e.Create(filepath.Join(t.TempDir(), "file"))
	require.NoError(t, err)
	defer f.Close()
	f.disk.reading.Store(fromCache)
	plainly := func() (n int) {
		for range 2000 {
			if f.disk.readsPlainly(context.Background()) {
				n++
			}
		}
		return n
	}
	require.Zero(t, plainly())
	f.disk.score.Store(trusted)
	n := plainly()
	require.Greater(t, n, 1800)
	require.Less(t, n, 2000, "no read asks any more")
	ring := f.disk.engine
	ring.plainReads.Store(ring.threads)
	require.Zero(t, plainly())
	f.disk.reading.Store(plain)
	require.Equal(t, 2000, plainly(), "a file that can't be asked")
	ring.plainReads.Store(0)
}
