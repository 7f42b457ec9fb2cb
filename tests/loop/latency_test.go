//go:build linux

package loop_test

import (
	"testing"
	"time"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// A loop that may be late takes completions that come one by one together, and ends its
// wait at once when all are there that can come.
func TestLatencyGathers(t *testing.T) {
	ringtest.NeedsKernel(t, 6, 12) // waits with a least time
	const pipes, latency = 10, 10 * time.Second
	batches := func(opts ...liburing.Option) uint64 {
		l := ringtest.NewLoop(t, 16, opts...)
		var writers []int
		for range pipes {
			r, w := ringtest.Pipe(t)
			l.Read(r, make([]byte, 1), liburing.CurrentPosition, func(c liburing.Completion) { require.EqualValues(t, 1, c.Res) })
			writers = append(writers, w)
		}
		done := make(chan bool)
		go func() {
			defer close(done)
			for _, w := range writers {
				ringtest.WaitAsleep(t, l)
				unix.Write(w, []byte{1})
				time.Sleep(time.Millisecond) // what is not gathered is told meanwhile
			}
		}()
		begin := time.Now()
		ringtest.RunIdle(t, l)
		require.Less(t, time.Since(begin), latency)
		<-done
		return l.Stats().Batches
	}
	alone := batches()
	together := batches(liburing.WithLatency(latency))
	require.LessOrEqual(t, together, uint64(3), "a signal may end a wait")
	require.Greater(t, alone, together)
}

// Once its time is over a single completion is enough, and a post; a timer never waits.
func TestLatencyIsALimit(t *testing.T) {
	l := ringtest.NewLoop(t, 16, liburing.WithLatency(20*time.Millisecond))
	silent, _ := ringtest.Pipe(t)
	l.Read(silent, make([]byte, 1), liburing.CurrentPosition, nil)
	r, w := ringtest.Pipe(t)
	read := make(chan bool)
	l.Read(r, make([]byte, 1), liburing.CurrentPosition, func(liburing.Completion) { close(read) })
	fired := make(chan bool)
	l.After(time.Millisecond, func() { close(fired) })
	stop := ringtest.Running(t, l)
	ringtest.Within(t, func() { <-fired })
	unix.Write(w, []byte{1})
	ringtest.Within(t, func() { <-read })
	posted := make(chan bool)
	require.NoError(t, l.Post(func() { close(posted) }))
	ringtest.Within(t, func() { <-posted })
	stop()
}
