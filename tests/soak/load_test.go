//go:build linux

package soak_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/go-liburing/liburing/ringio"
	"github.com/stretchr/testify/require"
)

var duration = flag.Duration("duration", 2*time.Second, "how long TestLoad lasts (make soak DURATION=10m)")

// What there may be more of in the last quarter of a load than in the second.
const (
	loadRSS     = 24 << 20 // memory under load comes and goes
	loadThreads = 8        // the kernel's workers too
)

// TestLoad has several loops and an engine work as hard as they can for a time, looks at
// every byte that they bring, and for what grows.
func TestLoad(t *testing.T) {
	require.NoError(t, ringio.Available())
	l := newLoad(t)
	var work sync.WaitGroup
	for i, s := range l.loops {
		work.Go(func() {
			for !l.over.Load() && !t.Failed() {
				s.run(s.made + 5_000)
				l.requests[i].Store(int64(s.made))
			}
		})
	}
	for range runtime.GOMAXPROCS(0) {
		work.Go(func() { l.files() })
		work.Go(func() { l.conns() })
	}
	work.Go(func() { l.deadlines() })
	samples := l.watch()
	work.Wait()
	require.False(t, t.Failed())
	l.end()
	t.Logf("seed %d\n%s", *soakSeed, table(samples))
	requireFlat(t, samples)
}

type load struct {
	t        *testing.T
	loops    []*soak
	requests []atomic.Int64
	engine   *ringio.Engine
	door     net.Listener
	accepted sync.WaitGroup
	dir      string
	over     atomic.Bool
	bytes    atomic.Int64 // that files and connections have brought
	digests  atomic.Int64
	expired  atomic.Int64
}

func newLoad(t *testing.T) *load {
	l := &load{t: t, dir: t.TempDir()}
	n := max(runtime.GOMAXPROCS(0), 2)
	l.requests = make([]atomic.Int64, n)
	for i := range n {
		l.loops = append(l.loops, newSoak(t, *soakSeed+uint64(i)))
	}
	var err error
	l.engine, err = ringio.New(ringio.Options{Rings: 2})
	require.NoError(t, err)
	l.door, err = l.engine.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	l.accepted.Go(l.serve)
	return l
}

// fail has the test fail, from any goroutine.
func (l *load) fail(err error) bool {
	if err != nil {
		l.t.Error(err)
		l.over.Store(true)
	}
	return err != nil
}

// files writes files of chance, reads them again in other pieces, and compares digests.
func (l *load) files() {
	rnd := rand.New(rand.NewPCG(rand.Uint64(), 1))
	for n := 0; !l.over.Load(); n++ {
		name := filepath.Join(l.dir, strconv.FormatUint(rnd.Uint64(), 36))
		if l.fail(l.file(rnd, name)) {
			return
		}
	}
}

func (l *load) file(rnd *rand.Rand, name string) error {
	f, err := l.engine.Create(name)
	if err != nil {
		return err
	}
	defer os.Remove(name)
	defer f.Close()
	content := ringtest.Pattern(1+rnd.IntN(1<<20), byte(rnd.Int()))
	for at := 0; at < len(content); {
		n, err := f.WriteAt(content[at:min(at+1+rnd.IntN(1<<17), len(content))], int64(at))
		if err != nil {
			return err
		}
		at += n
	}
	if err := f.SyncData(); err != nil {
		return err
	}
	digest := sha256.New()
	n, err := io.Copy(digest, io.NewSectionReader(f, 0, 1<<30))
	if err != nil {
		return err
	}
	return l.compare(content, int(n), [sha256.Size]byte(digest.Sum(nil)))
}

func (l *load) compare(content []byte, n int, digest [sha256.Size]byte) error {
	if n != len(content) || digest != sha256.Sum256(content) {
		return fmt.Errorf("%d bytes have come for %d, or others", n, len(content))
	}
	l.bytes.Add(int64(n))
	l.digests.Add(1)
	return nil
}

// serve returns to each connection what it sends.
func (l *load) serve() {
	for {
		c, err := l.door.Accept()
		if err != nil {
			return
		}
		l.accepted.Go(func() {
			io.Copy(c, c)
			c.Close()
		})
	}
}

// conns sends on connections of chance, and compares digests of what comes back.
func (l *load) conns() {
	rnd := rand.New(rand.NewPCG(rand.Uint64(), 2))
	for !l.over.Load() {
		if l.fail(l.conn(rnd)) {
			return
		}
	}
}

func (l *load) conn(rnd *rand.Rand) error {
	c, err := l.engine.Dial("tcp", l.door.Addr().String())
	if err != nil {
		return err
	}
	defer c.Close()
	content := ringtest.Pattern(1+rnd.IntN(1<<19), byte(rnd.Int()))
	sent := make(chan error, 1)
	go func() {
		_, err := c.Write(content)
		sent <- errors.Join(err, c.(ringio.TCPConn).CloseWrite())
	}()
	digest := sha256.New()
	n, err := io.Copy(digest, c)
	if err := errors.Join(err, <-sent); err != nil {
		return err
	}
	return l.compare(content, int(n), [sha256.Size]byte(digest.Sum(nil)))
}

// deadlines waits in vain, again and again.
func (l *load) deadlines() {
	r, w, err := os.Pipe()
	if l.fail(err) {
		return
	}
	f := l.engine.Wrap(r)
	defer f.Close()
	defer w.Close()
	for b := make([]byte, 8); !l.over.Load(); l.expired.Add(1) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
		_, err := f.ReadContext(ctx, b)
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) {
			l.fail(fmt.Errorf("a read of nothing: %w", err))
			return
		}
	}
}

// end gives all back, and asserts that it was in order.
func (l *load) end() {
	require.NoError(l.t, l.door.Close())
	l.accepted.Wait()
	require.NoError(l.t, l.engine.Shutdown(context.Background()))
	for _, s := range l.loops {
		require.Equal(l.t, s.begun, s.ended, "callbacks")
		require.Equal(l.t, s.posted, s.ran, "posted functions")
		require.NotZero(l.t, s.cancels)
		u := s.measure()
		require.Zero(l.t, u.inFlight)
		require.Zero(l.t, u.handles)
		ringtest.AllBack(l.t, s.group)
	}
	require.NotZero(l.t, l.digests.Load())
	require.NotZero(l.t, l.expired.Load())
}

// sample is what there is at a moment of the load.
type sample struct {
	at                                     time.Duration
	requests, digests, bytes, expired      int64
	rss, fds, threads, goroutines, handles int
}

func (s sample) String() string {
	return fmt.Sprintf("%8v %12d %9d %9d %8d %9d %6d %8d %7d", s.at.Round(time.Second/10), s.requests, s.digests, s.bytes>>20, s.expired,
		s.rss>>20, s.fds, s.threads, s.handles)
}

const heading = "    time     requests   digests       MiB  expired  RSS(MiB)    fds  threads handles"

// fewest is how many samples tell something; where all is slow they take longer.
const fewest = 8

// watch looks at the load until it is over, a hundred times and once a second at most. Of a long one
// it tells.
func (l *load) watch() (samples []sample) {
	begin := time.Now()
	every := max(*duration/100, time.Second)
	if *duration < 20*time.Second {
		every = *duration / 20
	}
	for next := begin.Add(every); (time.Since(begin) < *duration || len(samples) < fewest) && !l.over.Load(); next = next.Add(every) {
		time.Sleep(time.Until(next))
		samples = append(samples, l.sample(time.Since(begin)))
		if *duration > 10*time.Second {
			if len(samples)%20 == 1 {
				fmt.Println(heading)
			}
			fmt.Println(samples[len(samples)-1])
		}
	}
	l.over.Store(true)
	return samples
}

func (l *load) sample(at time.Duration) sample {
	s := sample{at: at, digests: l.digests.Load(), bytes: l.bytes.Load(), expired: l.expired.Load(), rss: resident(l.t),
		fds: len(ringtest.OpenFDs()), goroutines: runtime.NumGoroutine()}
	threads, _ := os.ReadDir("/proc/self/task")
	s.threads = len(threads)
	for i := range l.loops {
		s.requests += l.requests[i].Load()
		s.handles += l.loops[i].l.Stats().InFlight
	}
	return s
}

// table is a part of the samples, for a reader.
func table(samples []sample) string {
	text := heading + "\n"
	for i := range 10 {
		if at := len(samples)*(i+1)/10 - 1; at >= 0 {
			text += samples[at].String() + "\n"
		}
	}
	return text
}

// requireFlat compares the last quarter with the second.
func requireFlat(t *testing.T, samples []sample) {
	require.GreaterOrEqual(t, len(samples), fewest)
	quarter := len(samples) / 4
	before, after := samples[quarter:2*quarter], samples[len(samples)-quarter:]
	least := func(of []sample, what func(sample) int) int {
		n := what(of[0])
		for _, s := range of {
			n = min(n, what(s))
		}
		return n
	}
	for name, c := range map[string]struct {
		slack int
		what  func(sample) int
	}{
		"resident memory": {loadRSS, func(s sample) int { return s.rss }},
		"descriptors":     {16, func(s sample) int { return s.fds }},
		"threads":         {loadThreads, func(s sample) int { return s.threads }},
		"goroutines":      {64, func(s sample) int { return s.goroutines }},
		"handles":         {2 * soakJobs, func(s sample) int { return s.handles }},
	} {
		if name == "resident memory" && ringtest.Race { // its shadow of the heap grows for a while
			continue
		}
		require.LessOrEqual(t, least(after, c.what), least(before, c.what)+c.slack, name)
	}
}
