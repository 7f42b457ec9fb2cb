//go:build linux

package faults_test

import (
	"context"
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/go-liburing/liburing/loopio"
	"github.com/go-liburing/liburing/ringio"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// connected returns the two ends of a TCP connection; reset has the peer's end be reset.
func connected(t *testing.T) (fd int, reset func()) {
	door, _ := ringtest.Listener(t)
	ours, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	t.Cleanup(func() { unix.Close(ours) })
	require.NoError(t, unix.Connect(ours, port(t, door)))
	peer, _, err := unix.Accept4(door, unix.SOCK_CLOEXEC)
	require.NoError(t, err)
	return ours, func() {
		require.NoError(t, unix.SetsockoptLinger(peer, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}))
		require.NoError(t, unix.Close(peer))
	}
}

// The peer resets the connection while a request is in flight: that ends, with the error,
// and what it borrowed comes back.
func TestResets(t *testing.T) {
	ringtest.NeedsOps(t, liburing.OpSendZC)
	big := make([]byte, 8<<20)
	states := map[string]func(l *liburing.Loop, fd int, g *liburing.BufGroup, cb liburing.Callback){
		"recv": func(l *liburing.Loop, fd int, _ *liburing.BufGroup, cb liburing.Callback) {
			l.Recv(fd, make([]byte, 8), 0, cb)
		},
		"recv all": func(l *liburing.Loop, fd int, _ *liburing.BufGroup, cb liburing.Callback) {
			l.Recv(fd, make([]byte, 8), unix.MSG_WAITALL, cb)
		},
		"read": func(l *liburing.Loop, fd int, _ *liburing.BufGroup, cb liburing.Callback) {
			l.Read(fd, make([]byte, 8), 0, cb)
		},
		"recv of a group": func(l *liburing.Loop, fd int, g *liburing.BufGroup, cb liburing.Callback) {
			l.Recv(fd, nil, 0, cb).Buffers(g)
		},
		"multishot": func(l *liburing.Loop, fd int, g *liburing.BufGroup, cb liburing.Callback) {
			l.RecvMultishot(fd, nil, 0, cb).Buffers(g)
		},
		"stream": func(l *liburing.Loop, fd int, g *liburing.BufGroup, cb liburing.Callback) {
			l.Rearm(func(cb liburing.Callback) liburing.Request { return l.RecvMultishot(fd, nil, 0, cb).Buffers(g) }, cb)
		},
		"send": func(l *liburing.Loop, fd int, _ *liburing.BufGroup, cb liburing.Callback) {
			l.Send(fd, big, unix.MSG_WAITALL, cb)
		},
		"send without a copy": func(l *liburing.Loop, fd int, _ *liburing.BufGroup, cb liburing.Callback) {
			l.SendZC(fd, big, unix.MSG_WAITALL, 0, cb)
		},
		"write": func(l *liburing.Loop, fd int, _ *liburing.BufGroup, cb liburing.Callback) {
			var write func()
			write = func() {
				full(fd)
				l.Write(fd, big[:8], 0, func(c liburing.Completion) {
					if c.Res == 8 { // the peer's kernel has made room once more: the next may wait
						write()
						return
					}
					cb(c)
				})
			}
			write()
		},
		"in a chain": func(l *liburing.Loop, fd int, _ *liburing.BufGroup, cb liburing.Callback) {
			l.Recv(fd, make([]byte, 8), 0, cb).LinkNext()
			l.Send(fd, []byte("x"), 0, func(c liburing.Completion) {
				if !errors.Is(c.Err(), unix.ECANCELED) {
					panic("the chain goes on")
				}
			})
		},
		"half closed": func(l *liburing.Loop, fd int, _ *liburing.BufGroup, cb liburing.Callback) {
			unix.Shutdown(fd, unix.SHUT_WR)
			l.Recv(fd, make([]byte, 8), 0, cb)
		},
		"with a time": func(l *liburing.Loop, fd int, _ *liburing.BufGroup, cb liburing.Callback) {
			l.Recv(fd, make([]byte, 8), 0, cb).WithTimeout(time.Hour)
		},
	}
	for name, begin := range states {
		t.Run(name, func(t *testing.T) {
			for _, s := range ringtest.Setups[:4] {
				l := ringtest.NewLoop(t, 16, s.Opts...)
				g := ringtest.NewGroup(t, l, 4, 256, 0)
				fd, reset := connected(t)
				var last error
				var res int32
				ends := 0
				begin(l, fd, g, func(c liburing.Completion) {
					if c.Err() != nil {
						last = c.Err()
					}
					if res = max(res, c.Res); !c.More() {
						ends++
					}
				})
				ringtest.RunFor(t, l, time.Millisecond)
				require.Zero(t, ends, s.Name)
				reset()
				ringtest.RunIdle(t, l)
				require.Equal(t, 1, ends, s.Name)
				if last == nil { // a send that was cut short: the next is told
					require.Greater(t, res, int32(0))
					require.Less(t, int(res), len(big))
					last = ringtest.Finish(t, l, func(cb liburing.Callback) liburing.Request { return l.Send(fd, big[:1], 0, cb) }).Err()
				}
				require.True(t, errors.Is(last, unix.ECONNRESET) || errors.Is(last, unix.EPIPE), "%s: %v", s.Name, last)
				ringtest.AllBack(t, g)
			}
		})
	}
}

// full fills a socket's buffer until it stays full: the peer takes from it at first, when its
// kernel comes to it.
func full(fd int) {
	b := make([]byte, 1<<16)
	for looks := 0; looks < 5; looks++ {
		for {
			n, err := unix.SendmsgN(fd, b, nil, nil, unix.MSG_DONTWAIT)
			if err != nil && err != unix.EINTR {
				break
			}
			if n > 0 {
				looks = 0
			}
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func TestResetOfConn(t *testing.T) {
	ringtest.NeedsOps(t, liburing.OpSendZC)
	l := ringtest.NewLoop(t, 16)
	g := ringtest.NewGroup(t, l, 4, 256, 0)
	fd, reset := connected(t)
	own, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	require.NoError(t, err)
	var ended, closed error
	var failed []error
	c := loopio.NewConn(l, own, loopio.ConnOptions{
		Buffers: g, Received: func(data []byte) (int, error) { return len(data), nil }, Ended: func(err error) { ended = err },
		WriterOptions: loopio.WriterOptions{Limit: 64 << 20, Failed: func(err error) { failed = append(failed, err) }},
	})
	_, err = c.Write(make([]byte, 32<<20))
	require.NoError(t, err)
	ringtest.RunFor(t, l, time.Millisecond)
	reset()
	ringtest.RunIdle(t, l)
	require.True(t, errors.Is(ended, unix.ECONNRESET) || errors.Is(ended, unix.EPIPE), "%v", ended)
	require.Len(t, failed, 1, "each error is told once")
	c.Close(func(err error) { closed = err })
	ringtest.RunIdle(t, l)
	require.Error(t, closed, "what was written has not arrived")
	ringtest.AllBack(t, g)
}

// Peers that reset before they are taken do not end an accepting stream, nor a listener.
func TestResetBeforeAccept(t *testing.T) {
	ringtest.NeedsOps(t, liburing.OpSocket)
	l := ringtest.NewLoop(t, 16)
	door, _ := ringtest.Listener(t)
	knock := func(reset bool) int {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		require.NoError(t, err)
		require.NoError(t, unix.Connect(fd, port(t, door)))
		if reset {
			require.NoError(t, unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}))
			require.NoError(t, unix.Close(fd))
		}
		return fd
	}
	for range 8 {
		knock(true)
	}
	alive := knock(false)
	defer unix.Close(alive)
	served := 0
	s := loopio.Serve(l, door, func(fd int) {
		l.Write(fd, []byte("!"), 0, func(liburing.Completion) {
			served++
			l.CloseFD(fd, nil)
		})
	}, func(err error, over bool) { require.False(t, over, "%v", err) })
	ringtest.RunUntil(t, l, time.Millisecond, func() bool { return served == 9 })
	hears(t, alive)
	s.Stop()
	ringtest.RunIdle(t, l)
}

func TestResetsOfEngine(t *testing.T) {
	require.NoError(t, ringio.Available())
	e, err := ringio.New(ringio.Options{})
	require.NoError(t, err)
	l, err := e.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	pair := func() (c net.Conn, reset func()) {
		c, err := e.Dial("tcp", l.Addr().String())
		require.NoError(t, err)
		peer, err := l.Accept()
		require.NoError(t, err)
		return c, func() {
			require.NoError(t, peer.(ringio.TCPConn).SetLinger(0))
			require.NoError(t, peer.Close())
		}
	}
	for name, begin := range map[string]func(c net.Conn) error{
		"read":      func(c net.Conn) error { _, err := c.Read(make([]byte, 8)); return err },
		"read full": func(c net.Conn) error { _, err := io.ReadFull(c, make([]byte, 8)); return err },
		"write":     func(c net.Conn) error { _, err := c.Write(make([]byte, 64<<20)); return err },
		"copy":      func(c net.Conn) error { _, err := io.Copy(io.Discard, c); return err },
		"deadline": func(c net.Conn) error {
			c.SetDeadline(time.Now().Add(time.Hour))
			_, err := c.Read(make([]byte, 8))
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			c, reset := pair()
			told := make(chan error, 1)
			go func() { told <- begin(c) }()
			time.Sleep(2 * time.Millisecond) // in flight, as a rule
			reset()
			err := within(told)
			require.True(t, errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE), "%v", err)
			require.NoError(t, c.Close())
		})
	}
	require.NoError(t, l.Close())
	require.NoError(t, e.Shutdown(context.Background()))
}
