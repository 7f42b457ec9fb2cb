//go:build linux

package examples_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// sentLine is what send-zerocopy prints.
var sentLine = regexp.MustCompile(`^sent (\d+) bytes in (\d+) requests, ([\d.]+) s: (\d+) requests/s, ([\d.]+) MiB/s\n(?:(\d+) notifications, (\d+) of them of copied bytes\n)?$`)

// figures returns the whole numbers of a line that matches.
func figures(t *testing.T, re *regexp.Regexp, line string) (n []int) {
	t.Helper()
	match := re.FindStringSubmatch(line)
	require.NotNil(t, match, "%q", line)
	for _, m := range match[1:] {
		i, _ := strconv.Atoi(m)
		n = append(n, i)
	}
	return n
}

func TestSendZerocopyTCP(t *testing.T) {
	const size, flying = 10000, 4
	for name, args := range map[string][]string{
		"fixed":         {"-n", "1"},
		"not fixed":     {"-n", "1", "-fixed=false"},
		"copying":       {"-n", "1", "-copy"},
		"several":       {"-n", strconv.Itoa(flying)},
		"several loops": {"-n", "1", "-threads", "3"},
	} {
		t.Run(name, func(t *testing.T) {
			n, got := sendAndReceive(t, size, name != "several", args)
			for tries := 0; errors.Is(got.err, syscall.ECONNRESET) && tries < 20; tries++ {
				n, got = sendAndReceive(t, size, name != "several", args) // it did not get to read for a second
			}
			bytes, requests, notifications, copied := n[0], n[1], n[5], n[6]
			require.NoError(t, got.err)
			require.Equal(t, bytes, got.bytes)
			require.NotZero(t, requests)
			require.GreaterOrEqual(t, requests*size, bytes)
			require.Less(t, (requests-flying)*size, bytes, "at most the last are cut short")
			if name == "copying" {
				require.Zero(t, notifications)
				return
			}
			require.GreaterOrEqual(t, notifications, requests)
			require.LessOrEqual(t, notifications, requests+flying, "at most the last were cancelled")
			require.LessOrEqual(t, copied, notifications)
		})
	}
}

// sendAndReceive has the program send for a moment, and returns its figures and what came.
func sendAndReceive(t *testing.T, size int, inOrder bool, args []string) (n []int, got reception) {
	l := listen(t)
	received := make(chan reception, 1) // nobody takes it where the test is skipped
	conns := 1
	if i := slices.Index(args, "-threads"); i >= 0 {
		conns, _ = strconv.Atoi(args[i+1])
	}
	go receiveAll(l, conns, size, inOrder, received)
	args = append([]string{"-addr", l.Addr().String(), "-size", strconv.Itoa(size), "-time", "150ms"}, args...)
	n = figures(t, sentLine, succeed(t, program(t, "send-zerocopy"), append(args, "tcp")...))
	return n, <-received
}

// reception is what came over some connections.
type reception struct {
	bytes int
	err   error // they are not what is sent, or did not come to an end
}

// receiveAll reads a listener's first connections to their ends. What is sent is the
// alphabet, from its start in each request of size bytes.
func receiveAll(l net.Listener, conns, size int, inOrder bool, received chan<- reception) {
	var got reception
	var mu sync.Mutex
	var all sync.WaitGroup
	for range conns {
		c, err := l.Accept()
		if err != nil {
			break
		}
		all.Go(func() {
			defer c.Close()
			n, err := readAlphabet(c, size, inOrder)
			mu.Lock()
			defer mu.Unlock()
			got.bytes += n
			got.err = errors.Join(got.err, err)
		})
	}
	all.Wait()
	received <- got
}

func readAlphabet(c net.Conn, size int, inOrder bool) (n int, wrong error) {
	buf := make([]byte, 1<<20)
	for {
		k, err := c.Read(buf)
		for i, b := range buf[:k] {
			if want := 'a' + byte((n+i)%size%26); inOrder && b != want && wrong == nil {
				wrong = fmt.Errorf("%q in place of %q at %d", b, want, n+i)
			}
		}
		n += k
		if err == io.EOF {
			return n, wrong
		}
		if err != nil {
			return n, errors.Join(wrong, err)
		}
	}
}

// Datagrams may be lost, but those that arrive are whole, and none is counted
// that was not sent.
func TestSendZerocopyUDP(t *testing.T) {
	for name, addr := range loopbacks(t) {
		t.Run(name, func(t *testing.T) {
			in, err := net.ListenPacket("udp", addr)
			require.NoError(t, err)
			defer in.Close()
			var got atomic.Int64
			go func() {
				for buf := make([]byte, 1<<16); ; {
					k, _, err := in.ReadFrom(buf)
					if err != nil {
						return
					}
					if k == 1000 && bytes.HasPrefix(buf, []byte("abcdefghijklmnopqrstuvwxyzabc")) {
						got.Add(1)
					}
				}
			}()
			out := succeed(t, program(t, "send-zerocopy"), "-addr", in.LocalAddr().String(), "-size", "1000", "-time", "100ms", "udp")
			n := figures(t, sentLine, out)
			require.Equal(t, n[1]*1000, n[0])
			require.GreaterOrEqual(t, n[5], n[1])
			require.Eventually(t, func() bool { return got.Load() > 0 }, runFor, time.Millisecond)
			time.Sleep(50 * time.Millisecond) // for more that is in the socket
			require.LessOrEqual(t, int(got.Load()), n[1])
		})
	}
}

// A receiver that never reads, over TCP: the kernel does not let go of the
// memory until the connection is given up.
func TestSendZerocopyUnread(t *testing.T) {
	l := listen(t)
	begun := time.Now()
	out := succeed(t, program(t, "send-zerocopy"), "-addr", l.Addr().String(), "-time", "100ms", "tcp")
	require.Less(t, time.Since(begun), runFor/2)
	c, err := l.Accept()
	require.NoError(t, err)
	defer c.Close()
	require.NotZero(t, figures(t, sentLine, out)[0])
}

func TestSendZerocopyRefused(t *testing.T) {
	needsKernel(t, "send-zerocopy")
	l := listen(t)
	addr := l.Addr().String()
	l.Close()
	for _, protocol := range []string{"tcp", "udp"} {
		out := run(t, program(t, "send-zerocopy"), "-addr", addr, "-time", "5s", protocol)
		require.Equal(t, 1, out.code)
		require.Contains(t, out.stderr, "send-zerocopy: "+addr+": ")
		require.Contains(t, out.stderr, "connection refused")
	}
}

func TestSendZerocopyReceives(t *testing.T) {
	s := start(t, "send-zerocopy", "-receive", "-addr", "127.0.0.1:0", "tcp")
	before := s.descriptors(t)
	for range 3 {
		c := dial(t, "tcp", s.addr)
		require.NoError(t, write(c, 1, 1<<20))
		require.NoError(t, c.(*net.TCPConn).CloseWrite())
		_, err := c.Read(make([]byte, 1))
		require.ErrorIs(t, err, io.EOF, "it has taken all, and closed its end")
		require.NoError(t, c.Close())
	}
	s.requireNoLeak(t, before)
	require.Regexp(t, fmt.Sprintf(`^received %d bytes, \d+ times\n$`, 3<<20), s.stop(t, syscall.SIGINT).stdout)

	said, want := "", "received 600 bytes, 4 times\n"
	for wait := 100 * time.Millisecond; said != want && wait < runFor/2; wait *= 3 { // nothing tells that it has received
		said = receivedDatagrams(t, wait)
	}
	require.Equal(t, want, said, "an empty one is no end")
}

// receivedDatagrams sends a receiver datagrams, waits, and returns what it says at its end.
func receivedDatagrams(t *testing.T, wait time.Duration) string {
	s := start(t, "send-zerocopy", "-receive", "-addr", "127.0.0.1:0", "udp")
	c := dial(t, "udp", s.addr)
	for range 2 {
		for _, size := range []int{100, 0, 200} {
			_, err := c.Write(make([]byte, size))
			require.NoError(t, err)
		}
	}
	time.Sleep(wait)
	return s.stop(t, syscall.SIGTERM).stdout
}
