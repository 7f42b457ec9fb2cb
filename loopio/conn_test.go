//go:build linux

package loopio_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/go-liburing/liburing/loopio"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// lines has a Conn answer each line with the same in capitals; the line "bad" is an error.
func lines(t *testing.T, conn func() *loopio.Conn) func([]byte) (int, error) {
	return func(data []byte) (used int, err error) {
		for {
			line, _, whole := bytes.Cut(data[used:], []byte("\n"))
			if !whole {
				return used, nil
			}
			used += len(line) + 1
			if string(line) == "bad" {
				return used, errBad
			}
			_, err = conn().Write(append(bytes.ToUpper(line), '\n'))
			require.NoError(t, err)
		}
	}
}

var errBad = errors.New("a bad line")

// newConn returns a Conn for one end of a pair, with a group of small buffers, and the
// other end.
func newConn(t *testing.T, l *liburing.Loop, options loopio.ConnOptions) (c *loopio.Conn, fd, peer int) {
	ringtest.NeedsOps(t, liburing.OpSendZC) // multishot receives came with it
	fd, peer = ringtest.SocketPair(t)
	fd, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0) // which the Conn closes
	require.NoError(t, err)
	options.Buffers = ringtest.NewGroup(t, l, 8, 16, 0)
	if options.Received == nil {
		options.Received = lines(t, func() *loopio.Conn { return c })
	}
	c = loopio.NewConn(l, fd, options)
	return c, fd, peer
}

// Messages that come in pieces of any size, more than buffers, are answered whole, and
// the descriptor is closed when the peer has ended its side and has all answers.
func TestConn(t *testing.T) {
	ringtest.OverLoops(t, 8, func(t *testing.T, l *liburing.Loop) {
		for _, piece := range []int{1, 7, 1000} {
			ended := 0
			var c *loopio.Conn
			c, fd, peer := newConn(t, l, loopio.ConnOptions{Ended: func(err error) {
				require.NoError(t, err)
				ended++
				c.Close(nil)
			}})
			text := strings.Repeat("some words\nand others\n\n", 20)
			got := make(chan string, 1)
			go func() {
				for rest := text; rest != ""; rest = rest[min(piece, len(rest)):] {
					unix.Write(peer, []byte(rest[:min(piece, len(rest))]))
				}
				unix.Shutdown(peer, unix.SHUT_WR)
				got <- readAll(peer)
			}()
			ringtest.RunIdle(t, l)
			require.Equal(t, strings.ToUpper(text), <-got)
			require.Equal(t, 1, ended)
			require.True(t, closed(fd))
		}
	})
}

// readAll reads what comes until the end.
func readAll(fd int) string {
	var all []byte
	buf := make([]byte, 1000)
	for {
		n, err := unix.Read(fd, buf)
		if n <= 0 && err != unix.EINTR {
			return string(all)
		}
		all = append(all, buf[:max(n, 0)]...)
	}
}

// How a Conn ends, by whatever it ends: it says so once, and its descriptor is closed.
func TestConnEnds(t *testing.T) {
	big := strings.Repeat("x", 3000)
	for name, c := range map[string]struct {
		send string
		do   func(c *loopio.Conn, peer int)
		want error
	}{
		"an error of Received":        {send: "a\nbad\nb\n", want: errBad},
		"a message without an end":    {send: big, want: unix.EMSGSIZE},
		"Stop":                        {do: func(c *loopio.Conn, _ int) { c.Stop() }, want: unix.ECANCELED},
		"Close":                       {do: func(c *loopio.Conn, _ int) { c.Close(nil) }, want: unix.ECANCELED},
		"Abort":                       {do: func(c *loopio.Conn, _ int) { c.Write([]byte(big)); c.Abort(nil) }, want: unix.ECANCELED},
		"a peer that does not listen": {do: func(c *loopio.Conn, peer int) { unix.Shutdown(peer, unix.SHUT_RD); c.Write([]byte("x")) }, want: unix.EPIPE},
	} {
		t.Run(name, func(t *testing.T) {
			l := ringtest.NewLoop(t, 8)
			var told []error
			failed := 0
			var conn *loopio.Conn
			conn, fd, peer := newConn(t, l, loopio.ConnOptions{
				WriterOptions: loopio.WriterOptions{Failed: func(error) { failed++ }},
				Most:          1000,
				Ended:         func(err error) { told = append(told, err); conn.Close(nil) },
			})
			if c.do != nil {
				l.Post(func() { c.do(conn, peer) })
			}
			_, err := unix.Write(peer, []byte(c.send))
			require.NoError(t, err)
			ringtest.RunIdle(t, l)
			require.Len(t, told, 1)
			require.ErrorIs(t, told[0], c.want)
			require.Equal(t, c.want == unix.EPIPE, failed == 1)
			require.True(t, closed(fd))
		})
	}
}

// Without Ended a Conn closes by itself; one whose peer does not read does not wait for it.
func TestConnClosesItself(t *testing.T) {
	l := ringtest.NewLoop(t, 8)
	_, fd, peer := newConn(t, l, loopio.ConnOptions{})
	unix.Write(peer, []byte("x\nbad\n"))
	ringtest.RunIdle(t, l)
	require.True(t, closed(fd))
	require.Equal(t, "X\n", readAll(peer))

	var c *loopio.Conn
	c, fd, peer = newConn(t, l, loopio.ConnOptions{
		WriterOptions: loopio.WriterOptions{Limit: 1 << 20},
		Received: func(data []byte) (int, error) {
			for {
				if _, err := c.Write(make([]byte, 1<<20)); err != nil {
					return len(data), err
				}
			}
		},
	})
	unix.Write(peer, []byte("x"))
	ringtest.RunIdle(t, l)
	require.True(t, closed(fd))
}

// What can't be a Conn says so, and one of a closed loop does; the descriptor is closed.
func TestBadConn(t *testing.T) {
	l := ringtest.NewLoop(t, 8)
	fd, _ := ringtest.SocketPair(t)
	fd, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	require.NoError(t, err)
	var c *loopio.Conn
	var told error
	c = loopio.NewConn(l, fd, loopio.ConnOptions{Ended: func(err error) { told = err; c.Close(nil) }})
	ringtest.RunIdle(t, l)
	require.ErrorIs(t, told, unix.EINVAL)
	require.ErrorContains(t, told, "Buffers")
	require.True(t, closed(fd))

	_, open, _ := newConn(t, l, loopio.ConnOptions{})
	ringtest.CloseLoop(t, l)
	require.True(t, closed(open), "it closes itself")
	fd, _ = ringtest.SocketPair(t)
	fd, err = unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	require.NoError(t, err)
	loopio.NewConn(l, fd, loopio.ConnOptions{Received: func([]byte) (int, error) { return 0, nil }})
	require.True(t, closed(fd), "of a loop that has ended")
}

// All who come are served; errors are told; Stop is none.
func TestServe(t *testing.T) {
	ringtest.NeedsFeatures(t, liburing.MultishotAccept)
	l := ringtest.NewLoop(t, 8)
	lfd, local, err := loopio.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer unix.Close(lfd)
	served := 0
	var s *liburing.Stream
	s = loopio.Serve(l, lfd, func(fd int) {
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
		require.NoError(t, err)
		require.Equal(t, unix.FD_CLOEXEC, flags)
		on, err := unix.GetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY)
		require.NoError(t, err)
		require.Equal(t, 1, on, "as package net has it")
		l.CloseFD(fd, nil)
		if served++; served == 3 {
			s.Stop()
		}
	}, func(err error, over bool) { require.Fail(t, "no error", "%v %v", err, over) })
	for range 3 {
		c, err := net.Dial("tcp", local.String())
		require.NoError(t, err)
		defer c.Close()
	}
	ringtest.RunIdle(t, l)
	require.Equal(t, 3, served)

	var told error
	loopio.Serve(l, -1, nil, func(err error, over bool) { told = err; require.True(t, over) })
	ringtest.RunIdle(t, l)
	require.ErrorIs(t, told, unix.EBADF)

	loopio.Serve(l, lfd, nil, nil) // nobody serves: it hangs up
	c, err := net.Dial("tcp", local.String())
	require.NoError(t, err)
	defer c.Close()
	stop := ringtest.Running(t, l)
	_, err = c.Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF)
	stop()
}

// A loop that has failed says with what: the first of the errors, once.
func TestFail(t *testing.T) {
	l := ringtest.NewLoop(t, 8)
	first := errors.New("first")
	l.Nop(func(liburing.Completion) { l.Fail(first); l.Fail(errBad); l.Stop() })
	require.ErrorIs(t, l.Run(context.Background()), first)
	ringtest.RunIdle(t, l)
	l.Fail(first) // before Run
	require.ErrorIs(t, l.Run(context.Background()), first)
	ran := make(chan error)
	go func() { ran <- l.Run(context.Background()) }()
	ringtest.WaitAsleep(t, l)
	l.Fail(fmt.Errorf("from elsewhere: %w", first))
	select {
	case err := <-ran:
		require.ErrorContains(t, err, "from elsewhere")
	case <-time.After(10 * time.Second):
		require.Fail(t, "it hangs")
	}
}
