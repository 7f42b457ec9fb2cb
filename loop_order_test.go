//go:build linux

package liburing_test

import (
	"context"
	"errors"
	"path/filepath"
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

// draining has a request wait for a read that gets nothing. reached is called
// when the read completes.
func draining(t *testing.T, l *liburing.Loop, reached liburing.Callback) (read liburing.Request, w int) {
	r, w := ringtest.Pipe(t)
	read = l.Read(r, make([]byte, 1), 0, reached)
	l.Nop(nil).Flags(liburing.SQEIODrain)
	ringtest.RunFor(t, l, 5*time.Millisecond)
	return read, w
}

// drained has such a read wait behind a request that has drained the ring.
func drained(t *testing.T, l *liburing.Loop, reached liburing.Callback) (read liburing.Request, w int) {
	r, w := ringtest.Pipe(t)
	l.Timeout(time.Millisecond, 0, 0, nil)
	l.Nop(nil).Flags(liburing.SQEIODrain)
	read = l.Read(r, make([]byte, 1), 0, reached)
	ringtest.RunFor(t, l, 5*time.Millisecond)
	return read, w
}

// overDrains runs a test with a read in front of a drain, and with one behind it.
func overDrains(t *testing.T, test func(t *testing.T, l *liburing.Loop, start func(*testing.T, *liburing.Loop, liburing.Callback) (liburing.Request, int))) {
	t.Run("in front", func(t *testing.T) {
		ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) { test(t, l, draining) })
	})
	t.Run("behind", func(t *testing.T) {
		ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) { test(t, l, drained) })
	})
}

// The way past the queue tells the same as a cancel in it of what it comes too
// late for, such as what a worker does, or a timeout that fires.
func TestCancelTooLateWhileDraining(t *testing.T) {
	ringtest.NeedsSyncCancel(t)
	name := filepath.Join(t.TempDir(), "fifo")
	require.NoError(t, unix.Mkfifo(name, 0o600))
	var told liburing.Completion
	// It may come before the worker does, which is a success; and the kernel looks
	// twice: a worker that it interrupts may have ended by then (ENOENT).
	for range 50 {
		l := ringtest.NewLoop(t, 8)
		open := l.Openat(unix.AT_FDCWD, name, unix.O_RDONLY, 0, nil).Flags(liburing.SQEAsync)
		l.Nop(nil).Flags(liburing.SQEIODrain)
		ringtest.RunFor(t, l, 20*time.Millisecond)
		require.NoError(t, l.Control(func(*liburing.Ring) error {
			require.True(t, l.CancelNow(open.Token(), func(c liburing.Completion) { told = c }))
			return nil
		}))
		ringtest.RunIdle(t, l)
		if errors.Is(told.Err(), unix.EALREADY) {
			return
		}
	}
	require.Fail(t, "never too late", "the last time: %v", told.Err())
}

// The kernel holds back what comes behind a request that drains, so a cancel must
// take another way.
func TestCloseWhileDraining(t *testing.T) {
	ringtest.NeedsSyncCancel(t)
	overDrains(t, func(t *testing.T, l *liburing.Loop, start func(*testing.T, *liburing.Loop, liburing.Callback) (liburing.Request, int)) {
		var read error
		start(t, l, func(c liburing.Completion) { read = c.Err() })
		ringtest.CloseLoop(t, l)
		require.ErrorIs(t, read, unix.ECANCELED)
	})
}

func TestContextWhileDraining(t *testing.T) {
	ringtest.NeedsSyncCancel(t)
	overDrains(t, func(t *testing.T, l *liburing.Loop, start func(*testing.T, *liburing.Loop, liburing.Callback) (liburing.Request, int)) {
		var read error
		ctx, cancel := context.WithCancel(t.Context())
		req, _ := start(t, l, func(c liburing.Completion) { read = c.Err() })
		req.WithContext(ctx)
		cancel()
		ringtest.RunIdle(t, l)
		require.ErrorIs(t, read, context.Canceled)
		require.ErrorIs(t, read, unix.ECANCELED)
	})
}

// A timeout that is cancelled behind the drain ends when that does.
func TestCancelledTimeoutWhileDraining(t *testing.T) {
	l := ringtest.NewLoop(t, 8)
	_, w := draining(t, l, nil)
	l.Revoke(l.Timeout(time.Hour, 0, 0, nil).Token())
	ringtest.RunFor(t, l, 5*time.Millisecond)
	unix.Write(w, []byte("x"))
	ringtest.RunIdle(t, l)
}

// The loop's timers go on while the ring drains, and wake it.
func TestTimersWhileDraining(t *testing.T) {
	overDrains(t, func(t *testing.T, l *liburing.Loop, start func(*testing.T, *liburing.Loop, liburing.Callback) (liburing.Request, int)) {
		read := false
		_, w := start(t, l, func(liburing.Completion) { read = true })
		begun := time.Now()
		l.After(20*time.Millisecond, func() {
			require.False(t, read)
			unix.Write(w, []byte("x"))
		})
		ringtest.RunIdle(t, l)
		require.True(t, read)
		require.GreaterOrEqual(t, time.Since(begun), 20*time.Millisecond)
	})
}

// Neither a post nor a completion is missed, and waiting costs nothing.
func TestWaitWhileDraining(t *testing.T) {
	overDrains(t, func(t *testing.T, l *liburing.Loop, start func(*testing.T, *liburing.Loop, liburing.Callback) (liburing.Request, int)) {
		done := false
		_, w := start(t, l, func(liburing.Completion) { done = true })
		ran := make(chan error, 1)
		go func() { ran <- l.RunUntilIdle(t.Context()) }()
		for range 5 {
			posted := make(chan bool)
			require.NoError(t, l.Post(func() { close(posted) }))
			ringtest.Within(t, func() { <-posted })
		}
		if l.Ring().EnterFlags()&liburing.EnterRegisteredRing != 0 {
			before := l.Stats().Enters
			time.Sleep(100 * time.Millisecond)
			require.Less(t, l.Stats().Enters-before, uint64(20))
		}
		unix.Write(w, []byte("x"))
		ringtest.Within(t, func() { require.NoError(t, <-ran) })
		require.True(t, done)
	})
}

// The read of the waker is in front of the drain, which it would hold up.
func TestDrainWhileTheWakerIsArmed(t *testing.T) {
	l := ringtest.NewLoop(t, 8)
	r, w := ringtest.Pipe(t)
	drained := false
	l.Read(r, make([]byte, 1), 0, func(liburing.Completion) {
		require.True(t, l.Armed())
		l.Nop(func(liburing.Completion) { drained = true }).Flags(liburing.SQEIODrain)
	})
	go func() {
		for !ringtest.Asleep(l).Load() {
			time.Sleep(time.Millisecond)
		}
		unix.Write(w, []byte("x"))
	}()
	ringtest.RunIdle(t, l)
	require.True(t, drained)
}

// neverFound skips where a timer in front of a drain must not be so fast that each
// cancel misses it.
func neverFound(t *testing.T) {
	ringtest.NeedsSyncCancel(t)
	if miscountsTimers(t) {
		require.True(t, ringtest.KernelBefore(6, 16))
		t.Skip("a timer that ends for want of room has this kernel miscount, and the drain waits for ever")
	}
}

// miscountsTimers has a timer end for want of room, and looks whether what drains the ring
// afterwards, which has nothing to wait for, completes.
func miscountsTimers(t *testing.T) bool {
	r := ringtest.NewRing(t, 1)
	ts := liburing.NewTimespec(time.Microsecond)
	ringtest.NextSQE(t, r).PrepTimeout(&ts, 0, liburing.TimeoutMultishot)
	_, err := r.Submit()
	require.NoError(t, err)
	for end := time.Now().Add(time.Minute); !r.CQHasOverflow(); {
		require.True(t, time.Now().Before(end), "there is always room")
		require.NoError(t, r.GetEvents())
		if cqe, err := r.PeekCQE(); err == nil && errors.Is(cqe.Err(), unix.EINVAL) {
			require.True(t, ringtest.KernelBefore(6, 4))
			t.Skip("a timeout that fires again and again came with Linux 6.4")
		}
	}
	for ended := false; !ended; {
		cqe, err := r.WaitCQE()
		require.NoError(t, err)
		ended = cqe.Flags&liburing.CQEFMore == 0
		r.CQESeen(cqe)
	}
	sqe := ringtest.NextSQE(t, r)
	sqe.PrepNop()
	sqe.SetFlags(liburing.SQEIODrain)
	if _, err = r.SubmitAndWaitTimeout(1, time.Second); err != nil {
		require.ErrorIs(t, err, unix.ETIME)
	}
	return err != nil
}

// firing makes a timeout that fires again and again, each time d has passed.
func firing(l *liburing.Loop, d time.Duration, f func()) liburing.Token {
	return l.Timeout(d, 0, liburing.TimeoutMultishot, func(c liburing.Completion) {
		if c.More() {
			f()
		}
	}).Token()
}

// A timeout that fires whenever it is to be cancelled, in front of a drain.
func TestCloseFiringWhileDraining(t *testing.T) {
	neverFound(t)
	l := ringtest.NewLoop(t, 8)
	fired := 0
	firing(l, 4*ringtest.NopTime(t), func() { fired++ })
	l.Nop(nil).Flags(liburing.SQEIODrain)
	ringtest.RunUntil(t, l, 5*time.Millisecond, func() bool { return fired != 0 })
	ringtest.CloseLoop(t, l)
}

// The same timeout, cancelled: it is tried again without the queue, in which what tries
// again would wait behind the drain.
func TestStopFiringWhileDraining(t *testing.T) {
	neverFound(t)
	l := ringtest.NewLoop(t, 8)
	for range 10 {
		timeout := firing(l, 8*ringtest.NopTime(t), func() {})
		drained := false
		l.Nop(func(liburing.Completion) { drained = true }).Flags(liburing.SQEIODrain)
		ringtest.RunFor(t, l, time.Millisecond)
		l.Revoke(timeout)
		ringtest.RunIdle(t, l)
		require.True(t, drained)
	}
}

// What has completed may be in the kernel's hands a moment longer, and what comes in
// that moment behind a drain is held back beside nothing that is in flight.
func TestAfterADrain(t *testing.T) {
	ringtest.NeedsSyncCancel(t)
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		r, _ := ringtest.Pipe(t)
		for range 100 {
			ctx, cancel := context.WithCancel(t.Context())
			var ended error
			l.Nop(nil).Flags(liburing.SQEIODrain)
			l.Nop(func(liburing.Completion) { // a worker completes it
				l.Read(r, make([]byte, 1), 0, func(c liburing.Completion) { ended = c.Err() }).WithContext(ctx)
				go cancel()
			}).Flags(liburing.SQEAsync)
			ringtest.RunIdle(t, l)
			require.ErrorIs(t, ended, context.Canceled)
		}
	})
}

// A worker of the kernel's submitting thread is blocked in front of a drain.
func TestBlockedWorkerWhileDraining(t *testing.T) {
	ringtest.NeedsSyncCancel(t)
	name := filepath.Join(t.TempDir(), "fifo")
	require.NoError(t, unix.Mkfifo(name, 0o600))
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		ctx, cancel := context.WithCancel(t.Context())
		var first, second error
		open := func(err *error) liburing.Request {
			return l.Openat(unix.AT_FDCWD, name, unix.O_RDONLY|unix.O_CLOEXEC, 0, func(c liburing.Completion) { *err = c.Err() }).Flags(liburing.SQEAsync)
		}
		open(&first).WithContext(ctx)
		open(&second)
		l.Nop(nil).Flags(liburing.SQEIODrain)
		l.Nop(nil)
		ringtest.RunFor(t, l, 20*time.Millisecond)
		cancel()
		ringtest.RunUntil(t, l, 10*time.Millisecond, func() bool { return first != nil })
		require.ErrorIs(t, first, context.Canceled)
		start := time.Now()
		ringtest.CloseLoop(t, l)
		require.Less(t, time.Since(start), time.Second)
		require.Error(t, second)
	})
}

// The loop's own way to drain keeps the order that the kernel's has, with chains and
// drains behind drains.
func TestDrainOrder(t *testing.T) {
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		for range 5 {
			r, w := ringtest.Pipe(t)
			var order []string
			note := func(what string) liburing.Callback {
				return func(c liburing.Completion) {
					require.NoError(t, c.Err())
					order = append(order, what)
				}
			}
			l.Read(r, make([]byte, 1), 0, note("read"))
			l.Nop(note("drain")).Flags(liburing.SQEIODrain)
			l.Nop(note("chain")).LinkNext()
			l.Nop(note("chain")).Flags(liburing.SQEIODrain)
			for range 20 { // more than the queue takes
				l.Nop(note("behind"))
			}
			l.Nop(note("last")).Flags(liburing.SQEIODrain)
			ringtest.RunFor(t, l, 5*time.Millisecond)
			require.Empty(t, order)
			before := l.Stats().Enters
			if l.Ring().Flags()&liburing.SetupSQPoll != 0 {
				ringtest.RunFor(t, l, 20*time.Millisecond)
				require.Less(t, l.Stats().Enters-before, uint64(20), "it spins")
			}
			unix.Write(w, []byte("x"))
			ringtest.RunIdle(t, l)
			require.Len(t, order, 25)
			require.Equal(t, []string{"read", "drain", "chain", "chain"}, order[:4])
			require.Equal(t, "last", order[24])
			l.Nop(nil)
			ringtest.RunIdle(t, l)
			require.False(t, l.Holding(), "it is over")
		}
	})
}

// What the loop itself has asked for is not behind a drain, which waits for what that
// is to end; nor does it count as something that the drain need not wait for.
func TestDrainInFrontOfTheLoopsOwn(t *testing.T) {
	for name, drain := range map[string]func(l *liburing.Loop, timeout liburing.Token, cb liburing.Callback){
		"told late": func(l *liburing.Loop, timeout liburing.Token, cb liburing.Callback) {
			late := l.Nop(cb)
			l.Revoke(timeout)
			l.Revoke(timeout) // two cancels
			late.Flags(liburing.SQEIODrain)
		},
		"in a chain": func(l *liburing.Loop, timeout liburing.Token, cb liburing.Callback) {
			l.Nop(nil).LinkNext()
			l.Revoke(timeout)
			l.Nop(cb).Flags(liburing.SQEIODrain)
		},
		"in a chain told late": func(l *liburing.Loop, timeout liburing.Token, cb liburing.Callback) {
			l.Nop(nil).LinkNext()
			late := l.Nop(cb)
			l.Revoke(timeout)
			late.Flags(liburing.SQEIODrain).LinkNext()
			l.Nop(nil)
		},
	} {
		t.Run(name, func(t *testing.T) {
			ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
				r, w := ringtest.Pipe(t)
				var order []string
				l.Read(r, make([]byte, 1), 0, func(liburing.Completion) { order = append(order, "read") })
				timeout := l.Timeout(time.Hour, 0, 0, nil).Token()
				ringtest.RunFor(t, l, time.Millisecond)
				drain(l, timeout, func(c liburing.Completion) {
					require.NoError(t, c.Err())
					order = append(order, "drain")
				})
				ringtest.RunFor(t, l, 5*time.Millisecond)
				require.Empty(t, order)
				unix.Write(w, []byte("x"))
				ringtest.RunIdle(t, l)
				require.Equal(t, []string{"read", "drain"}, order)
			})
		})
	}
}

// What is behind a drain waits for it also when the drain was let go in the very turn in
// which the loop makes a request of its own.
func TestBehindADrainThatWaits(t *testing.T) {
	ringtest.NeedsKernel(t, 6, 16) // older ones begin what is behind with the drain
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		r, w := ringtest.Pipe(t)
		var order []string
		l.Read(r, make([]byte, 1), 0, func(liburing.Completion) { order = append(order, "drain") }).Flags(liburing.SQEIODrain)
		l.Nop(func(liburing.Completion) { order = append(order, "behind") })
		ringtest.RunFor(t, l, 5*time.Millisecond)
		require.Empty(t, order)
		unix.Write(w, []byte("x"))
		ringtest.RunIdle(t, l)
		require.Equal(t, []string{"drain", "behind"}, order)
	})
}

// restricted returns a loop whose ring allows what a loop needs, and polls, but for
// what is left out.
func restricted(t *testing.T, without ...liburing.Restriction) *liburing.Loop {
	t.Helper()
	l, err := liburing.NewLoop(8, liburing.WithFlags(liburing.SetupRDisabled))
	require.NoError(t, err)
	list := append(liburing.LoopNeeds(), sqeOp(liburing.OpPollAdd), sqeOp(liburing.OpFsync))
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

// The pauses of a stream need no timeouts of the kernel's.
func TestStreamPausesWithoutTimeouts(t *testing.T) {
	l := restricted(t, sqeOp(liburing.OpTimeout))
	fd := int(ringtest.TempFile(t, nil).Fd())
	s := l.Rearm(func(cb liburing.Callback) liburing.Request { return l.Fsync(fd, 0, cb) }, func(liburing.Completion) {})
	start := time.Now()
	ringtest.RunUntil(t, l, time.Millisecond, func() bool { return l.Stats().StreamPauses >= 5 })
	require.GreaterOrEqual(t, time.Since(start), 15*time.Millisecond, "1, 2, 4 and 8 ms")
	s.Stop()
	ringtest.RunIdle(t, l)
}
