//go:build linux

package liburing_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// A chain that the queue has no room for fails, and holds nothing up.
func TestChainLongerThanTheQueue(t *testing.T) {
	ringtest.OverLoops(t, 4, func(t *testing.T, l *liburing.Loop) {
		var errs []error
		note := func(c liburing.Completion) { errs = append(errs, c.Err()) }
		for i := range 6 {
			r := l.Nop(note)
			if i < 5 {
				r.LinkNext()
			}
		}
		l.Nop(note)
		ringtest.RunIdle(t, l)
		require.Len(t, errs, 7)
		for _, err := range errs[:6] {
			require.ErrorIs(t, err, unix.EINVAL)
			require.ErrorContains(t, err, "6 requests")
		}
		require.NoError(t, errs[6], "what comes behind it")
	})
}

// A quiet chain that is too long tells of each of its requests, once.
func TestQuietChainLongerThanTheQueue(t *testing.T) {
	l := ringtest.NewLoop(t, 4)
	failed := 0
	note := func(c liburing.Completion) {
		require.ErrorIs(t, c.Err(), unix.EINVAL)
		failed++
	}
	for range 5 {
		l.Nop(note).LinkNext()
	}
	l.Nop(note).SkipSuccess()
	ringtest.RunIdle(t, l)
	require.Equal(t, 6, failed)
}

// Each request is found where it waits, however many do: also what was in the queue, what
// others were taken from between, and what has others in front of it.
func TestFindsWhatWaits(t *testing.T) {
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		requireFound := func(all []liburing.Request, state liburing.State) {
			t.Helper()
			for _, r := range all {
				sqe := r.SQE()
				if l.State(r.Token()) != state || (sqe != nil) != (state == liburing.StateQueued) || sqe != nil && sqe.UserData != uint64(r.Token()) {
					t.Fatalf("%v, with an entry: %v", l.State(r.Token()), sqe != nil)
				}
			}
		}
		timeout := l.Timeout(time.Hour, 0, 0, nil)
		ringtest.RunFor(t, l, time.Millisecond)
		requireFound([]liburing.Request{timeout}, liburing.StateInFlight)
		var all []liburing.Request
		done := 0
		for i := range 1<<16 + 100 {
			if i == 4 || i == 1<<16 {
				l.Revoke(timeout.Token()) // a request of the loop's own
			}
			all = append(all, l.Nop(func(c liburing.Completion) {
				require.NoError(t, c.Err())
				if done++; done == 1000 {
					l.Stop()
				}
			}))
		}
		requireFound(all, liburing.StateQueued)
		all[len(all)-1].Flags(liburing.SQEIODrain) // which has those go in front
		requireFound(all, liburing.StateQueued)
		require.NoError(t, l.Run(t.Context()))
		requireFound(all[:done], liburing.StateDone)
		ringtest.RunIdle(t, l)
		requireFound(all, liburing.StateDone)
		require.Len(t, all, done)
	})
}

// A link with nothing behind it ends where the turn does: the loop's own requests
// are not linked to it.
func TestOpenChainEndsWithTheTurn(t *testing.T) {
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		r, w := ringtest.Pipe(t)
		var read error
		l.Read(r, make([]byte, 1), 0, func(c liburing.Completion) { read = c.Err() }).LinkNext()
		ran := make(chan error, 1)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go func() { ran <- l.Run(ctx) }()
		ringtest.WaitAsleep(t, l)
		posted := make(chan bool)
		require.NoError(t, l.Post(func() { close(posted) }))
		ringtest.Within(t, func() { <-posted })
		ringtest.WaitAsleep(t, l)
		cancel()
		ringtest.Within(t, func() { require.ErrorIs(t, <-ran, context.Canceled) })
		unix.Write(w, []byte("x"))
		ringtest.RunIdle(t, l)
		require.NoError(t, read)
	})
}

// What the loop has to ask the kernel for while a chain is made is no part of it.
func TestOwnRequestsStayOutOfChains(t *testing.T) {
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		r, w := ringtest.Pipe(t)
		timeout := l.Timeout(time.Hour, 0, 0, nil).Token()
		ringtest.RunFor(t, l, time.Millisecond)
		var order []string
		l.Read(r, make([]byte, 1), 0, func(liburing.Completion) { order = append(order, "read") }).LinkNext()
		l.Revoke(timeout)
		l.Nop(func(liburing.Completion) { order = append(order, "next") })
		ringtest.RunFor(t, l, 20*time.Millisecond)
		require.Empty(t, order, "the second waits for the first")
		unix.Write(w, []byte("x"))
		ringtest.RunIdle(t, l)
		require.Equal(t, []string{"read", "next"}, order)
	})
}

// Requests that may block are submitted where the scheduler knows, also those that
// had to wait in the backlog.
func TestBacklogOfRequestsThatMayBlock(t *testing.T) {
	l := ringtest.NewLoop(t, 4)
	file := int(ringtest.TempFile(t, ringtest.Pattern(64, 1)).Fd())
	if _, err := unix.Preadv2(file, [][]byte{make([]byte, 8)}, 0, unix.RWF_NOWAIT); err != nil {
		require.ErrorIs(t, err, unix.EOPNOTSUPP)
		t.Skip("this file system reads in workers only: no completion comes before the backlog has gone")
	}
	seen := 0
	for range 16 {
		l.Read(file, make([]byte, 8), 0, func(liburing.Completion) {
			if l.Waits(file) {
				seen++
				require.True(t, l.MayBlock())
			}
		})
	}
	ringtest.RunIdle(t, l)
	require.NotZero(t, seen)
}

// Twenty times as many requests take twenty times as long, not four hundred.
func TestBacklogOfManyRequests(t *testing.T) {
	took := func(n int, queue func(*liburing.Loop)) time.Duration {
		l := ringtest.NewLoop(t, 8)
		start := time.Now()
		for range n {
			queue(l)
		}
		ringtest.RunIdle(t, l)
		return time.Since(start)
	}
	for name, queue := range map[string]func(*liburing.Loop){
		"requests":     func(l *liburing.Loop) { l.Nop(nil) },
		"quiet chains": func(l *liburing.Loop) { l.Nop(nil).LinkNext(); l.Nop(nil).SkipSuccess() },
	} {
		t.Run(name, func(t *testing.T) {
			few, many := took(2_000, queue), took(40_000, queue)
			for try := 0; many >= 100*few && try < 10; try++ { // something else had the processor
				few, many = took(2_000, queue), took(40_000, queue)
			}
			require.Less(t, many, 100*few, fmt.Sprint(few, many))
		})
	}
}

// Requests that wait take chunks of memory, not a piece each.
func TestBacklogAllocatesChunks(t *testing.T) {
	l := ringtest.NewLoop(t, 8)
	const count = 20_000
	queue := func() (mallocs uint64) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range count {
			l.Nop(nil)
		}
		runtime.ReadMemStats(&after)
		ringtest.RunIdle(t, l)
		return after.Mallocs - before.Mallocs
	}
	require.Less(t, queue(), uint64(count/20))
	n, most := l.SpareChunks()
	require.LessOrEqual(t, n, most)
}

// Whatever is put in and taken out at either end, the order and the bytes stay, also
// those of the second half of big entries.
func TestBacklogIsADeque(t *testing.T) {
	for _, opts := range [][]liburing.Option{nil, {liburing.WithFlags(liburing.SetupSQE128)}} {
		if len(opts) > 0 && liburing.UnknownFlags(liburing.SetupSQE128) != 0 {
			continue // Linux before 5.19
		}
		r := ringtest.NewRing(t, 8, opts...)
		b, other := liburing.NewBacklog(r), liburing.NewBacklog(r)
		var want []uint64
		put := func(e, half *liburing.SQE, v uint64) {
			*e = liburing.SQE{UserData: v}
			if half != nil {
				half.UserData = ^v
			}
		}
		for v := uint64(1); v < 20_000; v++ {
			switch op := rand.IntN(20); {
			case op < 8 || v < 1000:
				e, half := b.Push()
				put(e, half, v)
				want = append(want, v)
			case op < 10:
				e, half := b.PushFront()
				put(e, half, v)
				want = append([]uint64{v}, want...)
			case op < 11:
				e, half := other.Push()
				put(e, half, v)
				b.Take(other)
				want = append(want, v)
			case len(want) > 0:
				b.Pop()
				want = want[1:]
			}
			if len(want) == 0 {
				continue
			}
			i := rand.IntN(len(want))
			e, half := b.At(i)
			require.Equal(t, want[i], e.UserData)
			if half != nil {
				require.Equal(t, ^want[i], half.UserData)
			}
		}
		require.Equal(t, len(want), b.Len())
		for b.Len() > 0 {
			e, _ := b.At(0)
			require.Equal(t, want[0], e.UserData)
			want = want[1:]
			b.Pop()
		}
	}
}
