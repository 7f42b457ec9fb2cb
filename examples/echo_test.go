//go:build linux

package examples_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestEchoServerPipelined(t *testing.T) {
	for name, addr := range loopbacks(t) {
		t.Run(name, func(t *testing.T) {
			s := start(t, "echo-server", "-addr", addr)
			_, before := steadyClient(t, s)
			var clients []func() error
			const size = 200 << 10 // several times what a buffer holds
			for i := range manyClients {
				c := dial(t, "tcp", s.addr)
				clients = append(clients,
					func() error {
						return errors.Join(write(c, i, size), c.(*net.TCPConn).CloseWrite())
					},
					func() error {
						err := read(c, i, size)
						if n, end := c.Read(make([]byte, 1)); err == nil && end != io.EOF {
							err = fmt.Errorf("%d bytes more, %v", n, end)
						}
						return errors.Join(err, c.Close())
					})
			}
			atOnce(t, clients...)
			s.requireNoLeak(t, before)
			require.Empty(t, s.stop(t, syscall.SIGTERM).stderr)
		})
	}
}

// steadyClient returns a client that stays connected to an echo server, and how
// many files the server has open then.
func steadyClient(t *testing.T, s *server) (c net.Conn, descriptors int) {
	t.Helper()
	c = dial(t, "tcp", s.addr)
	require.NoError(t, write(c, 1, 100))
	require.NoError(t, read(c, 1, 100))
	return c, s.descriptors(t)
}

// Clients that send and never read do not take the buffers of the others, and get
// all of their bytes back when they read in the end.
func TestEchoServerGreedyClients(t *testing.T) {
	const share = 16
	var greedy [8]net.Conn
	s := start(t, "echo-server", "-addr", "127.0.0.1:0", "-buffers", strconv.Itoa(len(greedy)*share+1))
	var sent [len(greedy)]int
	var writers []func() error
	for i := range greedy {
		greedy[i] = dial(t, "tcp", s.addr)
		writers = append(writers, func() (err error) {
			sent[i], err = writeUntilFull(greedy[i], i)
			return err
		})
	}
	atOnce(t, writers...)
	steady, _ := steadyClient(t, s)
	for i := range 20 {
		require.NoError(t, write(steady, i, 5000))
		require.NoError(t, read(steady, i, 5000))
	}
	for i, c := range greedy {
		require.NoError(t, read(c, i, sent[i]))
	}
	require.Empty(t, s.stop(t, syscall.SIGINT).stderr)
}

// writeUntilFull writes until the other side has taken nothing for a while, and
// returns how much it took.
func writeUntilFull(c net.Conn, seed int) (n int, err error) {
	buf := make([]byte, 1<<16)
	for n < 1<<30 {
		pattern(buf, seed, n)
		if err := c.SetWriteDeadline(time.Now().Add(200 * time.Millisecond)); err != nil {
			return n, err
		}
		written, err := c.Write(buf)
		n += written
		if errors.Is(err, os.ErrDeadlineExceeded) && written == 0 {
			return n, nil
		} else if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return n, err
		}
	}
	return n, errors.New("it took all, and nobody has read what it sent back")
}

// The table of connections is as large as the process may have files, not some thousands:
// whom the kernel finds no place for it resets.
func TestEchoServerThousands(t *testing.T) {
	const most = 4500
	if os.Getenv(builtEnv) != "" {
		t.Skip("an emulator takes minutes for so many connections")
	}
	var files unix.Rlimit
	require.NoError(t, unix.Getrlimit(unix.RLIMIT_NOFILE, &files))
	if files.Cur < most+100 {
		t.Skipf("%d clients need as many files, and the limit is %d", most, files.Cur)
	}
	s := start(t, "echo-server", "-addr", "127.0.0.1:0")
	clients := make([]net.Conn, most)
	for i := range clients {
		clients[i] = dial(t, "tcp", s.addr)
	}
	for i, c := range clients {
		require.NoError(t, write(c, i, 64))
		require.NoError(t, read(c, i, 64), "client %d", i)
	}
	require.Empty(t, s.stop(t, syscall.SIGTERM).stderr)
}

// Whoever finds all places taken is turned away, and nobody else.
func TestEchoServerFull(t *testing.T) {
	s := start(t, "echo-server", "-addr", "127.0.0.1:0", "-connections", "2")
	first, _ := steadyClient(t, s)
	second, _ := steadyClient(t, s)
	require.Error(t, read(dial(t, "tcp", s.addr), 1, 1))
	for i, c := range []net.Conn{first, second} {
		require.NoError(t, write(c, i, 100))
		require.NoError(t, read(c, i, 100))
	}
	require.NoError(t, first.Close())
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		next, err := net.Dial("tcp", s.addr)
		require.NoError(c, err)
		defer next.Close()
		require.NoError(c, next.SetDeadline(time.Now().Add(time.Second)))
		require.NoError(c, write(next, 1, 100))
		require.NoError(c, read(next, 1, 100))
	}, 5*time.Second, 10*time.Millisecond)
	require.Contains(t, s.stop(t, syscall.SIGINT).stderr, "too many open files")
}

// Clients that vanish with bytes on their way cost nobody else anything.
func TestEchoServerResets(t *testing.T) {
	s := start(t, "echo-server", "-addr", "127.0.0.1:0", "-buffers", "64")
	steady, before := steadyClient(t, s)
	for i := range 200 {
		c := dial(t, "tcp", s.addr)
		_, err := c.Write(make([]byte, i*100))
		require.NoError(t, err)
		abort(t, c)
		if i%20 == 0 {
			atOnce(t, func() error { return write(steady, i, 1000) }, func() error { return read(steady, i, 1000) })
		}
	}
	s.requireNoLeak(t, before)
	require.Empty(t, s.stop(t, syscall.SIGINT).stderr)
}
