//go:build linux

package liburing_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// The hot path, to see in seconds what a change does to it:
//
//	go test -run - -bench . -count 10 . >new    and the same before the change
//	benchstat old new
//
// An operation is one request, completion, timer, buffer or post. What is compared with
// C and with other libraries is in bench.

var batches = []int{1, 32, 128}

// run is the loop's RunUntilIdle, however long it takes.
func run(b *testing.B, l *liburing.Loop) {
	if err := l.RunUntilIdle(context.Background()); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkLoopNop queues no-ops, a batch when the one before has completed.
func BenchmarkLoopNop(b *testing.B) {
	for _, batch := range batches {
		b.Run(fmt.Sprintf("batch=%d", batch), func(b *testing.B) {
			l := ringtest.NewLoop(b, 256)
			left, pending := b.N, 0
			var next liburing.Callback
			queue := func() {
				pending = min(batch, left)
				left -= pending
				for range pending {
					l.Nop(next)
				}
			}
			next = func(liburing.Completion) {
				if pending--; pending == 0 {
					queue()
				}
			}
			b.ReportAllocs()
			b.ResetTimer()
			queue()
			run(b, l)
		})
	}
}

// BenchmarkRingNop is BenchmarkLoopNop on a Ring.
func BenchmarkRingNop(b *testing.B) {
	for _, batch := range batches {
		b.Run(fmt.Sprintf("batch=%d", batch), func(b *testing.B) {
			ringtest.LockThread(b)
			r := ringtest.NewRing(b, 256, liburing.WithFlags(liburing.SetupSingleIssuer|liburing.SetupDeferTaskrun))
			b.ReportAllocs()
			b.ResetTimer()
			for left := b.N; left > 0; {
				n := min(batch, left)
				for range n {
					r.GetSQE().PrepNop()
				}
				if _, err := r.SubmitAndWait(n); err != nil {
					b.Fatal(err)
				}
				for range r.CQEs() {
					left--
				}
			}
		})
	}
}

// stopwatch measures a part of what a benchmark does. b.StopTimer costs more than what
// it would leave out here, and would have the benchmark take minutes.
type stopwatch struct {
	start time.Time
	spent time.Duration
}

func (w *stopwatch) begin() { w.start = time.Now() }
func (w *stopwatch) end()   { w.spent += time.Since(w.start) }

func (w *stopwatch) report(b *testing.B) {
	b.ReportMetric(float64(w.spent.Nanoseconds())/float64(b.N), "ns/op")
}

const reaped = 4096

// BenchmarkRingReap takes completions off a ring that are there already.
func BenchmarkRingReap(b *testing.B) {
	r := ringtest.NewRing(b, reaped)
	var watch stopwatch
	b.ReportAllocs()
	b.ResetTimer()
	for left := b.N; left > 0; {
		n := min(reaped, left)
		complete(b, r, n, func() { r.GetSQE().PrepNop() })
		watch.begin()
		for range r.CQEs() {
			left--
		}
		watch.end()
	}
	watch.report(b)
}

// BenchmarkLoopReap has a loop take completions off its ring that are there already,
// and call their callbacks.
func BenchmarkLoopReap(b *testing.B) {
	l := ringtest.NewLoop(b, reaped)
	left := b.N
	count := func(liburing.Completion) { left-- }
	var watch stopwatch
	b.ReportAllocs()
	b.ResetTimer()
	for left > 0 {
		require.NoError(b, l.Control(func(*liburing.Ring) error {
			complete(b, l.Ring(), min(reaped, left), func() { l.Nop(count) })
			return nil
		}))
		watch.begin()
		run(b, l)
		watch.end()
	}
	watch.report(b)
}

// complete has n requests complete, whose completions nobody takes yet.
func complete(b *testing.B, r *liburing.Ring, n int, queue func()) {
	for range n {
		queue()
	}
	_, err := r.SubmitAndWait(n)
	require.NoError(b, err)
}

// BenchmarkLoopBacklog queues many more no-ops at once than the ring has room for.
func BenchmarkLoopBacklog(b *testing.B) {
	const most = 1000
	l := ringtest.NewLoop(b, 8)
	b.ReportAllocs()
	b.ResetTimer()
	for left := b.N; left > 0; left -= most {
		for range min(most, left) {
			l.Nop(nil)
		}
		run(b, l)
	}
}

// BenchmarkHandleTable takes places of the table and gives them back, with a thousand
// others taken.
func BenchmarkHandleTable(b *testing.B) {
	table := liburing.NewTable(1000)
	b.ReportAllocs()
	for b.Loop() {
		table.TakeAndRelease()
	}
}

// BenchmarkTimer arms timers and stops them before they fire, a batch in each turn.
func BenchmarkTimer(b *testing.B) {
	const batch = 64
	l := ringtest.NewLoop(b, 8)
	never := func() { b.Error("stopped, and fired") }
	left := b.N
	var next func()
	next = func() {
		n := min(batch, left)
		for range n {
			l.After(time.Hour, never).Stop()
		}
		if left -= n; left > 0 {
			l.After(0, next)
		}
	}
	b.ReportAllocs()
	b.ResetTimer()
	next()
	run(b, l)
}

// BenchmarkTimerReset puts timers off, one after another, of as many as are pending.
func BenchmarkTimerReset(b *testing.B) {
	for _, pending := range []int{1000, 1_000_000} {
		b.Run(fmt.Sprintf("pending=%d", pending), func(b *testing.B) {
			l := ringtest.NewLoop(b, 8)
			timers := make([]*liburing.Timer, pending)
			for i := range timers {
				timers[i] = l.After(time.Minute, func() {})
			}
			i := 0
			b.ReportAllocs()
			for b.Loop() {
				timers[i].Reset(time.Minute)
				if i++; i == pending {
					i = 0
				}
			}
		})
	}
}

// BenchmarkTimerFires has timers fire, all of which are due.
func BenchmarkTimerFires(b *testing.B) {
	const most = 1000
	l := ringtest.NewLoop(b, 8)
	timers := make([]*liburing.Timer, most)
	for i := range timers {
		timers[i] = l.After(time.Hour, func() {})
		timers[i].Stop()
	}
	b.ReportAllocs()
	b.ResetTimer()
	for left := b.N; left > 0; left -= most {
		for i := range min(most, left) {
			timers[i].Reset(0)
		}
		run(b, l)
	}
}

// BenchmarkBuffers receives messages that are there already into the buffers of a
// group, and keeps each until the next.
func BenchmarkBuffers(b *testing.B) {
	const most = 64
	l := ringtest.NewLoop(b, 8)
	g := ringtest.NewGroup(b, l, 16, 64, 0)
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	require.NoError(b, err)
	defer unix.Close(fds[1])
	left, pending := b.N, 0
	var kept liburing.Borrowed
	l.Rearm(func(cb liburing.Callback) liburing.Request {
		return l.RecvMultishot(fds[1], nil, 0, cb).Buffers(g)
	}, func(c liburing.Completion) {
		kept.Release()
		kept = c.Keep()
		if pending--; pending == 0 {
			l.Stop()
		}
	})
	var watch stopwatch
	b.ReportAllocs()
	b.ResetTimer()
	for left > 0 {
		pending = min(most, left)
		left -= pending
		for range pending {
			unix.Write(fds[0], []byte("message"))
		}
		watch.begin()
		if err := l.Run(context.Background()); err != nil {
			b.Fatal(err)
		}
		watch.end()
	}
	watch.report(b)
	b.StopTimer()
	unix.Close(fds[0])
	run(b, l)
	require.ErrorIs(b, kept.Release(), liburing.ErrReleased) // at the end of the stream
}

// BenchmarkPost posts to a loop that runs, as fast as it takes them.
func BenchmarkPost(b *testing.B) {
	l := ringtest.NewLoop(b, 8)
	stop := ringtest.Running(b, l)
	done := make(chan bool)
	f := func() {}
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		l.Post(f)
	}
	l.Post(func() { close(done) })
	<-done
	b.StopTimer()
	stop()
}

// BenchmarkPostWakes posts to a loop that sleeps, and waits for its answer.
func BenchmarkPostWakes(b *testing.B) {
	l := ringtest.NewLoop(b, 8)
	stop := ringtest.Running(b, l)
	answer := make(chan bool)
	f := func() { answer <- true }
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		l.Post(f)
		<-answer
	}
	b.StopTimer()
	stop()
}
