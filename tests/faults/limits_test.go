//go:build linux

package faults_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/go-liburing/liburing/loopio"
	"github.com/go-liburing/liburing/ringio"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// noDescriptors has the process be at its limit of descriptors until more is called.
func noDescriptors(t *testing.T) (more func()) {
	t.Helper()
	var limit unix.Rlimit
	require.NoError(t, unix.Getrlimit(unix.RLIMIT_NOFILE, &limit))
	var taken []int
	next, err := unix.Open(os.DevNull, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	require.NoError(t, err)
	highest := uint64(next)
	unix.Close(next)
	for fd := range ringtest.OpenFDs() {
		var n uint64
		fmt.Sscan(fd, &n)
		highest = max(highest, n+1)
	}
	require.NoError(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: highest, Max: limit.Max}))
	for {
		fd, err := unix.Open(os.DevNull, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			require.Equal(t, unix.EMFILE, err)
			break
		}
		taken = append(taken, fd)
	}
	more = sync.OnceFunc(func() {
		for _, fd := range taken {
			unix.Close(fd)
		}
		unix.Setrlimit(unix.RLIMIT_NOFILE, &limit)
	})
	t.Cleanup(more)
	return more
}

// processorTime is how long the process has computed.
func processorTime(t *testing.T) time.Duration {
	var usage unix.Rusage
	require.NoError(t, unix.Getrusage(unix.RUSAGE_SELF, &usage))
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

const (
	callers = 20
	drought = time.Second / 2 // how long there are no descriptors
)

// idly waits for the time of a drought, in which the process may compute little.
func idly(t *testing.T, little time.Duration) {
	t.Helper()
	before := processorTime(t)
	time.Sleep(drought)
	require.Less(t, processorTime(t)-before, little, "it spins")
}

// dialers are sockets that will call, made while there are descriptors.
func dialers(t *testing.T, n int) (fds []int) {
	for range n {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		require.NoError(t, err)
		fds = append(fds, fd)
		t.Cleanup(func() { unix.Close(fd) })
	}
	return fds
}

func port(t *testing.T, fd int) *unix.SockaddrInet4 {
	at, err := unix.Getsockname(fd)
	require.NoError(t, err)
	return at.(*unix.SockaddrInet4)
}

// hears waits for a byte.
func hears(t *testing.T, fd int) {
	t.Helper()
	ready := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	n, err := unix.Poll(ready, int(patience.Milliseconds()))
	for err == unix.EINTR {
		n, err = unix.Poll(ready, int(patience.Milliseconds()))
	}
	require.NoError(t, err)
	require.Equal(t, 1, n, "nothing comes")
	b := make([]byte, 1)
	n, err = unix.Read(fd, b)
	require.NoError(t, err)
	require.Equal(t, 1, n)
}

func TestServeWithoutDescriptors(t *testing.T) {
	ringtest.NeedsOps(t, liburing.OpSocket)
	if !inChild(t) {
		return
	}
	for _, s := range ringtest.Setups[:4] {
		t.Run(s.Name, func(t *testing.T) {
			l := ringtest.NewLoop(t, 8, s.Opts...)
			door, _ := ringtest.Listener(t)
			at := port(t, door)
			fds := dialers(t, callers)
			told := 0
			more := noDescriptors(t) // a multishot accept keeps the limit that it was made under
			stream := loopio.Serve(l, door, func(fd int) {
				l.Write(fd, []byte("!"), 0, func(liburing.Completion) { l.CloseFD(fd, nil) })
			}, func(err error, over bool) {
				require.ErrorIs(t, err, unix.EMFILE)
				require.False(t, over)
				told++
			})
			stop := ringtest.Running(t, l)
			for _, fd := range fds {
				require.NoError(t, unix.Connect(fd, at))
			}
			enters := l.Stats().Enters
			little := drought / 2
			if s.Name == "sqpoll" { // whose thread looks for more for a while after each accept
				little = 2 * drought
			}
			idly(t, little)
			require.Less(t, l.Stats().Enters-enters, uint64(200), "it spins")
			more()
			for _, fd := range fds {
				hears(t, fd)
			}
			require.NoError(t, l.Post(stream.Stop))
			stop()
			ringtest.RunIdle(t, l)
			require.NotZero(t, told)
		})
	}
}

func TestServerWithoutDescriptors(t *testing.T) {
	require.NoError(t, ringio.Available())
	if !inChild(t) {
		return
	}
	e, err := ringio.New(ringio.Options{})
	require.NoError(t, err)
	l, err := e.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	fds := dialers(t, callers)
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "text") })}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	at := &unix.SockaddrInet4{Port: l.Addr().(*net.TCPAddr).Port, Addr: [4]byte{127, 0, 0, 1}}
	more := noDescriptors(t)
	for _, fd := range fds {
		require.NoError(t, unix.Connect(fd, at))
		_, err := unix.Write(fd, []byte("GET / HTTP/1.0\r\n\r\n"))
		require.NoError(t, err)
	}
	parks := e.Stats().Parks
	idly(t, drought/2)
	require.Less(t, e.Stats().Parks-parks, uint64(200), "it spins")
	more()
	for _, fd := range fds {
		hears(t, fd)
	}
	require.NoError(t, server.Close())
	require.ErrorIs(t, within(ended), http.ErrServerClosed)
	require.NoError(t, e.Shutdown(context.Background()))
}

// A set-up that finds no descriptor says so, and leaves nothing behind.
func TestSetUpWithoutDescriptors(t *testing.T) {
	if !inChild(t) {
		return
	}
	before := ringtest.OpenFDs()
	more := noDescriptors(t)
	_, ringErr := liburing.New(8)
	_, loopErr := liburing.NewLoop(8)
	e, err := ringio.New(ringio.Options{})
	more()
	require.ErrorIs(t, ringErr, unix.EMFILE)
	require.ErrorIs(t, loopErr, unix.EMFILE)
	require.NoError(t, err)
	require.True(t, e.Stats().Fallback)
	require.NoError(t, e.Shutdown(context.Background()))
	require.Empty(t, ringtest.LeakedFDs(before))
	r, err := liburing.New(8)
	require.NoError(t, err)
	require.NoError(t, r.Close())
}
