//go:build linux

package opcodes_test

import (
	"os/exec"
	"testing"
	"time"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestOpFutex(t *testing.T) {
	ringtest.NeedsOps(t, liburing.OpFutexWait)
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		const flags = liburing.Futex2SizeU32 | liburing.Futex2Private
		word, other := new(uint32), new(uint32)
		*word = 7
		woken := false
		l.FutexWait(word, 7, ^uint64(0)>>32, flags, 0, func(c liburing.Completion) {
			require.NoError(t, c.Err())
			woken = true
		})
		l.Timeout(time.Millisecond, 0, 0, func(liburing.Completion) {
			l.FutexWake(word, 1, ^uint64(0)>>32, flags, 0, func(c liburing.Completion) { require.EqualValues(t, 1, c.Res) })
		})
		ringtest.RunIdle(t, l)
		require.True(t, woken)
		c := ringtest.Do(t, l, func(cb liburing.Callback) liburing.Request { return l.FutexWait(word, 8, ^uint64(0)>>32, flags, 0, cb) })
		require.ErrorIs(t, c[0].Err(), unix.EAGAIN, "another value")
		require.Zero(t, ringtest.One(t, l, func(cb liburing.Callback) liburing.Request { return l.FutexWake(word, 1, ^uint64(0)>>32, flags, 0, cb) }))

		var which int32 = -1
		l.FutexWaitv([]liburing.FutexWaitv{{Val: 7, Futex: word, Flags: flags}, {Val: 0, Futex: other, Flags: flags}}, 0,
			func(c liburing.Completion) { which = c.Res })
		l.Timeout(time.Millisecond, 0, 0, func(liburing.Completion) {
			l.FutexWake(other, 1, ^uint64(0)>>32, flags, 0, func(c liburing.Completion) { require.EqualValues(t, 1, c.Res) })
		})
		ringtest.RunIdle(t, l)
		require.EqualValues(t, 1, which)
		c = ringtest.Do(t, l, func(cb liburing.Callback) liburing.Request { return l.FutexWaitv(nil, 0, cb) })
		require.ErrorIs(t, c[0].Err(), unix.EINVAL)
	})
}

func TestOpWaitid(t *testing.T) {
	ringtest.NeedsOps(t, liburing.OpWaitid)
	l := ringtest.NewLoop(t, 8)
	cmd := exec.Command("sleep", "0.02")
	require.NoError(t, cmd.Start())
	defer cmd.Process.Release()
	info := new(liburing.Siginfo)
	ringtest.One(t, l, func(cb liburing.Callback) liburing.Request {
		return l.Waitid(unix.P_PID, cmd.Process.Pid, info, unix.WEXITED|unix.WNOWAIT, 0, cb)
	})
	require.EqualValues(t, unix.SIGCHLD, info.Signo)
	require.NoError(t, cmd.Wait())
	c := ringtest.Do(t, l, func(cb liburing.Callback) liburing.Request {
		return l.Waitid(unix.P_PID, cmd.Process.Pid, nil, unix.WEXITED, 0, cb)
	})
	require.ErrorIs(t, c[0].Err(), unix.ECHILD)
}

func TestOpEpoll(t *testing.T) {
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		ep, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
		require.NoError(t, err)
		defer unix.Close(ep)
		rd, wr := ringtest.Pipe(t)
		ringtest.One(t, l, func(cb liburing.Callback) liburing.Request {
			return l.EpollCtl(ep, rd, unix.EPOLL_CTL_ADD, &liburing.EpollEvent{Events: unix.EPOLLIN, Fd: 77}, cb)
		})
		c := ringtest.Do(t, l, func(cb liburing.Callback) liburing.Request {
			return l.EpollCtl(ep, rd, unix.EPOLL_CTL_ADD, &liburing.EpollEvent{}, cb)
		})
		require.ErrorIs(t, c[0].Err(), unix.EEXIST)
		events := make([]liburing.EpollEvent, 4)
		l.Timeout(time.Millisecond, 0, 0, func(liburing.Completion) { unix.Write(wr, []byte("x")) })
		if ringtest.KernelBefore(6, 15) {
			c = ringtest.Do(t, l, func(cb liburing.Callback) liburing.Request { return l.EpollWait(ep, events, 0, cb) })
			require.ErrorIs(t, c[0].Err(), unix.EINVAL)
			return
		}
		require.Equal(t, 1, ringtest.One(t, l, func(cb liburing.Callback) liburing.Request { return l.EpollWait(ep, events, 0, cb) }))
		require.EqualValues(t, 77, events[0].Fd)
		c = ringtest.Do(t, l, func(cb liburing.Callback) liburing.Request { return l.EpollWait(rd, events, 0, cb) })
		require.ErrorIs(t, c[0].Err(), unix.EINVAL)
	})
}
