//go:build linux

package opcodes_test

import (
	"testing"
	"time"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestOpTimeouts(t *testing.T) {
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		const d = 10 * time.Millisecond
		clock := func(id int32) time.Duration {
			var ts unix.Timespec
			require.NoError(t, unix.ClockGettime(id, &ts))
			return time.Duration(ts.Nano())
		}
		for name, c := range map[string]struct {
			d     time.Duration
			flags liburing.TimeoutFlags
		}{
			"relative": {d, 0},
			"boottime": {d, liburing.TimeoutBoottime},
			"realtime": {d, liburing.TimeoutRealtime},
			"absolute": {clock(unix.CLOCK_MONOTONIC) + d, liburing.TimeoutAbs},
			"absolute boottime": {
				clock(unix.CLOCK_BOOTTIME) + 2*d, liburing.TimeoutAbs | liburing.TimeoutBoottime,
			},
		} {
			start := time.Now()
			all := ringtest.Do(t, l, func(cb liburing.Callback) liburing.Request { return l.Timeout(c.d, 0, c.flags, cb) })
			require.ErrorIs(t, all[0].Err(), unix.ETIME, name)
			if c.flags&liburing.TimeoutAbs == 0 {
				require.GreaterOrEqual(t, time.Since(start), d, name)
			}
		}
		// ETIME breaks a chain, unless it counts as a success.
		for flags, next := range map[liburing.TimeoutFlags]error{0: unix.ECANCELED, liburing.TimeoutEtimeSuccess: nil} {
			if flags != 0 && ringtest.KernelBefore(5, 16) {
				continue
			}
			var got error
			l.Timeout(time.Millisecond, 0, flags, nil).LinkNext()
			l.Nop(func(c liburing.Completion) { got = c.Err() })
			ringtest.RunIdle(t, l)
			if next == nil {
				require.NoError(t, got)
			} else {
				require.ErrorIs(t, got, next)
			}
		}
		// Several beats.
		all := ringtest.Do(t, l, func(cb liburing.Callback) liburing.Request {
			return l.Timeout(time.Millisecond, 3, liburing.TimeoutMultishot, cb)
		})
		if ringtest.KernelBefore(6, 4) {
			require.ErrorIs(t, all[0].Err(), unix.EINVAL)
		} else {
			require.Len(t, all, 3)
			require.True(t, all[0].More())
			require.False(t, all[2].More())
		}
		if !ringtest.KernelBefore(5, 16) { // older ones wait, and for long
			all = ringtest.Do(t, l, func(cb liburing.Callback) liburing.Request { return l.Timeout(-time.Second, 0, 0, cb) })
			require.ErrorIs(t, all[0].Err(), unix.EINVAL)
		}
	})
}

// A timeout that counts completions ends with 0 when they have come.
func TestOpTimeoutCount(t *testing.T) {
	r := ringtest.NewRing(t, 8)
	ts := liburing.NewTimespec(time.Hour)
	r.GetSQE().PrepTimeout(&ts, 2, 0)
	for range 2 {
		sqe := r.GetSQE()
		sqe.PrepNop()
		sqe.SetData64(1)
	}
	_, err := r.SubmitAndWait(3)
	require.NoError(t, err)
	require.EqualValues(t, 3, r.CQReady())
	for cqe := range r.CQEs() {
		require.Zero(t, cqe.Res)
	}
}

func TestOpTimeoutRemoveAndUpdate(t *testing.T) {
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		var removed, updated error
		start := time.Now()
		a := l.Timeout(time.Hour, 0, 0, func(c liburing.Completion) { removed = c.Err() })
		b := l.Timeout(time.Hour, 0, 0, func(c liburing.Completion) { updated = c.Err() })
		l.TimeoutRemove(a.Token(), 0, func(c liburing.Completion) { require.NoError(t, c.Err()) })
		l.TimeoutUpdate(5*time.Millisecond, b.Token(), 0, func(c liburing.Completion) { require.NoError(t, c.Err()) })
		ringtest.RunIdle(t, l)
		require.ErrorIs(t, removed, unix.ECANCELED)
		require.ErrorIs(t, updated, unix.ETIME)
		require.Less(t, time.Since(start), time.Minute)
		for _, c := range [][]liburing.Completion{
			ringtest.Do(t, l, func(cb liburing.Callback) liburing.Request { return l.TimeoutRemove(a.Token(), 0, cb) }),
			ringtest.Do(t, l, func(cb liburing.Callback) liburing.Request { return l.TimeoutUpdate(time.Hour, a.Token(), 0, cb) }),
		} {
			require.ErrorIs(t, c[0].Err(), unix.ENOENT)
		}
	})
}

func TestOpLinkTimeout(t *testing.T) {
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		rd, wr := ringtest.Pipe(t)
		var read, timeout error
		l.Read(rd, make([]byte, 1), 0, func(c liburing.Completion) { read = c.Err() }).LinkNext()
		l.LinkTimeout(5*time.Millisecond, 0, func(c liburing.Completion) { timeout = c.Err() })
		ringtest.RunIdle(t, l)
		require.ErrorIs(t, read, unix.ECANCELED)
		require.ErrorIs(t, timeout, unix.ETIME)
		unix.Write(wr, []byte("x"))
		l.Read(rd, make([]byte, 1), 0, func(c liburing.Completion) { read = c.Err() }).LinkNext()
		l.LinkTimeout(time.Hour, 0, func(c liburing.Completion) { timeout = c.Err() })
		ringtest.RunIdle(t, l)
		require.NoError(t, read)
		require.ErrorIs(t, timeout, unix.ECANCELED)

		// One that is set to another time while it runs.
		l.Read(rd, make([]byte, 1), 0, func(c liburing.Completion) { read = c.Err() }).LinkNext()
		req := l.LinkTimeout(time.Hour, 0, nil)
		l.TimeoutUpdate(5*time.Millisecond, req.Token(), liburing.LinkTimeoutUpdate, func(c liburing.Completion) { require.NoError(t, c.Err()) })
		ringtest.RunIdle(t, l)
		require.ErrorIs(t, read, unix.ECANCELED)
	})
}

func TestOpPoll(t *testing.T) {
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		a, b := ringtest.SocketPair(t)
		unix.Write(a, []byte("x"))
		require.NotZero(t, ringtest.One(t, l, func(cb liburing.Callback) liburing.Request { return l.PollAdd(b, unix.POLLIN, cb) })&unix.POLLIN)

		// Multishot: one completion for each time it becomes ready.
		buf := make([]byte, 8)
		unix.Read(b, buf)
		ready := 0
		var end error
		var req liburing.Request
		req = l.PollMultishot(b, unix.POLLIN, func(c liburing.Completion) {
			if !c.More() {
				end = c.Err()
				return
			}
			unix.Read(b, buf)
			if ready++; ready == 3 {
				l.PollRemove(req.Token(), func(c liburing.Completion) { require.NoError(t, c.Err()) })
				return
			}
			unix.Write(a, []byte("y"))
		})
		unix.Write(a, []byte("x"))
		ringtest.RunIdle(t, l)
		require.Equal(t, 3, ready)
		require.ErrorIs(t, end, unix.ECANCELED)
		c := ringtest.Do(t, l, func(cb liburing.Callback) liburing.Request { return l.PollRemove(req.Token(), cb) })
		require.ErrorIs(t, c[0].Err(), unix.ENOENT)

		// Changed to other events while it waits.
		var events int32
		req = l.PollAdd(b, unix.POLLIN, func(c liburing.Completion) { events = c.Res })
		l.PollUpdate(req.Token(), unix.POLLOUT, liburing.PollUpdateEvents, func(c liburing.Completion) { require.NoError(t, c.Err()) })
		ringtest.RunIdle(t, l)
		require.NotZero(t, events&unix.POLLOUT)

		// Level-triggered: the header has the flag, kernels so far refuse it.
		unix.Write(a, []byte("z"))
		c = ringtest.Do(t, l, func(cb liburing.Callback) liburing.Request {
			req := l.PollAdd(b, unix.POLLIN, cb)
			req.SQE().Len |= uint32(liburing.PollAddLevel)
			return req
		})
		if c[0].Res < 0 {
			require.ErrorIs(t, c[0].Err(), unix.EINVAL)
		} else {
			require.NotZero(t, c[0].Res&unix.POLLIN)
		}
		unix.Read(b, buf)
	})
}

func TestOpCancelForms(t *testing.T) {
	ringtest.NeedsOps(t, liburing.OpSocket) // came with the flags of a cancel, in Linux 5.19
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		rd, _ := ringtest.Pipe(t)
		other, _ := ringtest.Pipe(t)
		cancelled := map[int]int{}
		read := func(fd int) liburing.Request {
			return l.Read(fd, make([]byte, 1), 0, func(c liburing.Completion) {
				require.ErrorIs(t, c.Err(), unix.ECANCELED)
				cancelled[fd]++
			})
		}
		read(rd)
		read(rd)
		read(other)
		l.CancelFD(rd, liburing.AsyncCancelAll, func(c liburing.Completion) {
			require.EqualValues(t, 2, c.Res)
			l.Cancel(0, liburing.AsyncCancelAny, func(c liburing.Completion) { require.Positive(t, c.Res) })
		})
		ringtest.RunIdle(t, l)
		require.Equal(t, map[int]int{rd: 2, other: 1}, cancelled)

		// By a registered file, and by operation.
		require.NoError(t, l.Control(func(r *liburing.Ring) error { return r.RegisterFiles([]int{rd}) }))
		l.Read(0, make([]byte, 1), 0, func(c liburing.Completion) { require.ErrorIs(t, c.Err(), unix.ECANCELED) }).FixedFile()
		l.CancelFD(0, liburing.AsyncCancelFDFixed, func(c liburing.Completion) { require.NoError(t, c.Err()) })
		ringtest.RunIdle(t, l)
		c := ringtest.Do(t, l, func(cb liburing.Callback) liburing.Request { return l.CancelFD(rd, 0, cb) })
		require.ErrorIs(t, c[0].Err(), unix.ENOENT)
		if ringtest.KernelBefore(6, 6) { // an older one does not tell operations apart
			return
		}
		polled := error(nil)
		read(other)
		l.PollAdd(other, unix.POLLIN, func(c liburing.Completion) { polled = c.Err() })
		l.CancelOp(liburing.OpPollAdd, 0, 0, func(c liburing.Completion) { require.NoError(t, c.Err()) })
		l.Timeout(5*time.Millisecond, 0, 0, func(liburing.Completion) {
			require.ErrorIs(t, polled, unix.ECANCELED)
			require.Equal(t, 1, cancelled[other], "a read is not a poll")
			l.CancelFD(other, 0, nil)
		})
		ringtest.RunIdle(t, l)

		// By operation and descriptor.
		l.PollAdd(liburing.Fixed(0).FD(), unix.POLLIN, func(c liburing.Completion) { require.ErrorIs(t, c.Err(), unix.ECANCELED) })
		l.CancelOp(liburing.OpPollAdd, other, liburing.AsyncCancelFD, func(c liburing.Completion) { require.ErrorIs(t, c.Err(), unix.ENOENT) })
		l.CancelOp(liburing.OpRead, liburing.Fixed(0).FD(), liburing.AsyncCancelFD, func(c liburing.Completion) { require.ErrorIs(t, c.Err(), unix.ENOENT) })
		l.CancelOp(liburing.OpPollAdd, liburing.Fixed(0).FD(), liburing.AsyncCancelFD, func(c liburing.Completion) { require.NoError(t, c.Err()) })
		ringtest.RunIdle(t, l)
	})
}
