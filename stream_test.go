//go:build linux && cgo

package liburing

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// A stream of requests that are made once each ends at the end of the file.
func TestRearmEndsAtEOF(t *testing.T) {
	file := int(tempFile(t, nil).Fd())
	for name, arm := range map[string]func(*Loop, int, Callback) Request{
		"read":  func(l *Loop, _ int, cb Callback) Request { return l.Read(file, make([]byte, 4), 0, cb) },
		"readv": func(l *Loop, _ int, cb Callback) Request { return l.Readv(file, [][]byte{make([]byte, 4)}, 0, cb) },
		"recv":  func(l *Loop, fd int, cb Callback) Request { return l.Recv(fd, make([]byte, 4), 0, cb) },
		"recvmsg": func(l *Loop, fd int, cb Callback) Request {
			return l.Recvmsg(fd, new(Msghdr), 0, cb)
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLoop(t, 8)
			a, b := socketPair(t)
			require.NoError(t, unix.Shutdown(a, unix.SHUT_WR))
			ends := 0
			l.Rearm(func(cb Callback) Request { return arm(l, b, cb) }, func(c Completion) {
				require.False(t, c.More())
				ends++
			})
			run(t, l)
			require.Equal(t, 1, ends)
		})
	}
}

// Datagrams may be empty, and are no end for a multishot recvmsg.
func TestRearmRecvmsgOfEmptyDatagrams(t *testing.T) {
	l := newLoop(t, 8)
	g := newGroup(t, l, 4, 64, 0)
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	defer unix.Close(fds[0])
	defer unix.Close(fds[1])
	for _, msg := range []string{"one", "", "two"} {
		_, err := unix.Write(fds[0], []byte(msg))
		require.NoError(t, err)
	}
	msg := new(Msghdr)
	var got []string
	var s *Stream
	s = l.Rearm(func(cb Callback) Request { return l.RecvmsgMultishot(fds[1], msg, 0, cb).Buffers(g) }, func(c Completion) {
		if c.Res > 0 {
			got = append(got, string(RecvmsgValidate(c.Buffer(), msg).Payload()))
		}
		if len(got) == 3 {
			s.Stop()
		}
	})
	run(t, l)
	require.Equal(t, []string{"one", "", "two"}, got)
}

// A callback that panics where the request is to be made again does not end the
// stream.
func TestRearmAfterAPanic(t *testing.T) {
	l := newLoop(t, 8)
	n, ended := 0, false
	var s *Stream
	s = l.Rearm(l.Nop, func(c Completion) {
		ended = !c.More()
		switch n++; n {
		case 1:
			panic("one")
		case 3:
			s.Stop()
		}
	})
	require.Panics(t, func() { l.RunUntilIdle(t.Context()) })
	run(t, l)
	require.True(t, ended)
}

func TestRearmWithAnotherLoopsRequest(t *testing.T) {
	l, other := newLoop(t, 8), newLoop(t, 8)
	var told []error
	s := l.Rearm(func(cb Callback) Request { return other.Nop(cb) }, func(c Completion) { told = append(told, c.Err()) })
	require.ErrorIs(t, s.Err(), unix.EINVAL)
	run(t, l)
	run(t, other)
	require.Equal(t, []error{s.Err()}, told)
}

// A receive that cuts a datagram tells its whole length: what is in the buffer is
// less, and the next buffer has nothing of it.
func TestBufGroupTruncatedDatagram(t *testing.T) {
	overLoops(t, 8, func(t *testing.T, l *Loop) {
		fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		require.NoError(t, err)
		defer unix.Close(fds[0])
		defer unix.Close(fds[1])
		for _, count := range []int{1, 8} {
			g := newGroup(t, l, count, 16, 0)
			msg := pattern(100, 1)
			unix.Write(fds[0], msg)
			within(t, func() {
				n := one(t, l, func(cb Callback) Request {
					return l.Recv(fds[1], nil, unix.MSG_TRUNC, func(c Completion) {
						require.Equal(t, msg[:16], c.Buffer())
						cb(c)
					}).Buffers(g)
				})
				require.Equal(t, 100, n)
			})
			allBack(t, g)
		}
	})
}

// The group that was named last is the one.
func TestBuffersOfTwoGroups(t *testing.T) {
	l := newLoop(t, 8)
	first, second := newGroup(t, l, 2, 16, 0), newGroup(t, l, 2, 16, 0)
	a, b := socketPair(t)
	unix.Write(a, []byte("hello"))
	got := ""
	l.Recv(b, nil, 0, func(c Completion) { got = string(c.Buffer()) }).Buffers(first).Buffers(second)
	run(t, l)
	require.Equal(t, "hello", got)
	allBack(t, first)
	allBack(t, second)
}

// A chain is not silenced whose last request can't speak for the others.
func TestSkipSuccessLeavesWhatMustSpeak(t *testing.T) {
	t.Run("link timeout", func(t *testing.T) {
		l := newLoop(t, 8)
		r, _ := pipe(t)
		told := map[string]error{}
		l.Read(r, make([]byte, 1), 0, func(c Completion) { told["read"] = c.Err() }).LinkNext()
		l.LinkTimeout(time.Millisecond, 0, func(c Completion) { told["timeout"] = c.Err() }).SkipSuccess()
		run(t, l)
		require.ErrorIs(t, told["read"], unix.ECANCELED)
		require.ErrorIs(t, told["timeout"], unix.ETIME)
	})
	t.Run("buffers", func(t *testing.T) {
		l := newLoop(t, 8)
		g := newGroup(t, l, 2, 16, 0)
		a, b := socketPair(t)
		unix.Write(a, []byte("x"))
		got := ""
		l.Recv(b, nil, 0, func(c Completion) { got = string(c.Buffer()) }).Buffers(g).LinkNext()
		l.Nop(nil).SkipSuccess()
		run(t, l)
		require.Equal(t, "x", got)
		allBack(t, g)
	})
	t.Run("buffers said later", func(t *testing.T) {
		l := newLoop(t, 8)
		g := newGroup(t, l, 2, 16, 0)
		_, b := socketPair(t)
		var err error
		first := l.Recv(b, nil, 0, func(c Completion) { err = c.Err() }).LinkNext()
		l.Nop(nil).SkipSuccess()
		first.Buffers(g)
		run(t, l)
		require.ErrorIs(t, err, unix.EINVAL)
		require.ErrorContains(t, err, "silent")
		allBack(t, g)
	})
}

// Whoever asks for more streams than there are buffers gets as many.
func TestFeedMakesNoMoreThanThereAreBuffers(t *testing.T) {
	l := newLoop(t, 8)
	g := newGroup(t, l, 1, 8, 0)
	made := 0
	var held Borrowed
	for range 3 {
		a, b := socketPair(t)
		l.Rearm(func(cb Callback) Request {
			made++
			return l.Recv(b, nil, 0, cb).Buffers(g)
		}, func(c Completion) {
			if c.Res > 0 {
				held = c.Keep()
			}
		})
		unix.Write(a, pattern(4, 1))
	}
	// One receives, and all ask again.
	runUntil(t, l, 10*time.Millisecond, func() bool { return len(g.waiting) == 2+1 })
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
	overLoops(t, 8, func(t *testing.T, l *Loop) {
		g := newGroup(t, l, 1, 9, 0)
		a, b := socketPair(t)
		var kept Borrowed
		got := ""
		var end error
		s := l.Rearm(func(cb Callback) Request { return l.RecvMultishot(b, nil, 0, cb).Buffers(g).LinkNext() }, func(c Completion) {
			got += string(c.Buffer())
			if kept == (Borrowed{}) {
				kept = c.Keep()
			}
			end = c.Err()
		})
		unix.Write(a, []byte("the firstand next"))
		run(t, l)
		require.Len(t, g.waiting, 1)
		unix.Read(b, make([]byte, 8))
		require.NoError(t, kept.Release())
		l.Read(-1, make([]byte, 1), 0, nil).LinkNext() // takes what is linked to it along
		runFor(t, l, 5*time.Millisecond)
		require.NoError(t, end)
		unix.Write(a, []byte(" and next"))
		runUntil(t, l, 5*time.Millisecond, func() bool { return got == "the first and next" })
		s.Stop()
		run(t, l)
		require.ErrorIs(t, end, unix.ECANCELED)
	})
}
