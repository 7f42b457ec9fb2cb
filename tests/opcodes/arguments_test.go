//go:build linux

package opcodes_test

import (
	"math"
	"testing"
	"time"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// A flag that has the kernel take the time's address for the time itself changes
// nothing: the loop has the time in its own memory.
func TestImmediateTimes(t *testing.T) {
	ringtest.NeedsOps(t, liburing.OpMkdirat) // timeouts that are moved are a kernel older
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		const d = 20 * time.Millisecond
		start := time.Now()
		c := ringtest.Do(t, l, func(cb liburing.Callback) liburing.Request { return l.Timeout(d, 0, liburing.TimeoutImmediateArg, cb) })
		require.ErrorIs(t, c[0].Err(), unix.ETIME)
		require.GreaterOrEqual(t, time.Since(start), d)

		start = time.Now()
		c = ringtest.Do(t, l, func(cb liburing.Callback) liburing.Request {
			r := l.Timeout(time.Hour, 0, 0, cb)
			l.TimeoutUpdate(d, r.Token(), liburing.TimeoutImmediateArg, func(c liburing.Completion) { require.NoError(t, c.Err()) })
			return r
		})
		require.ErrorIs(t, c[0].Err(), unix.ETIME)
		require.GreaterOrEqual(t, time.Since(start), d)

		rd, _ := ringtest.Pipe(t)
		c = ringtest.Do(t, l, func(cb liburing.Callback) liburing.Request {
			r := l.Read(rd, make([]byte, 1), liburing.CurrentPosition, cb).Flags(liburing.SQEIOLink)
			l.LinkTimeout(d, liburing.TimeoutImmediateArg, func(c liburing.Completion) { require.ErrorIs(t, c.Err(), unix.ETIME) })
			return r
		})
		ringtest.RequireCancelled(t, c[0].Err())
	})
}

// Flags that change what another argument means are refused, with what to do, and
// so are counts that the kernel can't be told.
func TestLoopRefusesArguments(t *testing.T) {
	l := ringtest.NewLoop(t, 8)
	word := new(uint32)
	sent := []byte("x")
	for want, request := range map[string]func(cb liburing.Callback) liburing.Request{
		"use CancelFD":  func(cb liburing.Callback) liburing.Request { return l.Cancel(1, liburing.AsyncCancelFD, cb) },
		"use Cancel":    func(cb liburing.Callback) liburing.Request { return l.CancelFD(0, liburing.AsyncCancelUserdata, cb) },
		"use CancelOp":  func(cb liburing.Callback) liburing.Request { return l.Cancel(1, liburing.AsyncCancelOp, cb) },
		"AsyncCancelOp": func(cb liburing.Callback) liburing.Request { return l.CancelFD(0, liburing.AsyncCancelOp, cb) },
		"a token's request": func(cb liburing.Callback) liburing.Request {
			return l.CancelOp(liburing.OpRead, 0, liburing.AsyncCancelUserdata, cb)
		},
		"use TimeoutUpdate": func(cb liburing.Callback) liburing.Request { return l.TimeoutRemove(1, liburing.TimeoutUpdate, cb) },
		"another time":      func(cb liburing.Callback) liburing.Request { return l.TimeoutRemove(1, liburing.LinkTimeoutUpdate, cb) },
		"keeps its token": func(cb liburing.Callback) liburing.Request {
			return l.PollUpdate(1, 1, liburing.PollUpdateEvents|liburing.PollUpdateUserData, cb)
		},
		"PollUpdateEvents": func(cb liburing.Callback) liburing.Request { return l.PollUpdate(1, 0, 0, cb) },
		"use SendZCFixed": func(cb liburing.Callback) liburing.Request {
			return l.SendZC(-1, sent, 0, liburing.RecvSendFixedBuf, cb)
		},
		"SendVectorized": func(cb liburing.Callback) liburing.Request { return l.SendZC(-1, sent, 0, liburing.SendVectorized, cb) },
		"holds iovecs": func(cb liburing.Callback) liburing.Request {
			return l.SendZCFixed(-1, sent, 0, liburing.SendVectorized, 0, cb)
		},
		"use CmdGetsockname": func(cb liburing.Callback) liburing.Request {
			return l.CmdSock(liburing.SocketOpGetsockname, -1, 0, 0, sent, cb)
		},
		"use URingCmd": func(cb liburing.Callback) liburing.Request {
			return l.CmdSock(liburing.SocketOpTXTimestamp, -1, 0, 0, sent, cb)
		},
		"Futex2NUMA": func(cb liburing.Callback) liburing.Request {
			return l.FutexWait(word, 0, 1, liburing.Futex2SizeU32|liburing.Futex2NUMA, 0, cb)
		},
		"two words": func(cb liburing.Callback) liburing.Request {
			return l.FutexWake(word, 0, 1, liburing.Futex2SizeU32|liburing.Futex2NUMA, 0, cb)
		},
		"there is one": func(cb liburing.Callback) liburing.Request {
			return l.FutexWaitv([]liburing.FutexWaitv{{Futex: word, Flags: liburing.Futex2SizeU32}, {Futex: word, Flags: liburing.Futex2NUMA}}, 0, cb)
		},
		"count (-1) must be":  func(cb liburing.Callback) liburing.Request { return l.Timeout(time.Hour, -1, 0, cb) },
		"nbytes (-1) must be": func(cb liburing.Callback) liburing.Request { return l.ReadMultishot(-1, -1, 0, 0, cb) },
		"length (-1) must be": func(cb liburing.Callback) liburing.Request { return l.SendBundle(-1, -1, 0, cb) },
	} {
		c := ringtest.Do(t, l, request)
		require.Len(t, c, 1, want)
		require.ErrorIs(t, c[0].Err(), unix.EINVAL, want)
		require.ErrorContains(t, c[0].Err(), want)
	}
}

func TestLoopRefusesLongSplices(t *testing.T) {
	long := ringtest.Wide(t, math.MaxUint32+1)
	l := ringtest.NewLoop(t, 8)
	c := ringtest.Do(t, l, func(cb liburing.Callback) liburing.Request { return l.Splice(-1, -1, -1, -1, long, 0, cb) })
	require.Len(t, c, 1)
	require.ErrorIs(t, c[0].Err(), unix.EINVAL)
	require.ErrorContains(t, c[0].Err(), "nbytes (4294967296) must be")
}

// Descriptors that the kernel stores are the caller's when the callback runs, and
// those that it can't have are not cut.
func TestDescriptorsAreCopied(t *testing.T) {
	l := ringtest.NewLoop(t, 8)
	fixedFiles(t, l, -1, -1)
	failure(t, l, unix.EBADF, func(cb liburing.Callback) liburing.Request {
		return l.FilesUpdate([]int{ringtest.Wide(t, 1<<32+1)}, 0, cb)
	})
	failure(t, l, unix.EINVAL, func(cb liburing.Callback) liburing.Request { return l.FilesUpdate(nil, 0, cb) })
	ringtest.NeedsOps(t, liburing.OpPipe)
	for range 3 { // from the loop's stock, from the second time on
		var fds [2]int
		l.Pipe(&fds, unix.O_CLOEXEC, func(c liburing.Completion) {
			require.NoError(t, c.Err())
			require.NotEqual(t, fds[0], fds[1])
			require.NoError(t, unix.Close(fds[0]))
			require.NoError(t, unix.Close(fds[1]))
		})
		ringtest.RunIdle(t, l)
	}
}
