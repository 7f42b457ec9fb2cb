//go:build linux && cgo

package loop_test

import (
	"context"
	"testing"
	"time"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// A stream of requests that are made once each ends at the end of the file.
func TestRearmEndsAtEOF(t *testing.T) {
	file := int(ringtest.TempFile(t, nil).Fd())
	for name, arm := range map[string]func(*liburing.Loop, int, liburing.Callback) liburing.Request{
		"read": func(l *liburing.Loop, _ int, cb liburing.Callback) liburing.Request {
			return l.Read(file, make([]byte, 4), 0, cb)
		},
		"readv": func(l *liburing.Loop, _ int, cb liburing.Callback) liburing.Request {
			return l.Readv(file, [][]byte{make([]byte, 4)}, 0, cb)
		},
		"recv": func(l *liburing.Loop, fd int, cb liburing.Callback) liburing.Request {
			return l.Recv(fd, make([]byte, 4), 0, cb)
		},
		"recvmsg": func(l *liburing.Loop, fd int, cb liburing.Callback) liburing.Request {
			return l.Recvmsg(fd, new(liburing.Msghdr), 0, cb)
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := ringtest.NewLoop(t, 8)
			a, b := ringtest.SocketPair(t)
			require.NoError(t, unix.Shutdown(a, unix.SHUT_WR))
			ends := 0
			l.Rearm(func(cb liburing.Callback) liburing.Request { return arm(l, b, cb) }, func(c liburing.Completion) {
				require.False(t, c.More())
				ends++
			})
			ringtest.RunIdle(t, l)
			require.Equal(t, 1, ends)
		})
	}
}

// Datagrams may be empty, and are no end for a multishot recvmsg.
func TestRearmRecvmsgOfEmptyDatagrams(t *testing.T) {
	l := ringtest.NewLoop(t, 8)
	g := ringtest.NewGroup(t, l, 4, 64, 0)
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	defer unix.Close(fds[0])
	defer unix.Close(fds[1])
	for _, msg := range []string{"one", "", "two"} {
		_, err := unix.Write(fds[0], []byte(msg))
		require.NoError(t, err)
	}
	msg := new(liburing.Msghdr)
	var got []string
	var s *liburing.Stream
	s = l.Rearm(func(cb liburing.Callback) liburing.Request { return l.RecvmsgMultishot(fds[1], msg, 0, cb).Buffers(g) }, func(c liburing.Completion) {
		if c.Res > 0 {
			got = append(got, string(liburing.RecvmsgValidate(c.Buffer(), msg).Payload()))
		}
		if len(got) == 3 {
			s.Stop()
		}
	})
	ringtest.RunIdle(t, l)
	require.Equal(t, []string{"one", "", "two"}, got)
}

// A callback that panics where the request is to be made again does not end the
// stream.
func TestRearmAfterAPanic(t *testing.T) {
	l := ringtest.NewLoop(t, 8)
	n, ended := 0, false
	var s *liburing.Stream
	s = l.Rearm(l.Nop, func(c liburing.Completion) {
		ended = !c.More()
		switch n++; n {
		case 1:
			panic("one")
		case 3:
			s.Stop()
		}
	})
	require.Panics(t, func() { l.RunUntilIdle(t.Context()) })
	ringtest.RunIdle(t, l)
	require.True(t, ended)
}

func TestRearmWithAnotherLoopsRequest(t *testing.T) {
	l, other := ringtest.NewLoop(t, 8), ringtest.NewLoop(t, 8)
	var told []error
	s := l.Rearm(func(cb liburing.Callback) liburing.Request { return other.Nop(cb) }, func(c liburing.Completion) { told = append(told, c.Err()) })
	require.ErrorIs(t, s.Err(), unix.EINVAL)
	ringtest.RunIdle(t, l)
	ringtest.RunIdle(t, other)
	require.Equal(t, []error{s.Err()}, told)
}

// A receive that cuts a datagram tells its whole length: what is in the buffer is
// less, and the next buffer has nothing of it.
func TestBufGroupTruncatedDatagram(t *testing.T) {
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		require.NoError(t, err)
		defer unix.Close(fds[0])
		defer unix.Close(fds[1])
		for _, count := range []int{1, 8} {
			g := ringtest.NewGroup(t, l, count, 16, 0)
			msg := ringtest.Pattern(100, 1)
			unix.Write(fds[0], msg)
			ringtest.Within(t, func() {
				n := ringtest.One(t, l, func(cb liburing.Callback) liburing.Request {
					return l.Recv(fds[1], nil, unix.MSG_TRUNC, func(c liburing.Completion) {
						require.Equal(t, msg[:16], c.Buffer())
						cb(c)
					}).Buffers(g)
				})
				require.Equal(t, 100, n)
			})
			ringtest.AllBack(t, g)
		}
	})
}

// The group that was named last is the one.
func TestBuffersOfTwoGroups(t *testing.T) {
	l := ringtest.NewLoop(t, 8)
	first, second := ringtest.NewGroup(t, l, 2, 16, 0), ringtest.NewGroup(t, l, 2, 16, 0)
	a, b := ringtest.SocketPair(t)
	unix.Write(a, []byte("hello"))
	got := ""
	l.Recv(b, nil, 0, func(c liburing.Completion) { got = string(c.Buffer()) }).Buffers(first).Buffers(second)
	ringtest.RunIdle(t, l)
	require.Equal(t, "hello", got)
	ringtest.AllBack(t, first)
	ringtest.AllBack(t, second)
}

// A chain is not silenced whose last request can't speak for the others.
func TestSkipSuccessLeavesWhatMustSpeak(t *testing.T) {
	t.Run("link timeout", func(t *testing.T) {
		l := ringtest.NewLoop(t, 8)
		r, _ := ringtest.Pipe(t)
		told := map[string]error{}
		l.Read(r, make([]byte, 1), 0, func(c liburing.Completion) { told["read"] = c.Err() }).LinkNext()
		l.LinkTimeout(time.Millisecond, 0, func(c liburing.Completion) { told["timeout"] = c.Err() }).SkipSuccess()
		ringtest.RunIdle(t, l)
		require.ErrorIs(t, told["read"], unix.ECANCELED)
		require.ErrorIs(t, told["timeout"], unix.ETIME)
	})
	t.Run("buffers", func(t *testing.T) {
		l := ringtest.NewLoop(t, 8)
		g := ringtest.NewGroup(t, l, 2, 16, 0)
		a, b := ringtest.SocketPair(t)
		unix.Write(a, []byte("x"))
		got := ""
		l.Recv(b, nil, 0, func(c liburing.Completion) { got = string(c.Buffer()) }).Buffers(g).LinkNext()
		l.Nop(nil).SkipSuccess()
		ringtest.RunIdle(t, l)
		require.Equal(t, "x", got)
		ringtest.AllBack(t, g)
	})
	t.Run("buffers said later", func(t *testing.T) {
		l := ringtest.NewLoop(t, 8)
		g := ringtest.NewGroup(t, l, 2, 16, 0)
		_, b := ringtest.SocketPair(t)
		var err error
		first := l.Recv(b, nil, 0, func(c liburing.Completion) { err = c.Err() }).LinkNext()
		l.Nop(nil).SkipSuccess()
		first.Buffers(g)
		ringtest.RunIdle(t, l)
		require.ErrorIs(t, err, unix.EINVAL)
		require.ErrorContains(t, err, "silent")
		ringtest.AllBack(t, g)
	})
}

// Whoever asks for more streams than there are buffers gets as many.
func TestFeedMakesNoMoreThanThereAreBuffers(t *testing.T) {
	l := ringtest.NewLoop(t, 8)
	g := ringtest.NewGroup(t, l, 1, 8, 0)
	made := 0
	var held liburing.Borrowed
	for range 3 {
		a, b := ringtest.SocketPair(t)
		l.Rearm(func(cb liburing.Callback) liburing.Request {
			made++
			return l.Recv(b, nil, 0, cb).Buffers(g)
		}, func(c liburing.Completion) {
			if c.Res > 0 {
				held = c.Keep()
			}
		})
		unix.Write(a, ringtest.Pattern(4, 1))
	}
	// One receives, and all ask again.
	ringtest.RunUntil(t, l, 10*time.Millisecond, func() bool { return ringtest.InsideGroup(g).Waiting == 2+1 })
	before := made
	require.NoError(t, held.Release())
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	l.Run(ctx)
	require.Equal(t, before+2, made, "one for the buffer, and the one that it asks for behind it")
	require.NoError(t, held.Release())
}

// A stream that has waited for a buffer goes on in a turn whose last request has an
// open link, and has one itself: neither is a chain with what is no part of it, such
// as what wakes the loop at its deadline.
func TestRearmBesideOpenChains(t *testing.T) {
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		g := ringtest.NewGroup(t, l, 1, 9, 0)
		a, b := ringtest.SocketPair(t)
		var kept liburing.Borrowed
		got := ""
		var end error
		s := l.Rearm(func(cb liburing.Callback) liburing.Request {
			return l.RecvMultishot(b, nil, 0, cb).Buffers(g).LinkNext()
		}, func(c liburing.Completion) {
			got += string(c.Buffer())
			if kept == (liburing.Borrowed{}) {
				kept = c.Keep()
			}
			end = c.Err()
		})
		unix.Write(a, []byte("the firstand next"))
		ringtest.RunIdle(t, l)
		require.Equal(t, 1, ringtest.InsideGroup(g).Waiting)
		unix.Read(b, make([]byte, 8))
		require.NoError(t, kept.Release())
		l.Read(-1, make([]byte, 1), 0, nil).LinkNext() // takes what is linked to it along
		ringtest.RunFor(t, l, 5*time.Millisecond)
		require.NoError(t, end)
		unix.Write(a, []byte(" and next"))
		ringtest.RunUntil(t, l, 5*time.Millisecond, func() bool { return got == "the first and next" })
		s.Stop()
		ringtest.RunIdle(t, l)
		require.ErrorIs(t, end, unix.ECANCELED)
	})
}
