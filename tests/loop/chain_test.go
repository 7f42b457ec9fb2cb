//go:build linux

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

// told notes which callbacks of a chain were called, and with what.
type told map[string]error

func (m told) as(name string) liburing.Callback {
	return func(c liburing.Completion) {
		if _, twice := m[name]; twice {
			panic(name + " was told twice")
		}
		m[name] = c.Err()
	}
}

// needsQuietChains skips where every chain is left as it is.
func needsQuietChains(t *testing.T) {
	if ringtest.NewRing(t, 1).Features()&liburing.FeatCQESkip == 0 {
		t.Skip("this kernel always tells of success")
	}
}

// What succeeds before the last request of a chain is silent; its memory and its
// place are given back all the same.
func TestSkipSuccess(t *testing.T) {
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		f := ringtest.TempFile(t, nil)
		m := told{}
		for range 5 { // across the queue's end, too
			clear(m)
			l.Write(int(f.Fd()), []byte("hello"), 0, m.as("write")).LinkNext()
			l.Fsync(int(f.Fd()), 0, m.as("fsync")).LinkNext()
			l.Nop(m.as("last")).SkipSuccess()
			l.Nop(m.as("other"))
			ringtest.RunIdle(t, l)
			if ringtest.NewRing(t, 1).Features()&liburing.FeatCQESkip == 0 {
				require.Len(t, m, 4, "all are told")
				continue
			}
			require.Equal(t, told{"last": nil, "other": nil}, m)
		}
		require.Zero(t, ringtest.BooksOf(l).Handles)
	})
}

// The first failure is told, and each behind it that it was cancelled.
func TestSkipSuccessFailure(t *testing.T) {
	needsQuietChains(t)
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		m := told{}
		l.Nop(m.as("first")).LinkNext()
		l.Read(-1, make([]byte, 1), 0, m.as("bad")).LinkNext()
		l.Nop(m.as("third")).LinkNext()
		l.Nop(m.as("last")).SkipSuccess()
		ringtest.RunIdle(t, l)
		require.Len(t, m, 3)
		require.ErrorIs(t, m["bad"], unix.EBADF)
		require.ErrorIs(t, m["third"], unix.ECANCELED)
		require.ErrorIs(t, m["last"], unix.ECANCELED)

		clear(m) // the last
		l.Nop(m.as("first")).LinkNext()
		l.Read(-1, make([]byte, 1), 0, m.as("last")).SkipSuccess()
		ringtest.RunIdle(t, l)
		require.Len(t, m, 1)
		require.ErrorIs(t, m["last"], unix.EBADF)

		clear(m) // what does less than was asked for ends the chain without an error
		rd, wr := ringtest.Pipe(t)
		_, err := unix.Write(wr, []byte("abc"))
		require.NoError(t, err)
		l.Nop(m.as("first")).LinkNext()
		l.Read(rd, make([]byte, 10), 0, m.as("short")).LinkNext()
		l.Nop(m.as("last")).SkipSuccess()
		ringtest.RunIdle(t, l)
		require.Len(t, m, 2)
		require.NoError(t, m["short"])
		require.ErrorIs(t, m["last"], unix.ECANCELED)

		clear(m) // refused by the library
		l.Nop(m.as("first")).LinkNext()
		l.Openat(0, "a\x00b", 0, 0, m.as("bad")).LinkNext()
		l.Nop(m.as("last")).SkipSuccess()
		ringtest.RunIdle(t, l)
		require.Len(t, m, 3, "the kernel looks at a chain first: %v", m)
		require.ErrorContains(t, m["bad"], "NUL")
		require.ErrorIs(t, m["last"], unix.ECANCELED)
		require.Zero(t, ringtest.BooksOf(l).Handles)
	})
}

// A context's end and the loop's reach those that are silent.
func TestSkipSuccessCancel(t *testing.T) {
	needsQuietChains(t)
	l := ringtest.NewLoop(t, 8)
	rd, _ := ringtest.Pipe(t)
	m := told{}
	ctx, cancel := context.WithCancel(context.Background())
	l.Nop(m.as("first")).WithContext(ctx).LinkNext()
	l.Read(rd, make([]byte, 1), 0, m.as("read")).WithContext(ctx).LinkNext()
	l.Nop(m.as("last")).WithContext(ctx).SkipSuccess()
	l.Post(cancel)
	ringtest.RunIdle(t, l)
	require.Len(t, m, 2, "%v", m)
	require.ErrorIs(t, m["read"], context.Canceled)
	require.ErrorIs(t, m["last"], context.Canceled)

	clear(m)
	l.Nop(m.as("first")).LinkNext()
	l.Read(rd, make([]byte, 1), 0, m.as("read")).LinkNext()
	l.Nop(m.as("last")).SkipSuccess()
	ringtest.CloseLoop(t, l)
	require.Len(t, m, 2, "%v", m)
	require.ErrorIs(t, m["last"], unix.ECANCELED)
}

// What can't be silent is not.
func TestSkipSuccessLeavesAlone(t *testing.T) {
	l := ringtest.NewLoop(t, 8)
	m := told{}
	l.Nop(m.as("alone")).SkipSuccess()
	l.Nop(m.as("hard")).HardLinkNext()
	l.Nop(m.as("end")).SkipSuccess()
	l.Nop(m.as("early")).LinkNext()
	early := l.Nop(m.as("not the last any more"))
	l.Nop(m.as("later"))
	early.SkipSuccess()
	ringtest.RunIdle(t, l)
	require.Len(t, m, 6)
	early.SkipSuccess()
	require.Zero(t, ringtest.BooksOf(l).Handles)
}

// errorsOf notes the first error of each request.
type errorsOf map[string]error

func (m errorsOf) as(name string) liburing.Callback {
	return func(c liburing.Completion) {
		if m[name] == nil {
			m[name] = c.Err()
		}
	}
}

// A request that completes more than once, or whose result does not tell whether it
// failed, leaves its chain as it is: the kernel refuses some of them, and of a
// failure before a zero-copy send nothing told the send.
func TestSkipSuccessLeavesWhatCompletesMoreThanOnce(t *testing.T) {
	needsQuietChains(t)
	ringtest.NeedsOps(t, liburing.OpReadMultishot) // came last of them, with commands to sockets, in Linux 6.7
	l := ringtest.NewLoop(t, 8)
	g := ringtest.NewGroup(t, l, 1, 8, 0)
	a, b := tcpConnection(t)
	reader, _ := ringtest.Pipe(t)
	data := []byte("data")
	msg := &liburing.Msghdr{}
	option := make([]byte, 4)
	for name, request := range map[string]func(liburing.Callback) liburing.Request{
		"send":    func(cb liburing.Callback) liburing.Request { return l.SendZC(a, data, 0, 0, cb) },
		"sendmsg": func(cb liburing.Callback) liburing.Request { return l.SendmsgZC(a, msg, 0, cb) },
		"poll":    func(cb liburing.Callback) liburing.Request { return l.PollMultishot(b, unix.POLLOUT, cb) },
		"timeout": func(cb liburing.Callback) liburing.Request {
			return l.Timeout(time.Millisecond, 1, liburing.TimeoutMultishot, cb)
		},
		"command": func(cb liburing.Callback) liburing.Request {
			return l.CmdSock(liburing.SocketOpGetsockopt, a, unix.SOL_SOCKET, unix.SO_TYPE, option, cb)
		},
		"accept": func(cb liburing.Callback) liburing.Request { return l.MultishotAccept(reader, nil, 0, cb) },
		"read":   func(cb liburing.Callback) liburing.Request { return l.ReadMultishot(-1, 0, 0, 0, cb) },
		"recv":   func(cb liburing.Callback) liburing.Request { return l.RecvMultishot(-1, nil, 0, cb).Buffers(g) },
	} {
		t.Run(name+" first", func(t *testing.T) {
			m := errorsOf{}
			first := request(m.as("first")).LinkNext()
			flags := first.SQE().Flags
			l.Nop(m.as("last")).SkipSuccess()
			require.Equal(t, flags, first.SQE().Flags)
			if name == "send" || name == "sendmsg" || name == "command" {
				ringtest.RunIdle(t, l)
				require.NoError(t, m["first"])
				require.NoError(t, m["last"])
				require.Zero(t, l.Stats().Stale)
				return
			}
			ringtest.RunFor(t, l, 5*time.Millisecond)
			l.Cancel(first.Token(), 0, nil)
			ringtest.RunIdle(t, l)
			require.Len(t, m, 2, "%v", m)
			require.Zero(t, l.Stats().Stale)
		})
		t.Run(name+" last", func(t *testing.T) {
			m := errorsOf{}
			l.Read(-1, data, 0, m.as("first")).LinkNext()
			request(m.as("last")).SkipSuccess()
			ringtest.RunIdle(t, l)
			require.ErrorIs(t, m["first"], unix.EBADF)
			require.ErrorIs(t, m["last"], unix.ECANCELED)
		})
	}
}

// A panic amid the completions that the loop makes loses none.
func TestSkipSuccessPanic(t *testing.T) {
	l := ringtest.NewLoop(t, 8)
	m := told{}
	l.Read(-1, make([]byte, 1), 0, m.as("bad")).LinkNext()
	l.Nop(func(liburing.Completion) { panic("in between") }).LinkNext()
	l.Nop(m.as("last")).SkipSuccess()
	require.Panics(t, func() { l.RunUntilIdle(context.Background()) })
	ringtest.RunIdle(t, l)
	require.ErrorIs(t, m["last"], unix.ECANCELED)
}

// What the kernel does not end a chain for, and keeps silent about where success is to be
// silent, is told all the same.
func TestSkipSuccessTellsWhatGoesOn(t *testing.T) {
	needsQuietChains(t)
	requests := map[string]func(l *liburing.Loop, cb liburing.Callback) liburing.Request{
		"fsync": func(l *liburing.Loop, cb liburing.Callback) liburing.Request {
			r, _ := ringtest.Pipe(t)
			return l.Fsync(r, 0, cb)
		},
		"rename": func(l *liburing.Loop, cb liburing.Callback) liburing.Request {
			return l.Rename("/there/is/no", "/such/file", cb)
		},
		"no descriptor": func(l *liburing.Loop, cb liburing.Callback) liburing.Request { return l.Fsync(-1, 0, cb) },
	}
	for name, request := range requests {
		t.Run(name, func(t *testing.T) {
			ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
				m := told{}
				l.Nop(m.as("first")).LinkNext()
				request(l, m.as("bad")).LinkNext()
				l.Nop(m.as("third")).LinkNext()
				l.Nop(m.as("last")).SkipSuccess()
				ringtest.RunIdle(t, l)
				require.Error(t, m["bad"])
				require.Contains(t, m, "last")
				require.NotContains(t, m, "first")
				if m["last"] == nil { // it has gone on
					require.NotContains(t, m, "third")
				} else {
					require.ErrorIs(t, m["last"], unix.ECANCELED)
					require.ErrorIs(t, m["third"], unix.ECANCELED)
				}

				clear(m) // what fails in front of it ends the chain
				l.Nop(m.as("first")).LinkNext()
				l.Read(-1, make([]byte, 1), 0, m.as("bad")).LinkNext()
				request(l, m.as("behind")).LinkNext()
				l.Nop(m.as("last")).SkipSuccess()
				ringtest.RunIdle(t, l)
				require.Len(t, m, 3)
				require.ErrorIs(t, m["bad"], unix.EBADF)
				require.ErrorIs(t, m["behind"], unix.ECANCELED)
				require.ErrorIs(t, m["last"], unix.ECANCELED)

				clear(m) // what fails behind it too
				l.Nop(m.as("first")).LinkNext()
				l.Statx(-100, "/", 0, 0, new(liburing.Statx), m.as("good")).LinkNext()
				l.Nop(m.as("nop")).LinkNext()
				l.Read(-1, make([]byte, 1), 0, m.as("bad")).LinkNext()
				l.Nop(m.as("last")).SkipSuccess()
				ringtest.RunIdle(t, l)
				require.Len(t, m, 2)
				require.ErrorIs(t, m["bad"], unix.EBADF)
				require.ErrorIs(t, m["last"], unix.ECANCELED)
				require.Zero(t, ringtest.BooksOf(l).Handles)
				require.Zero(t, l.Stats().Stale)
			})
		})
	}
}
