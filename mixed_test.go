//go:build linux

package liburing_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

const nopEIO = -int32(unix.EIO)

// mixedRing returns a ring whose next entry has the queue's last place but before it.
func mixedRing(t *testing.T, entries, before int) *liburing.Ring {
	t.Helper()
	ringtest.LockThread(t)
	r := ringtest.NewRing(t, entries, liburing.WithFlags(liburing.SetupSQEMixed|liburing.SetupSubmitAll))
	for range entries - 1 - before {
		ringtest.SubmitOne(t, r, func(s *liburing.SQE) { s.PrepNop() })
	}
	return r
}

// results submits, and returns the results of n completions by user data.
func results(t *testing.T, r *liburing.Ring, n int) map[uint64]int32 {
	t.Helper()
	_, err := r.Submit()
	require.NoError(t, err)
	res := map[uint64]int32{}
	for end := time.Now().Add(5 * time.Second); len(res) < n; {
		require.True(t, time.Now().Before(end), "only %v", res)
		for cqe := range r.CQEs() {
			require.NotContains(t, res, cqe.UserData)
			res[cqe.UserData] = cqe.Res
		}
	}
	_, err = r.PeekCQE()
	require.ErrorIs(t, err, unix.EAGAIN, "there is no more")
	return res
}

// failing prepares a no-op that fails.
func failing(s *liburing.SQE) {
	s.PrepNop()
	s.OpFlags, s.Len = uint32(liburing.NopInjectResult), uint32(0xffffffff&int64(nopEIO))
}

// A chain that goes over the queue's end is one chain, and what fills the place
// there is not told.
func TestBigEntriesKeepChains(t *testing.T) {
	for _, flag := range []liburing.SQEFlags{0, liburing.SQEIOLink, liburing.SQEIOHardlink} {
		t.Run(fmt.Sprint(flag), func(t *testing.T) {
			r := mixedRing(t, 8, 1)
			s := r.GetSQE()
			failing(s)
			s.Flags, s.UserData = flag, 1
			s = r.GetSQE128()
			s.PrepNop128()
			s.UserData = 2
			want := map[uint64]int32{1: nopEIO, 2: 0}
			if flag == liburing.SQEIOLink {
				want[2] = -int32(unix.ECANCELED)
			}
			require.Equal(t, want, results(t, r, 2))
		})
	}
}

// So is one whose entry before the end is a big one itself, with bytes of its command
// that look like flags.
func TestBigEntriesKeepChainsOfBigOnes(t *testing.T) {
	for _, flag := range []liburing.SQEFlags{0, liburing.SQEIOLink} {
		r := mixedRing(t, 8, 2)
		rd, _ := ringtest.Pipe(t)
		s := r.GetSQE128()
		s.PrepURingCmd128(1, rd) // a pipe has no commands
		s.Flags, s.UserData = flag, 1
		for i := range s.CmdBytes(true) {
			s.CmdBytes(true)[i] = 0xff &^ byte(flag)
		}
		s = r.GetSQE128()
		s.PrepNop128()
		s.UserData = 2
		want := map[uint64]int32{1: -int32(unix.EOPNOTSUPP), 2: 0}
		if flag != 0 {
			want[2] = -int32(unix.ECANCELED)
		}
		require.Equal(t, want, results(t, r, 2))
	}
}

// A chain ends with the submission: what fills the place is no part of one that has gone.
func TestBigEntriesBeginChains(t *testing.T) {
	r := mixedRing(t, 8, 1)
	s := r.GetSQE()
	failing(s)
	s.Flags, s.UserData = liburing.SQEIOLink, 1
	require.Equal(t, map[uint64]int32{1: nopEIO}, results(t, r, 1))
	s = r.GetSQE128()
	s.PrepNop128()
	s.UserData = 2
	require.Equal(t, map[uint64]int32{2: 0}, results(t, r, 1))
}

// The ring drains also after big entries have gone over the queue's end.
func TestBigEntriesKeepDrains(t *testing.T) {
	r := mixedRing(t, 8, 0)
	s := r.GetSQE128()
	s.PrepNop128()
	s.UserData = 1
	require.Equal(t, map[uint64]int32{1: 0}, results(t, r, 1))
	s = r.GetSQE()
	s.PrepNop()
	s.Flags, s.UserData = liburing.SQEIODrain, 2
	require.Equal(t, map[uint64]int32{2: 0}, results(t, r, 1))
}

// All that returns completions leaves the filler out.
func TestFillersAreNotTold(t *testing.T) {
	for name, take := range map[string]func(r *liburing.Ring) uint64{
		"WaitCQE": func(r *liburing.Ring) uint64 { c, err := r.WaitCQE(); require.NoError(t, err); return c.UserData },
		"PeekCQE": func(r *liburing.Ring) uint64 { c, err := r.PeekCQE(); require.NoError(t, err); return c.UserData },
		"PeekBatchCQE": func(r *liburing.Ring) uint64 {
			c := make([]*liburing.CQE, 8)
			require.Equal(t, 1, r.PeekBatchCQE(c))
			return c[0].UserData
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := mixedRing(t, 8, 0)
			s := r.GetSQE128()
			s.PrepNop128()
			s.UserData = 7
			n, err := r.Submit()
			require.NoError(t, err)
			require.Equal(t, 3, n, "places")
			require.EqualValues(t, 7, take(r))
			r.CQAdvance(1)
			require.Zero(t, r.CQReady())
		})
	}
}

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
	if unknown := liburing.UnknownFlags(liburing.SetupCQEMixed); unknown != 0 {
		t.Skipf("this kernel does not know %v", unknown)
	}
	l, err := liburing.NewLoop(64, liburing.WithFlags(liburing.SetupCQEMixed), liburing.WithCQEntries(64))
	if liburing.MixedLosesCompletions() {
		require.False(t, ringtest.KernelBefore(6, 18))
		require.ErrorIs(t, err, liburing.ErrNotSupported)
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
