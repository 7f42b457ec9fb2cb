//go:build linux

package examples_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"regexp"
	"strconv"
	"sync"
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
			l := listen(t)
			received := make(chan int, 1) // nobody takes it where the test is skipped
			go receiveAll(l, size, name != "several", received)
			args := append([]string{"-addr", l.Addr().String(), "-size", strconv.Itoa(size), "-time", "150ms"}, args...)
			n := figures(t, sentLine, succeed(t, program(t, "send-zerocopy"), append(args, "tcp")...))
			bytes, requests, notifications, copied := n[0], n[1], n[5], n[6]
			l.Close()
			require.Equal(t, bytes, <-received)
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

// receiveAll reads all connections of a listener to their ends and sends how
// many bytes came, -1 if some of them are not what is sent: the alphabet, from
// its start in each request of size bytes.
func receiveAll(l net.Listener, size int, inOrder bool, received chan<- int) {
	total, bad := 0, false
	var mu sync.Mutex
	var all sync.WaitGroup
	for {
		c, err := l.Accept()
		if err != nil {
			break
		}
		all.Go(func() {
			defer c.Close()
			n, ok := readAlphabet(c, size)
			mu.Lock()
			defer mu.Unlock()
			total += n
			bad = bad || inOrder && !ok
		})
	}
	all.Wait()
	if bad {
		total = -1
	}
	received <- total
}

func readAlphabet(c net.Conn, size int) (n int, ok bool) {
	buf, ok := make([]byte, 1<<20), true
	for {
		k, err := c.Read(buf)
		for i, b := range buf[:k] {
			ok = ok && b == 'a'+byte((n+i)%size%26)
		}
		n += k
		if err != nil {
			return n, ok && err == io.EOF
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
			received := make(chan int, 1) // nobody takes it where the test is skipped
			go func() {
				n, buf := 0, make([]byte, 1<<16)
				for {
					k, _, err := in.ReadFrom(buf)
					if err != nil {
						received <- n
						return
					}
					if k == 1000 && bytes.HasPrefix(buf, []byte("abcdefghijklmnopqrstuvwxyzabc")) {
						n++
					}
				}
			}()
			out := succeed(t, program(t, "send-zerocopy"), "-addr", in.LocalAddr().String(), "-size", "1000", "-time", "100ms", "udp")
			n := figures(t, sentLine, out)
			require.Equal(t, n[1]*1000, n[0])
			require.GreaterOrEqual(t, n[5], n[1])
			time.Sleep(50 * time.Millisecond) // for what is in the socket
			in.Close()
			got := <-received
			require.NotZero(t, got)
			require.LessOrEqual(t, got, n[1])
		})
	}
}

// A receiver that never reads, over TCP: the kernel does not let go of the
// memory until the connection is given up.
func TestSendZerocopyUnread(t *testing.T) {
	l := listen(t)
	begun := time.Now()
	out := succeed(t, program(t, "send-zerocopy"), "-addr", l.Addr().String(), "-time", "100ms", "tcp")
	require.Less(t, time.Since(begun), 10*time.Second)
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

	s = start(t, "send-zerocopy", "-receive", "-addr", "127.0.0.1:0", "udp")
	c := dial(t, "udp", s.addr)
	for range 2 {
		for _, size := range []int{100, 0, 200} {
			_, err := c.Write(make([]byte, size))
			require.NoError(t, err)
		}
	}
	time.Sleep(300 * time.Millisecond)
	require.Equal(t, "received 600 bytes, 4 times\n", s.stop(t, syscall.SIGTERM).stdout, "an empty one is no end")
}
