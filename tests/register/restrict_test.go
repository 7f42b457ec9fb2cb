//go:build linux

package register_test

import (
	"errors"
	"testing"
	"time"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// restricted returns an enabled ring with a list.
func restricted(t *testing.T, list []liburing.Restriction) *liburing.Ring {
	t.Helper()
	r := ringtest.NewRing(t, 8, liburing.WithFlags(liburing.SetupRDisabled))
	require.NoError(t, r.RegisterRestrictions(list))
	require.ErrorIs(t, r.RegisterRestrictions(list), unix.EBUSY)
	require.NoError(t, r.EnableRings())
	return r
}

// AllowOnly restricts requests and register calls, also where it allows none, and on
// all kernels.
func TestAllowOnly(t *testing.T) {
	ringtest.LockThread(t)
	for name, c := range map[string]struct {
		ops       []liburing.Op
		registers []liburing.RegisterOp
		nop       error
		probe     error
	}{
		"nothing":        {nil, nil, unix.EACCES, unix.EACCES},
		"requests":       {[]liburing.Op{liburing.OpNop}, nil, nil, unix.EACCES},
		"register calls": {nil, []liburing.RegisterOp{liburing.RegisterProbe}, unix.EACCES, nil},
		"both":           {[]liburing.Op{liburing.OpNop}, []liburing.RegisterOp{liburing.RegisterProbe}, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			r := restricted(t, liburing.AllowOnly(c.ops, c.registers))
			require.ErrorIs(t, nop(t, r), c.nop)
			require.ErrorIs(t, badRead(t, r), unix.EACCES)
			_, err := r.GetProbe()
			require.ErrorIs(t, err, c.probe)
			require.ErrorIs(t, r.RegisterFiles([]int{0}), unix.EACCES)
			require.ErrorIs(t, r.EnableRings(), unix.EBADFD, "it is allowed, and of no use")
			flagged := ringtest.SubmitOne(t, r, func(s *liburing.SQE) { s.PrepNop(); s.SetFlags(liburing.SQEAsync) })
			require.ErrorIs(t, flagged.Err(), unix.EACCES)
		})
	}
	r := restricted(t, append(liburing.AllowOnly([]liburing.Op{liburing.OpNop}, nil),
		liburing.Restriction{Opcode: liburing.RestrictionSQEFlagsAllowed, Value: uint8(liburing.SQEAsync)}))
	flagged := ringtest.SubmitOne(t, r, func(s *liburing.SQE) { s.PrepNop(); s.SetFlags(liburing.SQEAsync) })
	require.NoError(t, flagged.Err())
}

// With what a loop needs it is the list of a loop's ring.
func TestAllowOnlyForALoop(t *testing.T) {
	l := ringtest.NewLoop(t, 8, liburing.WithFlags(liburing.SetupRDisabled))
	list := append(liburing.AllowOnly([]liburing.Op{liburing.OpNop}, nil), liburing.LoopNeeds()...)
	require.NoError(t, l.Control(func(r *liburing.Ring) error {
		return errors.Join(r.RegisterRestrictions(list), r.EnableRings())
	}))
	ringtest.One(t, l, l.Nop)
	fired := false
	l.After(time.Millisecond, func() { fired = true })
	for _, c := range ringtest.Do(t, l, func(cb liburing.Callback) liburing.Request { return l.Fsync(-1, 0, cb) }) {
		require.ErrorIs(t, c.Err(), unix.EACCES)
	}
	require.True(t, fired)
	stop := ringtest.Running(t, l)
	ringtest.Within(t, func() {
		posted := make(chan struct{})
		require.NoError(t, l.Post(func() { close(posted) }))
		<-posted
	})
	stop()
	require.ErrorIs(t, l.Control(func(r *liburing.Ring) error { return r.RegisterFiles([]int{0}) }), unix.EACCES)
}

// What makes AllowOnly necessary: from 7.x on a kind that a list does not name is not
// restricted.
func TestRestrictionsOfOneKind(t *testing.T) {
	ringtest.LockThread(t)
	requests := restricted(t, []liburing.Restriction{{Opcode: liburing.RestrictionSQEOp, Value: uint8(liburing.OpNop)}})
	require.ErrorIs(t, badRead(t, requests), unix.EACCES)
	registers := restricted(t, []liburing.Restriction{{Opcode: liburing.RestrictionRegisterOp, Value: uint8(liburing.RegisterProbe)}})
	require.ErrorIs(t, registers.RegisterFiles([]int{0}), unix.EACCES)
	if ringtest.KernelBefore(7, 0) {
		require.ErrorIs(t, requests.RegisterFiles([]int{0}), unix.EACCES)
		require.ErrorIs(t, badRead(t, registers), unix.EACCES)
	} else {
		require.NoError(t, requests.RegisterFiles([]int{0}))
		require.ErrorIs(t, badRead(t, registers), unix.EBADF)
	}
	empty := restricted(t, []liburing.Restriction{})
	require.ErrorIs(t, nop(t, empty), unix.EACCES)
	require.ErrorIs(t, empty.RegisterFiles([]int{0}), unix.EACCES)
}

// A ring that is restricted can be resized if the list allows it, and is restricted
// as before.
func TestResizeARestrictedRing(t *testing.T) {
	ringtest.LockThread(t)
	for _, allowed := range []bool{true, false} {
		list := liburing.AllowOnly([]liburing.Op{liburing.OpNop}, nil)
		if allowed {
			list = append(list, liburing.Restriction{Opcode: liburing.RestrictionRegisterOp, Value: uint8(liburing.RegisterResizeRings)})
		}
		r := ringtest.NewRing(t, 8, liburing.WithFlags(liburing.SetupRDisabled|liburing.SetupSingleIssuer|liburing.SetupDeferTaskrun))
		if err := r.RegisterRestrictions(list); allowed && ringtest.KernelBefore(6, 13) {
			require.ErrorIs(t, err, unix.EINVAL)
			t.Skip("this kernel does not know resizing")
		} else {
			require.NoError(t, err)
		}
		require.NoError(t, r.EnableRings())
		if err := r.ResizeRings(&liburing.Params{SQEntries: 32}); allowed {
			require.NoError(t, err)
			require.Equal(t, 32, r.SQSpaceLeft())
		} else {
			require.ErrorIs(t, err, unix.EACCES)
			require.Equal(t, 8, r.SQSpaceLeft())
		}
		require.NoError(t, nop(t, r))
		require.ErrorIs(t, badRead(t, r), unix.EACCES)
	}
}
