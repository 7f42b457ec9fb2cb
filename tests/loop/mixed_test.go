//go:build linux

package loop_test

import (
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

const nopEIO = -int32(unix.EIO)

// A loop takes requests of both sizes, in chains of any shape, in its order, and counts
// each once.
func TestLoopOfMixedEntries(t *testing.T) {
	for _, opts := range [][]liburing.Option{nil, {liburing.WithSQPoll(20 * time.Millisecond)}, {liburing.WithFlags(liburing.SetupCoopTaskrun)}, {liburing.WithFlags(liburing.SetupCQE32)}} {
		l := ringtest.NewLoop(t, 16, append(opts, liburing.WithFlags(liburing.SetupSQEMixed))...)
		g := rand.New(rand.NewPCG(1, 2))
		const chains = 300
		var want, got []int32
		cancelled := 0
		for n := range chains {
			length, bad := 1+g.IntN(5), g.IntN(10) // the place of the request that fails
			for i := range length {
				at := len(want)
				want, got = append(want, 0), append(got, 1)
				cb := func(c liburing.Completion) {
					require.EqualValues(t, 1, got[at], "it is told once")
					got[at] = c.Res
				}
				var r liburing.Request
				switch {
				case i == bad:
					r = nop(l, liburing.NopInjectResult, func(s *liburing.SQE) { s.Len = uint32(0xffffffff & int64(nopEIO)) }, cb)
					want[at] = nopEIO
				case g.IntN(2) == 0:
					r = l.Nop128(cb)
				default:
					r = l.Nop(cb)
				}
				if i > bad {
					want[at] = -int32(unix.ECANCELED)
					cancelled++
				}
				if i < length-1 {
					r.LinkNext()
				} else if g.IntN(4) == 0 {
					r.SkipSuccess() // of the callbacks none but the last may be called then
					for j := at - i; j < min(at, at-i+bad); j++ {
						want[j] = 1
					}
				}
			}
			if n%7 == 0 {
				ringtest.RunIdle(t, l)
			}
		}
		ringtest.RunIdle(t, l)
		require.Equal(t, want, got)
		require.NotZero(t, cancelled)
		s := l.Stats()
		require.Zero(t, s.Stale)
		require.GreaterOrEqual(t, s.Submitted, uint64(len(want)))
		require.Less(t, s.Submitted, uint64(len(want)+200), "requests, not places")
	}
}

// A big request fits into the smallest loop with its deadline, and a chain that may
// not fit at some place of the queue fails at all.
func TestLoopOfFewMixedEntries(t *testing.T) {
	l := ringtest.NewLoop(t, 1, liburing.WithFlags(liburing.SetupSQEMixed))
	for range 5 {
		require.Zero(t, ringtest.One(t, l, func(cb liburing.Callback) liburing.Request { return l.Nop(cb) }))
		require.Zero(t, ringtest.One(t, l, func(cb liburing.Callback) liburing.Request { return l.Nop128(cb).Deadline(time.Minute) }))
	}
	for range 5 {
		require.Zero(t, ringtest.One(t, l, func(cb liburing.Callback) liburing.Request { return l.Nop(cb) }))
		l.Nop128(nil).LinkNext()
		c := ringtest.Finish(t, l, func(cb liburing.Callback) liburing.Request { return l.Nop128(cb) })
		require.ErrorContains(t, c.Err(), "its chain has 2 requests, which may take 5 entries")
	}
}

// Drains, contexts and the loop's own requests live with them.
func TestLoopOfMixedEntriesDrains(t *testing.T) {
	l := ringtest.NewLoop(t, 8, liburing.WithFlags(liburing.SetupSQEMixed))
	rd, wr := ringtest.Pipe(t)
	for range 6 {
		var order []string
		note := func(what string) liburing.Callback {
			return func(c liburing.Completion) {
				require.NoError(t, c.Err())
				order = append(order, what)
			}
		}
		l.Read(rd, make([]byte, 1), 0, note("read"))
		l.Nop128(note("drain")).Flags(liburing.SQEIODrain)
		ringtest.RunFor(t, l, time.Millisecond)
		require.Empty(t, order)
		unix.Write(wr, []byte("x"))
		ringtest.RunIdle(t, l)
		require.Equal(t, []string{"read", "drain"}, order)
	}
}

// A queue of completions of both sizes that overflows loses none, or no loop has one.
func TestLoopOfMixedCompletions(t *testing.T) {
	ringtest.NeedsSetup(t, liburing.SetupCQEMixed)
	l, err := liburing.NewLoop(64, liburing.WithFlags(liburing.SetupCQEMixed), liburing.WithCQEntries(64))
	if errors.Is(err, liburing.ErrNotSupported) {
		require.False(t, ringtest.KernelBefore(6, 18))
		require.True(t, ringtest.KernelBefore(7, 3), "it is mended")
		require.ErrorIs(t, err, unix.EINVAL)
		require.ErrorContains(t, err, "loses completions")
		return
	}
	require.NoError(t, err)
	t.Cleanup(func() { ringtest.CloseLoop(t, l) })
	g := rand.New(rand.NewPCG(1, 2))
	const n = 4000
	var got [n]int
	for i := range n {
		flags := liburing.NopFlags(g.IntN(2)) * liburing.NopCQE32
		nop(l, flags, func(s *liburing.SQE) { s.Off = uint64(i) }, func(c liburing.Completion) {
			got[i]++
			if flags != 0 {
				require.EqualValues(t, i, c.BigCQE()[0])
			}
		})
	}
	ringtest.RunIdle(t, l)
	for i := range got {
		require.Equal(t, 1, got[i])
	}
	require.NotZero(t, l.Stats().Overflows)
}

// nop queues a no-op with flags, and what else the entry shall have.
func nop(l *liburing.Loop, flags liburing.NopFlags, set func(*liburing.SQE), cb liburing.Callback) liburing.Request {
	r := l.Nop(cb)
	r.SQE().OpFlags = uint32(flags)
	set(r.SQE())
	return r
}
