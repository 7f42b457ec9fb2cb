//go:build linux

package loop_test

import (
	"context"
	"os"
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

// freeTries is how many requests of a stream may bring nothing before it pauses.
const freeTries = 8

// fruitless is how often a stream may ask in the time that runQuarter takes: the
// free tries, and then pauses of 1, 2, 4, … ms.
const fruitless = freeTries + 10

// runQuarter runs a loop for a quarter of a second.
func runQuarter(t *testing.T, l *liburing.Loop) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 250*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, l.RunUntilIdle(ctx), context.DeadlineExceeded)
}

// Requests that bring nothing are made again with pauses that grow. Stop, a context
// and Close end a pause.
func TestRearmPauses(t *testing.T) {
	ends := map[string]func(t *testing.T, l *liburing.Loop, s *liburing.Stream, cancel func()) error{
		"stop": func(t *testing.T, l *liburing.Loop, s *liburing.Stream, _ func()) error {
			s.Stop()
			return unix.ECANCELED
		},
		"context": func(t *testing.T, l *liburing.Loop, s *liburing.Stream, cancel func()) error {
			cancel()
			return context.Canceled
		},
		"close": func(t *testing.T, l *liburing.Loop, s *liburing.Stream, _ func()) error {
			ringtest.CloseLoop(t, l)
			return unix.ECANCELED
		},
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			for range 10 { // on a busy machine anything may take long
				if endPause(t, end) < 90*time.Millisecond {
					return
				}
			}
			require.Fail(t, "the pause of 100 ms is waited for")
		})
	}
}

// endPause ends a stream in a pause behind the eighth, and returns how long that took.
func endPause(t *testing.T, end func(*testing.T, *liburing.Loop, *liburing.Stream, func()) error) time.Duration {
	l := ringtest.NewLoop(t, 8)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	made := 0
	var last []liburing.Completion
	s := l.Rearm(func(cb liburing.Callback) liburing.Request {
		made++
		return l.Nop(cb).WithContext(ctx)
	}, func(c liburing.Completion) {
		if !c.More() {
			last = append(last, c)
		}
	})
	start := time.Now()
	ringtest.RunUntil(t, l, time.Millisecond, func() bool { return l.Stats().StreamPauses >= 8 })
	require.GreaterOrEqual(t, time.Since(start), 127*time.Millisecond, "1, 2, 4, … 64 ms")
	if pauses := int(l.Stats().StreamPauses); made != freeTries+pauses { // the next one has begun
		require.Equal(t, freeTries+pauses+1, made)
		s.Stop()
		return time.Hour
	}
	require.Zero(t, s.Token(), "there is no request in a pause")
	start = time.Now()
	want := end(t, l, s, cancel)
	if len(last) == 0 { // it has not been closed
		ringtest.RunIdle(t, l)
	}
	took := time.Since(start)
	require.Len(t, last, 1)
	require.ErrorIs(t, last[0].Err(), want)
	require.Equal(t, liburing.OpNop, last[0].Op())
	require.Zero(t, s.Token())
	return took
}

// A group whose buffers the kernel does not find makes no loop spin, and the stream
// goes on when it finds some.
func TestRearmOnALostGroup(t *testing.T) {
	l := ringtest.NewLoop(t, 8)
	g := ringtest.NewGroup(t, l, 4, 16, 0)
	a, b := ringtest.SocketPair(t)
	unix.Write(a, []byte("hello"))
	require.NoError(t, l.Control(func(*liburing.Ring) error { ringtest.RingOf(g).Init(); return nil }))
	made, got := 0, ""
	s := l.Rearm(func(cb liburing.Callback) liburing.Request {
		made++
		return l.RecvMultishot(b, nil, 0, cb).Buffers(g)
	}, func(c liburing.Completion) { got += string(c.Buffer()) })
	runQuarter(t, l)
	require.Greater(t, made, freeTries)
	require.LessOrEqual(t, made, fruitless)
	require.NoError(t, l.Control(func(*liburing.Ring) error { ringtest.RingOf(g).Advance(4); return nil }))
	ringtest.RunUntil(t, l, 10*time.Millisecond, func() bool { return got == "hello" })
	s.Stop()
	ringtest.RunIdle(t, l)
	ringtest.AllBack(t, g)
}

// A multishot recvmsg has a result above 0 where the peer has closed, too.
func TestRearmRecvmsgOfAConnectionThatCloses(t *testing.T) {
	receive := func(t *testing.T, l *liburing.Loop, fd int) (g *liburing.BufGroup, s *liburing.Stream, got *string, ends *[]liburing.Completion) {
		g, got, ends = ringtest.NewGroup(t, l, 4, 64, 0), new(string), new([]liburing.Completion)
		msg := new(liburing.Msghdr)
		s = l.Rearm(func(cb liburing.Callback) liburing.Request { return l.RecvmsgMultishot(fd, msg, 0, cb).Buffers(g) }, func(c liburing.Completion) {
			if out := liburing.RecvmsgValidate(c.Buffer(), msg); out != nil {
				*got += string(out.Payload())
			}
			if !c.More() {
				*ends = append(*ends, c)
			}
		})
		return g, s, got, ends
	}
	for _, from := range []source{sources[1], sources[2]} {
		t.Run(from.name, func(t *testing.T) {
			l := ringtest.NewLoop(t, 8)
			w, r := from.open(t)
			unix.Write(w, []byte("bye"))
			unix.Shutdown(w, unix.SHUT_WR)
			g, _, got, ends := receive(t, l, r)
			ringtest.RunIdle(t, l)
			require.Equal(t, "bye", *got)
			require.Len(t, *ends, 1)
			require.NoError(t, (*ends)[0].Err())
			ringtest.AllBack(t, g)
		})
	}
	t.Run("registered", func(t *testing.T) { // its kind is not known
		l := ringtest.NewLoop(t, 8)
		w, r := tcpConnection(t)
		require.NoError(t, l.Control(func(ring *liburing.Ring) error { return ring.RegisterFiles([]int{r}) }))
		g, s, _, ends := receive(t, l, liburing.Fixed(0).FD())
		unix.Shutdown(w, unix.SHUT_WR)
		runQuarter(t, l)
		require.Greater(t, l.Stats().StreamPauses, uint64(2))
		require.LessOrEqual(t, l.Stats().Completed, uint64(2*fruitless))
		require.Empty(t, *ends)
		s.Stop()
		ringtest.RunIdle(t, l)
		require.Len(t, *ends, 1)
		ringtest.AllBack(t, g)
	})
}

// An accept that finds no room tells so, and goes on when there is some.
func TestRearmAcceptWithoutRoom(t *testing.T) {
	t.Run("registered files", func(t *testing.T) {
		l := ringtest.NewLoop(t, 8)
		ringtest.SparseFiles(t, l, 1)
		testAcceptWithoutRoom(t, l, l.MultishotAcceptDirect, unix.ENFILE, func(place int) { l.CloseFD(liburing.Fixed(place).FD(), nil) })
	})
	t.Run("descriptors", func(t *testing.T) {
		ringtest.NeedsOps(t, liburing.OpSocket) // came with multishot accept
		l := ringtest.NewLoop(t, 8)
		var old unix.Rlimit
		require.NoError(t, unix.Getrlimit(unix.RLIMIT_NOFILE, &old))
		limit := func(n uint64) {
			require.NoError(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: n, Max: old.Max}))
		}
		defer limit(old.Cur)
		limited := false
		got := testAcceptWithoutRoom(t, l, func(fd int, peer *liburing.Sockaddr, flags int, cb liburing.Callback) liburing.Request {
			if !limited {
				limited = true
				next, err := unix.Dup(0)
				require.NoError(t, err)
				unix.Close(next)
				limit(uint64(next + 1)) // room for one
			}
			return l.MultishotAccept(fd, peer, flags, cb)
		}, unix.EMFILE, func(int) { limit(old.Cur) })
		closeLater(t, got...)
	})
}

// testAcceptWithoutRoom has two connections come where there is room for one, until
// free is called.
func testAcceptWithoutRoom(t *testing.T, l *liburing.Loop, accept func(int, *liburing.Sockaddr, int, liburing.Callback) liburing.Request, want error, free func(int)) (got []int) {
	door, at := bound(t, unix.SOCK_STREAM)
	require.NoError(t, unix.Listen(door, 2))
	var clients []int
	for range 3 {
		fd, _ := bound(t, unix.SOCK_STREAM)
		clients = append(clients, fd)
	}
	require.NoError(t, unix.Connect(clients[0], at))
	require.NoError(t, unix.Connect(clients[1], at))
	var errs []error
	freed := false
	s := l.Rearm(func(cb liburing.Callback) liburing.Request { return accept(door, nil, 0, cb) }, func(c liburing.Completion) {
		n, err := c.Result()
		if err != nil {
			errs = append(errs, err)
			require.True(t, c.More() || len(got) >= 2, "%v", err)
			if !freed {
				freed = true
				free(got[0])
				require.NoError(t, unix.Connect(clients[2], at)) // the kernel may have let go of the second
			}
			return
		}
		got = append(got, n)
	})
	ringtest.RunUntil(t, l, 10*time.Millisecond, func() bool { return len(got) >= 2 })
	require.ErrorIs(t, errs[0], want)
	require.LessOrEqual(t, len(errs), 4, "%v", errs)
	s.Stop()
	ringtest.RunIdle(t, l)
	require.ErrorIs(t, errs[len(errs)-1], unix.ECANCELED)
	return got
}

// A stream that waits for buffers learns of its context's end at once.
func TestRearmContextWhileItWaitsForBuffers(t *testing.T) {
	l := ringtest.NewLoop(t, 8)
	g := ringtest.NewGroup(t, l, 1, 64, 0)
	a, b := ringtest.SocketPair(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	var kept liburing.Borrowed
	var ends []liburing.Completion
	s := l.Rearm(func(cb liburing.Callback) liburing.Request {
		return l.RecvMultishot(b, nil, 0, cb).Buffers(g).WithContext(t.Context()).WithContext(ctx)
	}, func(c liburing.Completion) {
		if c.More() {
			kept = c.Keep()
			return
		}
		ends = append(ends, c)
	})
	unix.Write(a, []byte("first"))
	ringtest.RunUntil(t, l, time.Millisecond, func() bool { return kept.Bytes() != nil })
	unix.Write(a, []byte("second"))
	ringtest.RunUntil(t, l, time.Millisecond, func() bool { return ringtest.InsideGroup(g).Waiting == 1 })
	require.Zero(t, s.Token())
	cancel(unix.EBADMSG)
	ringtest.RunUntil(t, l, time.Millisecond, func() bool { return len(ends) == 1 })
	require.ErrorIs(t, ends[0].Err(), context.Canceled)
	require.ErrorIs(t, ends[0].Err(), unix.EBADMSG)
	require.NoError(t, kept.Release())
	ringtest.RunIdle(t, l)
	require.Len(t, ends, 1)
	ringtest.AllBack(t, g)
}

// The limit of a stream holds while it waits for buffers, and ends it as it would end a
// request.
func TestRearmLimitWhileItWaitsForBuffers(t *testing.T) {
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		const limit = 50 * time.Millisecond
		g := ringtest.NewGroup(t, l, 1, 4, 0)
		a, b := ringtest.SocketPair(t)
		var kept liburing.Borrowed
		var ends []liburing.Completion
		start := time.Now()
		s := l.Rearm(func(cb liburing.Callback) liburing.Request {
			return l.RecvMultishot(b, nil, 0, cb).Buffers(g).WithTimeout(limit)
		}, func(c liburing.Completion) {
			if c.More() {
				kept = c.Keep()
				return
			}
			ends = append(ends, c)
			l.Stop()
		})
		unix.Write(a, []byte("more than four"))
		ringtest.RunUntil(t, l, time.Millisecond, func() bool { return ringtest.InsideGroup(g).Waiting == 1 || len(ends) > 0 })
		if len(ends) == 0 { // it may have taken long
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			require.NoError(t, l.Run(ctx))
		}
		require.GreaterOrEqual(t, time.Since(start), limit)
		require.ErrorIs(t, ends[0].Err(), os.ErrDeadlineExceeded)
		require.ErrorIs(t, ends[0].Err(), unix.ECANCELED)
		require.Zero(t, s.Token())
		require.Zero(t, ringtest.Pending(l))
		require.NoError(t, kept.Release())
		ringtest.RunIdle(t, l)
		require.Len(t, ends, 1)
		ringtest.AllBack(t, g)
	})
}

// A stream has one limit for all of its requests, whatever arm gives each of them. What is
// set while one is in flight holds for those behind it, too.
func TestRearmLimitOfAllRequests(t *testing.T) {
	const limit, beat = 100 * time.Millisecond, time.Millisecond
	for name, test := range map[string]struct {
		arm   func(made int, r liburing.Request) // is given each request
		set   func(r liburing.Request)           // is given the third once it is in flight
		least time.Duration                      // what the stream takes then, 0 if it does not end
	}{
		"each": {func(_ int, r liburing.Request) { r.WithTimeout(limit) }, nil, limit},
		"the first": {func(made int, r liburing.Request) {
			if made == 1 {
				r.WithTimeout(limit)
			}
		}, nil, limit},
		"the second": {func(made int, r liburing.Request) {
			if made == 2 {
				r.WithTimeout(limit)
			}
		}, nil, limit},
		"postponed": {func(_ int, r liburing.Request) { r.WithTimeout(limit) },
			func(r liburing.Request) { r.WithTimeout(2 * limit) }, 2 * limit},
		"removed": {func(_ int, r liburing.Request) { r.WithTimeout(limit) },
			func(r liburing.Request) { r.WithTimeout(-1) }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			l := ringtest.NewLoop(t, 8)
			a, b := ringtest.SocketPair(t)
			var last liburing.Request
			var end error
			made := 0
			start := time.Now()
			s := l.Rearm(func(cb liburing.Callback) liburing.Request {
				made++
				last = l.Recv(b, make([]byte, 1), 0, cb)
				test.arm(made, last)
				return last
			}, func(c liburing.Completion) { end = c.Err() })
			beats := l.Every(beat, func() {
				unix.Write(a, []byte("x"))
				if made == 3 && test.set != nil {
					test.set(last)
				}
			})
			defer beats.Stop()
			if test.least == 0 {
				ringtest.RunFor(t, l, 3*limit)
				require.NoError(t, end)
				s.Stop()
			}
			ringtest.RunUntil(t, l, beat, func() bool { return end != nil })
			if test.least > 0 {
				require.ErrorIs(t, end, os.ErrDeadlineExceeded)
			}
			require.GreaterOrEqual(t, time.Since(start), test.least)
			require.Greater(t, made, 3)
			beats.Stop()
			ringtest.RunIdle(t, l)
			require.Zero(t, ringtest.Pending(l))
		})
	}
}

// A function that panics instead of making the next request ends its stream, which is
// told.
func TestRearmPanics(t *testing.T) {
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		g := ringtest.NewGroup(t, l, 1, 4, 0)
		a, b := ringtest.SocketPair(t)
		requests := 0
		var ends []liburing.Completion
		s := l.Rearm(func(cb liburing.Callback) liburing.Request {
			if requests++; requests == 2 {
				panic("no")
			}
			return l.RecvMultishot(b, nil, 0, cb).Buffers(g)
		}, func(c liburing.Completion) {
			if !c.More() {
				ends = append(ends, c)
			}
		})
		unix.Write(a, []byte("more than four"))
		require.Panics(t, func() { l.RunUntilIdle(context.Background()) })
		ringtest.RunIdle(t, l)
		require.Len(t, ends, 1)
		require.ErrorIs(t, ends[0].Err(), unix.EINVAL)
		require.Equal(t, s.Err(), ends[0].Err())
		s.Stop()
		ringtest.RunIdle(t, l)
		require.Len(t, ends, 1)
		ringtest.AllBack(t, g)
	})
}
