//go:build linux && cgo

package liburing

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// A flag that has the kernel take the time's address for the time itself changes
// nothing: the loop has the time in its own memory.
func TestImmediateTimes(t *testing.T) {
	needOps(t, OpMkdirat) // timeouts that are moved are a kernel older
	overLoops(t, 8, func(t *testing.T, l *Loop) {
		const d = 20 * time.Millisecond
		start := time.Now()
		c := do(t, l, func(cb Callback) Request { return l.Timeout(d, 0, TimeoutImmediateArg, cb) })
		require.ErrorIs(t, c[0].Err(), unix.ETIME)
		require.GreaterOrEqual(t, time.Since(start), d)

		start = time.Now()
		c = do(t, l, func(cb Callback) Request {
			r := l.Timeout(time.Hour, 0, 0, cb)
			l.TimeoutUpdate(d, r.Token(), TimeoutImmediateArg, func(c Completion) { require.NoError(t, c.Err()) })
			return r
		})
		require.ErrorIs(t, c[0].Err(), unix.ETIME)
		require.GreaterOrEqual(t, time.Since(start), d)

		rd, _ := pipe(t)
		c = do(t, l, func(cb Callback) Request {
			r := l.Read(rd, make([]byte, 1), CurrentPosition, cb).Flags(SQEIOLink)
			l.LinkTimeout(d, TimeoutImmediateArg, func(c Completion) { require.ErrorIs(t, c.Err(), unix.ETIME) })
			return r
		})
		requireCancelled(t, c[0].Err())
	})
}

// Flags that change what another argument means are refused, with what to do, and
// so are counts that the kernel can't be told.
func TestLoopRefusesArguments(t *testing.T) {
	l := newLoop(t, 8)
	word := new(uint32)
	sent := []byte("x")
	for want, request := range map[string]func(cb Callback) Request{
		"use CancelFD":       func(cb Callback) Request { return l.Cancel(1, AsyncCancelFD, cb) },
		"use Cancel":         func(cb Callback) Request { return l.CancelFD(0, AsyncCancelUserdata, cb) },
		"use CancelOp":       func(cb Callback) Request { return l.Cancel(1, AsyncCancelOp, cb) },
		"AsyncCancelOp":      func(cb Callback) Request { return l.CancelFD(0, AsyncCancelOp, cb) },
		"a token's request":  func(cb Callback) Request { return l.CancelOp(OpRead, 0, AsyncCancelUserdata, cb) },
		"use TimeoutUpdate":  func(cb Callback) Request { return l.TimeoutRemove(1, TimeoutUpdate, cb) },
		"another time":       func(cb Callback) Request { return l.TimeoutRemove(1, LinkTimeoutUpdate, cb) },
		"keeps its token":    func(cb Callback) Request { return l.PollUpdate(1, 1, PollUpdateEvents|PollUpdateUserData, cb) },
		"PollUpdateEvents":   func(cb Callback) Request { return l.PollUpdate(1, 0, 0, cb) },
		"use SendZCFixed":    func(cb Callback) Request { return l.SendZC(-1, sent, 0, RecvSendFixedBuf, cb) },
		"SendVectorized":     func(cb Callback) Request { return l.SendZC(-1, sent, 0, SendVectorized, cb) },
		"holds iovecs":       func(cb Callback) Request { return l.SendZCFixed(-1, sent, 0, SendVectorized, 0, cb) },
		"use CmdGetsockname": func(cb Callback) Request { return l.CmdSock(SocketOpGetsockname, -1, 0, 0, sent, cb) },
		"use URingCmd":       func(cb Callback) Request { return l.CmdSock(SocketOpTXTimestamp, -1, 0, 0, sent, cb) },
		"Futex2NUMA":         func(cb Callback) Request { return l.FutexWait(word, 0, 1, Futex2SizeU32|Futex2NUMA, 0, cb) },
		"two words":          func(cb Callback) Request { return l.FutexWake(word, 0, 1, Futex2SizeU32|Futex2NUMA, 0, cb) },
		"there is one": func(cb Callback) Request {
			return l.FutexWaitv([]FutexWaitv{{Futex: word, Flags: Futex2SizeU32}, {Futex: word, Flags: Futex2NUMA}}, 0, cb)
		},
		"count (-1) must be":          func(cb Callback) Request { return l.Timeout(time.Hour, -1, 0, cb) },
		"nbytes (4294967296) must be": func(cb Callback) Request { return l.Splice(-1, -1, -1, -1, math.MaxUint32+1, 0, cb) },
		"nbytes (-1) must be":         func(cb Callback) Request { return l.ReadMultishot(-1, -1, 0, 0, cb) },
		"length (-1) must be":         func(cb Callback) Request { return l.SendBundle(-1, -1, 0, cb) },
	} {
		c := do(t, l, request)
		require.Len(t, c, 1, want)
		require.ErrorIs(t, c[0].Err(), unix.EINVAL, want)
		require.ErrorContains(t, c[0].Err(), want)
	}
}

// Descriptors that the kernel stores are the caller's when the callback runs, and
// those that it can't have are not cut.
func TestDescriptorsAreCopied(t *testing.T) {
	l := newLoop(t, 8)
	fixedFiles(t, l, -1, -1)
	failure(t, l, unix.EBADF, func(cb Callback) Request { return l.FilesUpdate([]int{1<<32 + 1}, 0, cb) })
	failure(t, l, unix.EINVAL, func(cb Callback) Request { return l.FilesUpdate(nil, 0, cb) })
	needOps(t, OpPipe)
	for range 3 { // from the loop's stock, from the second time on
		var fds [2]int
		l.Pipe(&fds, unix.O_CLOEXEC, func(c Completion) {
			require.NoError(t, c.Err())
			require.NotEqual(t, fds[0], fds[1])
			require.NoError(t, unix.Close(fds[0]))
			require.NoError(t, unix.Close(fds[1]))
		})
		run(t, l)
	}
}
