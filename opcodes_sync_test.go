//go:build linux && cgo

package liburing

import (
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestOpFutex(t *testing.T) {
	needOps(t, OpFutexWait)
	overLoops(t, 8, func(t *testing.T, l *Loop) {
		const flags = Futex2SizeU32 | Futex2Private
		word, other := new(uint32), new(uint32)
		*word = 7
		woken := false
		l.FutexWait(word, 7, ^uint64(0)>>32, flags, 0, func(c Completion) {
			require.NoError(t, c.Err())
			woken = true
		})
		l.Timeout(time.Millisecond, 0, 0, func(Completion) {
			l.FutexWake(word, 1, ^uint64(0)>>32, flags, 0, func(c Completion) { require.EqualValues(t, 1, c.Res) })
		})
		run(t, l)
		require.True(t, woken)
		c := do(t, l, func(cb Callback) Request { return l.FutexWait(word, 8, ^uint64(0)>>32, flags, 0, cb) })
		require.ErrorIs(t, c[0].Err(), unix.EAGAIN, "another value")
		require.Zero(t, one(t, l, func(cb Callback) Request { return l.FutexWake(word, 1, ^uint64(0)>>32, flags, 0, cb) }))

		var which int32 = -1
		l.FutexWaitv([]FutexWaitv{{Val: 7, Futex: word, Flags: flags}, {Val: 0, Futex: other, Flags: flags}}, 0,
			func(c Completion) { which = c.Res })
		l.Timeout(time.Millisecond, 0, 0, func(Completion) {
			l.FutexWake(other, 1, ^uint64(0)>>32, flags, 0, func(c Completion) { require.EqualValues(t, 1, c.Res) })
		})
		run(t, l)
		require.EqualValues(t, 1, which)
		c = do(t, l, func(cb Callback) Request { return l.FutexWaitv(nil, 0, cb) })
		require.ErrorIs(t, c[0].Err(), unix.EINVAL)
	})
}

func TestOpWaitid(t *testing.T) {
	needOps(t, OpWaitid)
	l := newLoop(t, 8)
	cmd := exec.Command("sleep", "0.02")
	require.NoError(t, cmd.Start())
	defer cmd.Process.Release()
	info := new(Siginfo)
	one(t, l, func(cb Callback) Request {
		return l.Waitid(unix.P_PID, cmd.Process.Pid, info, unix.WEXITED|unix.WNOWAIT, 0, cb)
	})
	require.EqualValues(t, unix.SIGCHLD, info.Signo)
	require.NoError(t, cmd.Wait())
	c := do(t, l, func(cb Callback) Request {
		return l.Waitid(unix.P_PID, cmd.Process.Pid, nil, unix.WEXITED, 0, cb)
	})
	require.ErrorIs(t, c[0].Err(), unix.ECHILD)
}

func TestOpEpoll(t *testing.T) {
	overLoops(t, 8, func(t *testing.T, l *Loop) {
		ep, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
		require.NoError(t, err)
		defer unix.Close(ep)
		rd, wr := pipe(t)
		one(t, l, func(cb Callback) Request {
			return l.EpollCtl(ep, rd, unix.EPOLL_CTL_ADD, &EpollEvent{Events: unix.EPOLLIN, Fd: 77}, cb)
		})
		c := do(t, l, func(cb Callback) Request {
			return l.EpollCtl(ep, rd, unix.EPOLL_CTL_ADD, &EpollEvent{}, cb)
		})
		require.ErrorIs(t, c[0].Err(), unix.EEXIST)
		events := make([]EpollEvent, 4)
		l.Timeout(time.Millisecond, 0, 0, func(Completion) { unix.Write(wr, []byte("x")) })
		if kernelBefore(6, 15) {
			c = do(t, l, func(cb Callback) Request { return l.EpollWait(ep, events, 0, cb) })
			require.ErrorIs(t, c[0].Err(), unix.EINVAL)
			return
		}
		require.Equal(t, 1, one(t, l, func(cb Callback) Request { return l.EpollWait(ep, events, 0, cb) }))
		require.EqualValues(t, 77, events[0].Fd)
		c = do(t, l, func(cb Callback) Request { return l.EpollWait(rd, events, 0, cb) })
		require.ErrorIs(t, c[0].Err(), unix.EINVAL)
	})
}
