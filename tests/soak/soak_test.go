//go:build linux

package soak_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

var (
	soakRequests = flag.Int("soak", 200_000, "how many requests TestSoak makes; many: -soak 10000000 -timeout 10m -v")
	soakSeed     = flag.Uint64("soakseed", 1, "what TestSoak makes its choices from")
)

// What a loop may have more of after the whole soak than after a tenth of it.
const (
	soakRSS  = 8 << 20 // the Go heap's slack comes and goes
	soakHeap = 256 << 10
)

// soakPieces is how many times the loop runs dry, and is measured.
const soakPieces = 10

// TestSoak makes many requests of many kinds, some of them cancelled, and looks
// for what grows: memory, descriptors, goroutines, handles.
func TestSoak(t *testing.T) {
	s := newSoak(t, *soakSeed)
	var first usage
	for piece := 1; piece <= soakPieces; piece++ {
		start, before := time.Now(), s.made
		s.run(*soakRequests * piece / soakPieces)
		u := s.measure()
		t.Logf("%3d %%: %d requests, %d cancelled, %d bytes received, %d/s: %v", 100*piece/soakPieces,
			s.made, s.cancels, s.bytes, int(float64(s.made-before)/time.Since(start).Seconds()), u)
		if piece == 1 {
			first = u
		}
		require.Zero(t, u.inFlight)
		require.Zero(t, u.handles)
		require.Equal(t, first.fds, u.fds, "descriptors")
		require.LessOrEqual(t, u.goroutines, first.goroutines, "goroutines")
		require.LessOrEqual(t, u.heap, first.heap+soakHeap, "heap")
		if !ringtest.Race { // its shadow of the heap grows for a while
			require.LessOrEqual(t, u.rss, first.rss+soakRSS, "resident memory")
		}
	}
	require.Equal(t, s.begun, s.ended, "callbacks")
	require.Equal(t, s.posted, s.ran, "posted functions")
	require.NotZero(t, s.cancels)
	ringtest.AllBack(t, s.group)
}

// soak keeps a number of jobs going, each of which begins another at its end.
type soak struct {
	t     *testing.T
	l     *liburing.Loop
	rnd   *rand.Rand
	until int // requests to be made
	jobs  int // going on

	made    int // requests, with those that cancel others
	begun   int // requests with a callback that counts
	ended   int // last calls of these callbacks
	cancels int // requests that ended by a cancel
	bytes   int
	posted  int
	ran     int

	file   int
	silent int // a pipe that nobody writes to
	group  *liburing.BufGroup
	pairs  [][2]int // connections that no job uses
	free   [][]byte // buffers that no job uses
	data   []byte
}

const soakJobs = 64

func newSoak(t *testing.T, seed uint64) *soak {
	l := ringtest.NewLoop(t, 128)
	s := &soak{t: t, l: l, rnd: rand.New(rand.NewPCG(seed, 0)), data: ringtest.Pattern(4096, 1)}
	s.file = int(ringtest.TempFile(t, s.data).Fd())
	s.silent, _ = ringtest.Pipe(t)
	s.group = ringtest.NewGroup(t, l, 2*soakJobs, 512, 0)
	for range soakJobs {
		a, b := ringtest.SocketPair(t)
		s.pairs = append(s.pairs, [2]int{a, b})
		s.free = append(s.free, make([]byte, 4096))
	}
	return s
}

// run goes on until so many requests were made, and all have completed.
func (s *soak) run(until int) {
	s.until = until
	for range soakJobs {
		s.next()
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	require.NoError(s.t, s.l.RunUntilIdle(ctx))
	require.Zero(s.t, s.jobs)
}

// next begins a job, if there are more to do.
func (s *soak) next() {
	if s.made >= s.until {
		return
	}
	s.jobs++
	switch n := s.rnd.IntN(100); {
	case n < 40:
		s.request(s.l.Nop, s.succeeded)
	case n < 55:
		s.read()
	case n < 65:
		s.write()
	case n < 80:
		s.echo()
	case n < 87:
		s.cancelled()
	case n < 90:
		s.timer()
	case n < 95:
		s.chain()
	case n < 97:
		s.context()
	default:
		s.post()
	}
}

func (s *soak) done() {
	s.jobs--
	s.next()
}

// request makes a request and counts it.
func (s *soak) request(do func(liburing.Callback) liburing.Request, then func(liburing.Completion)) liburing.Request {
	s.made++
	s.begun++
	return do(func(c liburing.Completion) {
		if c.More() {
			s.fail("one completion was to be the last: %+v", c)
		}
		s.ended++
		if c.Res == -int32(unix.ECANCELED) {
			s.cancels++
		}
		then(c)
	})
}

func (s *soak) fail(format string, args ...any) { require.Fail(s.t, fmt.Sprintf(format, args...)) }

func (s *soak) succeeded(c liburing.Completion) {
	if c.Res < 0 {
		s.fail("%v", c.Err())
	}
	s.done()
}

// buffer takes a buffer that give gives back.
func (s *soak) buffer() []byte {
	last := len(s.free) - 1
	b := s.free[last]
	s.free = s.free[:last]
	return b
}

func (s *soak) give(b []byte) { s.free = append(s.free, b) }

func (s *soak) read() {
	buf := s.buffer()
	off := s.rnd.IntN(len(s.data) - 512)
	s.request(func(cb liburing.Callback) liburing.Request { return s.l.Read(s.file, buf[:512], uint64(off), cb) }, func(c liburing.Completion) {
		if c.Res != 512 || string(buf[:512]) != string(s.data[off:off+512]) {
			s.fail("read at %d: %d, %v", off, c.Res, c.Err())
		}
		s.give(buf)
		s.succeeded(c)
	})
}

// write writes what the file has already: reads see the same bytes throughout.
func (s *soak) write() {
	off := s.rnd.IntN(len(s.data) - 512)
	s.request(func(cb liburing.Callback) liburing.Request {
		return s.l.Write(s.file, s.data[off:off+512], uint64(off), cb)
	}, s.succeeded)
}

// echo sends bytes to itself; every eighth message is kept for a while.
func (s *soak) echo() {
	last := len(s.pairs) - 1
	pair := s.pairs[last]
	s.pairs = s.pairs[:last]
	n := 1 + s.rnd.IntN(512)
	keep := s.rnd.IntN(8) == 0
	s.request(func(cb liburing.Callback) liburing.Request { return s.l.Recv(pair[1], nil, 0, cb).Buffers(s.group) }, func(c liburing.Completion) {
		if got := c.Buffer(); string(got) != string(s.data[:n]) {
			s.fail("sent %d, received %d bytes, %v", n, len(got), c.Err())
		}
		s.bytes += n
		s.pairs = append(s.pairs, pair)
		if !keep {
			s.done()
			return
		}
		kept := c.Keep()
		s.request(s.l.Nop, func(liburing.Completion) {
			if string(kept.Bytes()) != string(s.data[:n]) || kept.Release() != nil || !errors.Is(kept.Release(), liburing.ErrReleased) {
				s.fail("kept bytes changed, or could not be released once")
			}
			s.done()
		})
	})
	s.request(func(cb liburing.Callback) liburing.Request { return s.l.Send(pair[0], s.data[:n], 0, cb) }, func(c liburing.Completion) {
		if int(c.Res) != n {
			s.fail("sent %d of %d: %v", c.Res, n, c.Err())
		}
	})
}

// cancelled begins a read that nothing ends but the cancel behind it.
func (s *soak) cancelled() {
	buf := s.buffer()
	token := s.request(func(cb liburing.Callback) liburing.Request { return s.l.Read(s.silent, buf, 0, cb) }, func(c liburing.Completion) {
		s.give(buf)
		s.ends(c)
	}).Token()
	s.request(func(cb liburing.Callback) liburing.Request { return s.l.Cancel(token, 0, cb) }, func(c liburing.Completion) {
		if c.Res < 0 && c.Res != -int32(unix.EALREADY) {
			s.fail("cancel: %v", c.Err())
		}
	})
}

// ends ends a job that was to be cancelled.
func (s *soak) ends(c liburing.Completion) {
	if c.Res != -int32(unix.ECANCELED) {
		s.fail("not cancelled: %d", c.Res)
	}
	s.done()
}

// timer lets a timeout pass, or takes it back.
func (s *soak) timer() {
	if s.rnd.IntN(2) == 0 {
		s.request(func(cb liburing.Callback) liburing.Request { return s.l.Timeout(10*time.Microsecond, 0, 0, cb) }, func(c liburing.Completion) {
			if c.Res != -int32(unix.ETIME) {
				s.fail("timeout: %d", c.Res)
			}
			s.done()
		})
		return
	}
	token := s.request(func(cb liburing.Callback) liburing.Request { return s.l.Timeout(time.Hour, 0, 0, cb) }, s.ends).Token()
	s.request(func(cb liburing.Callback) liburing.Request { return s.l.TimeoutRemove(token, 0, cb) }, func(c liburing.Completion) {
		if c.Res != 0 {
			s.fail("removal of a timeout: %v", c.Err())
		}
	})
}

// chain links three requests, the first of which may be bad, aloud or not.
func (s *soak) chain() {
	bad, quiet := s.rnd.IntN(2) == 0, s.rnd.IntN(2) == 0
	told := 0
	note := func(c liburing.Completion) { told++ }
	first := s.l.Nop
	if bad {
		first = func(cb liburing.Callback) liburing.Request { return s.l.Read(-1, nil, 0, cb) }
	}
	s.request(first, note).LinkNext()
	s.request(s.l.Nop, note).LinkNext()
	last := s.request(s.l.Nop, func(c liburing.Completion) {
		want := 2
		if quiet && !bad {
			want = 0
			s.ended += 2 // without a word
		}
		if told != want || bad != (c.Res == -int32(unix.ECANCELED)) {
			s.fail("chain (bad %v, quiet %v): %d callbacks, last %d", bad, quiet, told, c.Res)
		}
		s.done()
	})
	if quiet {
		last.SkipSuccess()
	}
}

// context ends a read by its context.
func (s *soak) context() {
	ctx, cancel := context.WithCancel(context.Background())
	buf := s.buffer()
	s.request(func(cb liburing.Callback) liburing.Request { return s.l.Read(s.silent, buf, 0, cb) }, func(c liburing.Completion) {
		if !errors.Is(c.Err(), context.Canceled) {
			s.fail("context: %v", c.Err())
		}
		s.give(buf)
		s.ends(c)
	}).WithContext(ctx)
	cancel()
	s.made++ // the loop's cancel
}

// post has another goroutine post the job's end.
func (s *soak) post() {
	s.posted++
	// A request keeps the loop from running dry before the post comes.
	posted := false
	token := s.request(func(cb liburing.Callback) liburing.Request { return s.l.Timeout(time.Hour, 0, 0, cb) }, func(c liburing.Completion) {
		if !posted {
			s.fail("the timeout ended before the post: %v", c.Err())
		}
		s.ends(c)
	}).Token()
	go s.l.Post(func() {
		posted = true
		s.ran++
		s.made++
		s.l.TimeoutRemove(token, 0, nil)
	})
}

// usage is what there is at a point where the loop has run dry.
type usage struct {
	rss, heap                          int
	fds, goroutines, handles, inFlight int
}

func (u usage) String() string {
	return fmt.Sprintf("resident %d KiB, heap %d KiB, %d descriptors, %d goroutines, %d handles, %d in flight",
		u.rss>>10, u.heap>>10, u.fds, u.goroutines, u.handles, u.inFlight)
}

func (s *soak) measure() usage {
	runtime.GC()
	runtime.GC() // what the first has finalized
	for range 100 {
		if runtime.NumGoroutine() <= 3 { // posters that are ending
			break
		}
		time.Sleep(time.Millisecond)
	}
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	u := usage{heap: int(mem.HeapAlloc), goroutines: runtime.NumGoroutine(), fds: len(ringtest.OpenFDs()), inFlight: s.l.Stats().InFlight}
	require.NoError(s.t, s.l.Control(func(*liburing.Ring) error {
		u.handles = ringtest.BooksOf(s.l).Handles
		return nil
	}))
	u.rss = resident(s.t)
	return u
}

// resident returns how much memory the process has.
func resident(t *testing.T) (bytes int) {
	statm, err := os.ReadFile("/proc/self/statm")
	require.NoError(t, err)
	var size, pages int
	_, err = fmt.Sscan(string(statm), &size, &pages)
	require.NoError(t, err)
	return pages * os.Getpagesize()
}
