//go:build linux

package ring_test

import (
	"fmt"
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
