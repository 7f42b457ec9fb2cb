//go:build linux

package liburing_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/go-liburing/liburing/loopio"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// restricted returns a loop whose ring allows what a loop needs, and polls, but for
// what is left out.
func restricted(t *testing.T, without ...liburing.Restriction) *liburing.Loop {
	t.Helper()
	l, err := liburing.NewLoop(8, liburing.WithFlags(liburing.SetupRDisabled))
	require.NoError(t, err)
	list := append(liburing.LoopNeeds(), liburing.Restriction{Opcode: liburing.RestrictionSQEOp, Value: uint8(liburing.OpPollAdd)})
	list = slices.DeleteFunc(list, func(r liburing.Restriction) bool { return slices.Contains(without, r) })
	require.NoError(t, l.Control(func(r *liburing.Ring) error {
		return errors.Join(r.RegisterRestrictions(list), r.EnableRings())
	}))
	return l
}

func sqeOp(op liburing.Op) liburing.Restriction {
	return liburing.Restriction{Opcode: liburing.RestrictionSQEOp, Value: uint8(op)}
}

func registerOp(op liburing.RegisterOp) liburing.Restriction {
	return liburing.Restriction{Opcode: liburing.RestrictionRegisterOp, Value: uint8(op)}
}

// Whatever of its own requests is refused to a loop, it wakes up, keeps time and
// cancels, and does not spin.
func TestRestrictedLoops(t *testing.T) {
	for name, without := range map[string][]liburing.Restriction{
		"nothing":         nil,
		"read":            {sqeOp(liburing.OpRead)},
		"read, eventfd":   {sqeOp(liburing.OpRead), registerOp(liburing.RegisterEventfd)},
		"timeout":         {sqeOp(liburing.OpTimeout)},
		"cancel":          {sqeOp(liburing.OpAsyncCancel)},
		"flags":           {{Opcode: liburing.RestrictionSQEFlagsAllowed, Value: uint8(liburing.SQEAsync | liburing.SQEIOLink)}},
		"every operation": {sqeOp(liburing.OpRead), sqeOp(liburing.OpTimeout), sqeOp(liburing.OpAsyncCancel)},
		"every register call": {registerOp(liburing.RegisterEventfd), registerOp(liburing.UnregisterEventfd),
			registerOp(liburing.RegisterSyncCancel), registerOp(liburing.UnregisterFiles), registerOp(liburing.UnregisterBuffers)},
	} {
		t.Run(name, func(t *testing.T) {
			if slices.Contains(without, sqeOp(liburing.OpAsyncCancel)) {
				ringtest.NeedsSyncCancel(t)
			}
			l := restricted(t, without...)
			defer ringtest.CloseLoop(t, l)
			requireWorks(t, l)
			before := l.Stats().Enters
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			require.ErrorIs(t, l.Run(ctx), context.DeadlineExceeded)
			require.Less(t, l.Stats().Enters-before, uint64(100), "it spins")
			rd, _ := ringtest.Pipe(t)
			var ended error
			l.PollAdd(rd, unix.POLLIN, func(c liburing.Completion) { ended = c.Err() })
			ringtest.RunFor(t, l, time.Millisecond)
			ringtest.CloseLoop(t, l)
			require.ErrorIs(t, ended, unix.ECANCELED)
		})
	}
}

// Timers count as something to wait for, keep their beat and can be stopped, on rings
// that know no timeouts too.
func requireTimers(t *testing.T, l *liburing.Loop) {
	t.Helper()
	start, beats := time.Now(), 0
	var after time.Duration
	l.After(20*time.Millisecond, func() { after = time.Since(start) })
	never := l.After(time.Hour, func() { t.Error("stopped, and fired") })
	var every *liburing.Timer
	every = l.Every(2*time.Millisecond, func() {
		if beats++; beats == 3 {
			every.Stop()
			never.Stop()
		}
	})
	ringtest.RunIdle(t, l)
	require.GreaterOrEqual(t, after, 20*time.Millisecond)
	require.Equal(t, 3, beats)
	require.Zero(t, l.Timers())
	l.After(time.Hour, func() { t.Error("closed, and fired") })
	ringtest.CloseLoop(t, l)
	require.Zero(t, l.Timers())
	require.ErrorIs(t, l.After(0, func() {}).Err(), liburing.ErrClosed)
}

func TestTimersThatTheRingRefuses(t *testing.T) {
	requireTimers(t, restricted(t, sqeOp(liburing.OpTimeout)))
}

func TestIOPollTimers(t *testing.T) {
	l := ringtest.NewLoop(t, 8, liburing.WithFlags(liburing.SetupIOPoll))
	requireTimers(t, l)
}

// An Every whose function panics goes on.
func TestTimersGoOnAfterAPanic(t *testing.T) {
	for name, l := range map[string]*liburing.Loop{"open": ringtest.NewLoop(t, 8), "restricted": restricted(t, sqeOp(liburing.OpTimeout))} {
		t.Run(name, func(t *testing.T) {
			calls := 0
			var timer *liburing.Timer
			timer = l.Every(time.Millisecond, func() {
				if calls++; calls == 1 {
					panic("no")
				}
				timer.Stop()
			})
			require.Panics(t, func() { l.RunUntilIdle(context.Background()) })
			ringtest.RunIdle(t, l)
			require.Equal(t, 2, calls)
			ringtest.CloseLoop(t, l)
		})
	}
}

func TestIOPollIsWokenByPosts(t *testing.T) {
	l := ringtest.NewLoop(t, 8, liburing.WithFlags(liburing.SetupIOPoll))
	ran := make(chan error, 1)
	go func() { ran <- l.Run(t.Context()) }()
	for range 5 {
		called := make(chan bool)
		require.NoError(t, l.Post(func() { close(called) }))
		ringtest.Within(t, func() { <-called })
	}
	l.Stop()
	ringtest.Within(t, func() { require.NoError(t, <-ran) })
}

// Nothing can cancel: Close gives up what is in flight, and says so.
func TestCloseWhereNothingCancels(t *testing.T) {
	l := restricted(t, sqeOp(liburing.OpAsyncCancel), registerOp(liburing.RegisterSyncCancel))
	rd, _ := ringtest.Pipe(t)
	var told error
	l.PollAdd(rd, unix.POLLIN, func(c liburing.Completion) {
		require.False(t, c.More())
		told = c.Err()
	})
	ringtest.RunFor(t, l, time.Millisecond)
	kept := liburing.GivenUp()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	err := l.Close(ctx)
	const why = "1 requests can't be cancelled: the ring was given back, and the memory that they use is kept for good"
	require.ErrorContains(t, err, why)
	require.ErrorContains(t, told, why)
	require.ErrorIs(t, told, unix.ECANCELED)
	require.Equal(t, kept+1, liburing.GivenUp())
	require.Zero(t, l.Stats().InFlight)
}

// Nothing can cancel, and callbacks end the loop's goroutine: each is called all the same.
func TestGoexitWhereNothingCancels(t *testing.T) {
	l := restricted(t, sqeOp(liburing.OpAsyncCancel), registerOp(liburing.RegisterSyncCancel))
	rd, _ := ringtest.Pipe(t)
	told := 0
	for range 3 {
		l.PollAdd(rd, unix.POLLIN, func(liburing.Completion) {
			told++
			runtime.Goexit()
		})
	}
	ringtest.RunFor(t, l, time.Millisecond)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	require.ErrorContains(t, l.Close(ctx), "3 requests can't be cancelled")
	require.Equal(t, 3, told)
}

// A Writer closes its descriptor where the ring refuses to.
func TestWriterWhereClosesAreRefused(t *testing.T) {
	l := restricted(t)
	_, wr := ringtest.Pipe(t)
	fd, err := unix.FcntlInt(uintptr(wr), unix.F_DUPFD_CLOEXEC, 0)
	require.NoError(t, err)
	loopio.NewWriter(l, fd, loopio.WriterOptions{}).Close(func(err error) { require.NoError(t, err) })
	ringtest.RunIdle(t, l)
	_, err = unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
	require.ErrorIs(t, err, unix.EBADF)
	ringtest.CloseLoop(t, l)
}
