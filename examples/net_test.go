//go:build linux && cgo

package examples_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/go-liburing/liburing"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// server is a server program that runs.
type server struct {
	addr   string
	cmd    *exec.Cmd
	stdout chan string  // what it prints after its address, once it has ended
	stderr bytes.Buffer // to be read once it has ended
}

// start starts a server program and waits until it listens. When the test is
// over it is ended, unless stop has done that.
func start(t *testing.T, name string, args ...string) *server {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), runFor)
	t.Cleanup(cancel)
	s := &server{cmd: exec.CommandContext(ctx, program(t, name), args...), stdout: make(chan string, 1)}
	s.cmd.Stderr = &s.stderr
	out, err := s.cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, s.cmd.Start())
	t.Cleanup(func() {
		if s.cmd.ProcessState == nil {
			s.stop(t, syscall.SIGTERM)
		}
	})
	r := bufio.NewReader(out)
	line, err := r.ReadString('\n')
	addr, ok := strings.CutPrefix(strings.TrimSpace(line), "listening on ")
	go func() {
		rest, _ := io.ReadAll(r)
		s.stdout <- string(rest)
	}()
	if err != nil || !ok {
		<-s.stdout
		s.cmd.Wait()
		require.FailNow(t, "it does not listen", "%q, %v\n%s", line, err, &s.stderr)
	}
	s.addr = addr
	return s
}

// stop ends a server by a signal, which it must take as a wish and not as an
// error, and returns what it has printed.
func (s *server) stop(t *testing.T, sig os.Signal) outcome {
	t.Helper()
	require.NoError(t, s.cmd.Process.Signal(sig))
	return s.wait(t)
}

// wait waits until a server has ended well.
func (s *server) wait(t *testing.T) outcome {
	t.Helper()
	stdout := <-s.stdout
	err := s.cmd.Wait()
	require.NoError(t, err, "%s", &s.stderr)
	return outcome{stdout, s.stderr.String(), s.cmd.ProcessState.ExitCode()}
}

// descriptors returns how many files the server has open, registered ones too.
func (s *server) descriptors(t require.TestingT) int {
	infos, err := filepath.Glob(fmt.Sprintf("/proc/%d/fdinfo/*", s.cmd.Process.Pid))
	require.NoError(t, err)
	n := len(infos)
	for _, name := range infos {
		info, _ := os.ReadFile(name) // it may be closed by now
		_, files, _ := strings.Cut(string(info), "\nUserFiles:")
		files, _, _ = strings.Cut(files, "\nUserBufs:")
		n += strings.Count(files, "\n")
	}
	return n
}

// requireNoLeak checks that the server soon has no more files open than before.
func (s *server) requireNoLeak(t *testing.T, before int) {
	t.Helper()
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		require.LessOrEqual(c, s.descriptors(c), before)
	}, 5*time.Second, 10*time.Millisecond)
}

func dial(t *testing.T, network, addr string) net.Conn {
	t.Helper()
	c, err := net.DialTimeout(network, addr, 5*time.Second)
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	require.NoError(t, c.SetDeadline(time.Now().Add(20*time.Second)))
	return c
}

func listen(t *testing.T) *net.TCPListener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	return l.(*net.TCPListener)
}

// loopbacks returns the addresses of this machine to test with.
func loopbacks(t *testing.T) map[string]string {
	addrs := map[string]string{"IPv4": "127.0.0.1:0"}
	if c, err := net.ListenPacket("udp", "[::1]:0"); err == nil {
		c.Close()
		addrs["IPv6"] = "[::1]:0"
	} else {
		t.Logf("this machine has no IPv6: %v", err)
	}
	return addrs
}

// pattern fills bytes with what stands at an offset of a stream, which differs
// from stream to stream and from one block to the next.
func pattern(b []byte, seed, off int) {
	for i := range b {
		n := (off + i) * (2*seed + 1)
		b[i] = byte(n ^ n>>8 ^ n>>16)
	}
}

// write writes n bytes of a stream in pieces of all sizes.
func write(w io.Writer, seed, n int) error {
	buf := make([]byte, 1<<16)
	for off, size := 0, 1; off < n; size = size*7%65521 + 1 {
		piece := buf[:min(size, n-off)]
		pattern(piece, seed, off)
		if _, err := w.Write(piece); err != nil {
			return fmt.Errorf("write at %d: %w", off, err)
		}
		off += len(piece)
	}
	return nil
}

// read reads n bytes of a stream and checks them.
func read(r io.Reader, seed, n int) error {
	got, want := make([]byte, 1<<16), make([]byte, 1<<16)
	for off := 0; off < n; {
		k, err := r.Read(got[:min(len(got), n-off)])
		pattern(want[:k], seed, off)
		if !bytes.Equal(got[:k], want[:k]) {
			return fmt.Errorf("other bytes between %d and %d", off, off+k)
		}
		if off += k; err != nil && off < n {
			return fmt.Errorf("read at %d: %w", off, err)
		}
	}
	return nil
}

// atOnce runs functions side by side and checks that none fails.
func atOnce(t *testing.T, fs ...func() error) {
	t.Helper()
	errs := make([]error, len(fs))
	var all sync.WaitGroup
	for i, f := range fs {
		all.Go(func() { errs[i] = f() })
	}
	all.Wait()
	require.NoError(t, errors.Join(errs...))
}

// abort closes a connection with a reset.
func abort(t *testing.T, c net.Conn) {
	t.Helper()
	require.NoError(t, c.(*net.TCPConn).SetLinger(0))
	require.NoError(t, c.Close())
}

func TestUDP(t *testing.T) {
	for name, addr := range loopbacks(t) {
		t.Run(name, func(t *testing.T) {
			s := start(t, "udp", "-addr", addr, "-buffers", "4", "-v")
			var clients []func() error
			for i := range 8 {
				c := dial(t, "udp", s.addr)
				clients = append(clients, func() error { return pingPong(c, i) })
			}
			atOnce(t, clients...)
			out := s.stop(t, syscall.SIGINT)
			require.Equal(t, 8*len(datagrams), strings.Count(out.stderr, "received "), "each is told of once")
			require.NotContains(t, out.stderr, "dropped")
		})
	}
}

// datagrams are the sizes that are tried; the greatest is the longest allowed.
var datagrams = []int{0, 1, 100, 1472, 4095, 4096, 0, 7}

// pingPong sends datagrams, one at a time, and reads each back.
func pingPong(c net.Conn, seed int) error {
	buf := make([]byte, 1<<16)
	for _, size := range datagrams {
		want := make([]byte, size)
		pattern(want, seed, size)
		if _, err := c.Write(want); err != nil {
			return err
		}
		n, err := c.Read(buf)
		if err != nil {
			return fmt.Errorf("answer to %d bytes: %w", size, err)
		}
		if !bytes.Equal(buf[:n], want) {
			return fmt.Errorf("%d other bytes came back for %d", n, size)
		}
	}
	return nil
}

func TestUDPDropsWhatDoesNotFit(t *testing.T) {
	s := start(t, "udp", "-addr", "127.0.0.1:0", "-size", "100")
	c := dial(t, "udp", s.addr)
	for _, size := range []int{101, 60000, 100} {
		_, err := c.Write(make([]byte, size))
		require.NoError(t, err)
	}
	n, err := c.Read(make([]byte, 1<<16))
	require.NoError(t, err)
	require.Equal(t, 100, n, "the first answer is to the one that fits")
	out := s.stop(t, syscall.SIGTERM)
	require.Contains(t, out.stderr, "dropped a datagram of 101 bytes from "+c.LocalAddr().String())
	require.Contains(t, out.stderr, "dropped a datagram of 60000 bytes")
}

// A burst takes all buffers at once. What the socket itself has no room for may
// be lost, but the server goes on.
func TestUDPBurst(t *testing.T) {
	s := start(t, "udp", "-addr", "127.0.0.1:0", "-buffers", "2")
	c := dial(t, "udp", s.addr)
	for i := range 100 {
		_, err := c.Write([]byte{byte(i)})
		require.NoError(t, err)
	}
	for i := range 100 { // so few and small ones do fit
		b := make([]byte, 10)
		n, err := c.Read(b)
		require.NoError(t, err)
		require.Equal(t, []byte{byte(i)}, b[:n])
	}
}

func TestEchoServerPipelined(t *testing.T) {
	for name, addr := range loopbacks(t) {
		t.Run(name, func(t *testing.T) {
			s := start(t, "echo-server", "-addr", addr)
			_, before := steadyClient(t, s)
			var clients []func() error
			const size = 200 << 10 // several times what a buffer holds
			for i := range 300 {
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

// A client that sends and never reads does not take the buffers of the others,
// and gets all of its bytes back when it reads in the end.
func TestEchoServerGreedyClient(t *testing.T) {
	s := start(t, "echo-server", "-addr", "127.0.0.1:0", "-buffers", "64")
	greedy := dial(t, "tcp", s.addr)
	const size = 16 << 20 // more than the sockets hold
	sent := make(chan error, 1)
	go func() { sent <- write(greedy, 1, size) }()
	steady, _ := steadyClient(t, s)
	for i := range 20 {
		time.Sleep(10 * time.Millisecond)
		require.NoError(t, write(steady, i, 5000))
		require.NoError(t, read(steady, i, 5000))
	}
	select {
	case err := <-sent:
		t.Fatalf("all of %d bytes were taken without being read: %v", size, err)
	default:
	}
	require.NoError(t, read(greedy, 1, size))
	require.NoError(t, <-sent)
	require.Empty(t, s.stop(t, syscall.SIGINT).stderr)
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

// startProxy starts a proxy to a listener.
func startProxy(t *testing.T, to *net.TCPListener, args ...string) *server {
	t.Helper()
	return start(t, "proxy", append([]string{"-addr", "127.0.0.1:0", "-to", to.Addr().String()}, args...)...)
}

// through returns both ends of a connection through a proxy.
func through(t *testing.T, s *server, l *net.TCPListener) (client, upstream *net.TCPConn) {
	t.Helper()
	client = dial(t, "tcp", s.addr).(*net.TCPConn)
	require.NoError(t, l.SetDeadline(time.Now().Add(10*time.Second)))
	upstream, err := l.AcceptTCP()
	require.NoError(t, err)
	t.Cleanup(func() { upstream.Close() })
	require.NoError(t, upstream.SetDeadline(time.Now().Add(20*time.Second)))
	return client, upstream
}

func TestProxyBothWaysAtOnce(t *testing.T) {
	l := listen(t)
	s := startProxy(t, l, "-v")
	before := s.descriptors(t)
	client, upstream := through(t, s, l)
	const size = 10 << 20
	atOnce(t,
		func() error { return write(client, 1, size) },
		func() error { return read(upstream, 1, size) },
		func() error { return write(upstream, 2, size+5) },
		func() error { return read(client, 2, size+5) })
	client.Close()
	require.Equal(t, io.EOF, readEnd(upstream))
	upstream.Close()
	s.requireNoLeak(t, before)
	require.Contains(t, s.stop(t, syscall.SIGTERM).stderr, fmt.Sprintf("connection: %d bytes there, %d back", size, size+5))
}

// readEnd returns how a stream that has nothing more to say ends.
func readEnd(c net.Conn) error {
	_, err := c.Read(make([]byte, 1))
	return err
}

func TestProxyHalfClose(t *testing.T) {
	l := listen(t)
	s := startProxy(t, l)
	before := s.descriptors(t)
	client, upstream := through(t, s, l)

	require.NoError(t, write(client, 1, 5000))
	require.NoError(t, client.CloseWrite())
	require.NoError(t, read(upstream, 1, 5000))
	require.Equal(t, io.EOF, readEnd(upstream), "the end is passed on")
	atOnce(t,
		func() error { return errors.Join(write(upstream, 2, 1<<20), upstream.CloseWrite()) },
		func() error { return read(client, 2, 1<<20) })
	require.Equal(t, io.EOF, readEnd(client))
	s.requireNoLeak(t, before)

	// And the other side first.
	client, upstream = through(t, s, l)
	require.NoError(t, upstream.CloseWrite())
	require.Equal(t, io.EOF, readEnd(client))
	require.NoError(t, write(client, 3, 5000))
	require.NoError(t, read(upstream, 3, 5000))
}

func TestProxyUpstreamRefuses(t *testing.T) {
	l := listen(t)
	addr := l.Addr().String()
	s := startProxy(t, l)
	before := s.descriptors(t)
	require.NoError(t, l.Close())
	for range 3 {
		c := dial(t, "tcp", s.addr)
		err := readEnd(c)
		require.Error(t, err)
		require.NotErrorIs(t, err, os.ErrDeadlineExceeded, "the client is not left waiting")
	}
	s.requireNoLeak(t, before)

	again, err := net.Listen("tcp", addr)
	require.NoError(t, err)
	defer again.Close()
	client, upstream := through(t, s, again.(*net.TCPListener))
	require.NoError(t, write(client, 1, 100))
	require.NoError(t, read(upstream, 1, 100))
	out := s.stop(t, syscall.SIGINT)
	require.Equal(t, 3, strings.Count(out.stderr, addr+": connect: connection refused"), out.stderr)
}

// A receiver that does not read holds its own sender up, after what sockets and
// a few buffers hold, and no other connection.
func TestProxyBackpressure(t *testing.T) {
	l := listen(t)
	s := startProxy(t, l, "-size", "4096", "-buffers", "4")
	client, upstream := through(t, s, l)
	sent := 0
	require.NoError(t, client.SetWriteDeadline(time.Now().Add(time.Second)))
	block := make([]byte, 1<<16)
	var err error
	for err == nil && sent < 256<<20 {
		pattern(block, 5, sent)
		var n int
		n, err = client.Write(block)
		sent += n
	}
	require.ErrorIs(t, err, os.ErrDeadlineExceeded, "%d bytes found room", sent)

	other, otherUpstream := through(t, s, l)
	require.NoError(t, write(other, 1, 5000))
	require.NoError(t, read(otherUpstream, 1, 5000))
	require.NoError(t, write(upstream, 2, 5000), "the other direction")
	require.NoError(t, read(client, 2, 5000))

	require.NoError(t, client.CloseWrite())
	require.NoError(t, read(upstream, 5, sent), "nothing is lost")
	require.Equal(t, io.EOF, readEnd(upstream))
}

// A stream that broke off must not look like one that has ended.
func TestProxyPassesResetsOn(t *testing.T) {
	l := listen(t)
	s := startProxy(t, l)
	before := s.descriptors(t)
	for range 20 {
		client, upstream := through(t, s, l)
		require.NoError(t, write(client, 1, 1000))
		require.NoError(t, read(upstream, 1, 1000))
		abort(t, client)
		require.ErrorIs(t, readEnd(upstream), syscall.ECONNRESET)
		client, upstream = through(t, s, l)
		abort(t, upstream)
		require.ErrorIs(t, readEnd(client), syscall.ECONNRESET)
	}
	// While the proxy has bytes that nobody takes.
	client, upstream := through(t, s, l)
	require.NoError(t, client.SetWriteDeadline(time.Now().Add(200*time.Millisecond)))
	require.ErrorIs(t, write(client, 1, 256<<20), os.ErrDeadlineExceeded)
	abort(t, upstream)
	require.ErrorIs(t, readEnd(client), syscall.ECONNRESET)
	// And while it sends to somebody who does not read.
	client, upstream = through(t, s, l)
	require.NoError(t, client.SetWriteDeadline(time.Now().Add(200*time.Millisecond)))
	require.ErrorIs(t, write(client, 1, 256<<20), os.ErrDeadlineExceeded)
	abort(t, client)
	_, err := upstream.Write([]byte("?"))
	require.NoError(t, err)
	s.requireNoLeak(t, before)
	require.Empty(t, s.stop(t, syscall.SIGTERM).stderr)
}

// A proxy that is ended while it connects has nothing to say.
func TestProxyEndsWhileConnecting(t *testing.T) {
	l := listen(t)
	raw, err := l.SyscallConn()
	require.NoError(t, err)
	require.NoError(t, raw.Control(func(fd uintptr) { err = syscall.Listen(int(fd), 0) }))
	require.NoError(t, err)
	dial(t, "tcp", l.Addr().String()) // takes the only place: the next has to wait
	s := startProxy(t, l)
	before := s.descriptors(t)
	dial(t, "tcp", s.addr)
	require.Eventually(t, func() bool { return s.descriptors(t) == before+2 }, 5*time.Second, time.Millisecond)
	require.Empty(t, s.stop(t, syscall.SIGTERM).stderr)
}

// Connections for which there is no descriptor are closed. When there is, the
// next is served.
func TestProxyShortOfDescriptors(t *testing.T) {
	l := listen(t)
	s := startProxy(t, l)
	client, upstream := through(t, s, l)
	var limit unix.Rlimit
	pid := s.cmd.Process.Pid
	require.NoError(t, unix.Prlimit(pid, unix.RLIMIT_NOFILE, nil, &limit))
	require.NoError(t, unix.Prlimit(pid, unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 0, Max: limit.Max}, nil))
	require.Equal(t, io.EOF, readEnd(dial(t, "tcp", s.addr)))
	require.NoError(t, write(client, 1, 1000))
	require.NoError(t, read(upstream, 1, 1000))
	require.NoError(t, unix.Prlimit(pid, unix.RLIMIT_NOFILE, &limit, nil))
	through(t, s, l)
	require.Equal(t, "proxy: socket: too many open files\n", s.stop(t, syscall.SIGTERM).stderr)
}

func TestProxySink(t *testing.T) {
	s := start(t, "proxy", "-addr", "127.0.0.1:0", "-sink", "-v")
	before := s.descriptors(t)
	for range 2 {
		c := dial(t, "tcp", s.addr)
		require.NoError(t, write(c, 1, 5<<20))
		require.NoError(t, c.(*net.TCPConn).CloseWrite())
		require.Equal(t, io.EOF, readEnd(c), "nothing comes back")
		c.Close()
	}
	s.requireNoLeak(t, before)
	require.Equal(t, strings.Repeat(fmt.Sprintf("connection: %d bytes dropped\n", 5<<20), 2), s.stop(t, syscall.SIGTERM).stderr)
}

func TestProxyManyConnections(t *testing.T) {
	echo := start(t, "echo-server", "-addr", "127.0.0.1:0")
	s := start(t, "proxy", "-addr", "127.0.0.1:0", "-to", echo.addr)
	before := s.descriptors(t)
	var clients []func() error
	for i := range 200 {
		c := dial(t, "tcp", s.addr)
		clients = append(clients,
			func() error { return errors.Join(write(c, i, 50000), c.(*net.TCPConn).CloseWrite()) },
			func() error {
				err := read(c, i, 50000)
				if end := readEnd(c); err == nil && end != io.EOF {
					err = fmt.Errorf("no end, but %v", end)
				}
				return err
			})
	}
	atOnce(t, clients...)
	s.requireNoLeak(t, before)
}

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
			received := make(chan int)
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
			received := make(chan int)
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

func TestNAPI(t *testing.T) {
	for name, addr := range loopbacks(t) {
		t.Run(name, func(t *testing.T) {
			s := start(t, "napi-busy-poll-server", "-addr", addr, "-prefer")
			for _, args := range [][]string{{}, {"-poll", "0"}, {"-prefer"}, {"-spin"}, {"-sqpoll"}} {
				out := succeed(t, program(t, "napi-busy-poll-client"), append(args, "-addr", s.addr, "-n", "200")...)
				n := figures(t, regexp.MustCompile(`(?s)napi id.*\n(\d+) round trips\nmin/avg/max/mdev ([\d.]+)/([\d.]+)/([\d.]+)/([\d.]+) µs\nmedian ([\d.]+) µs, 99 of 100 within ([\d.]+) µs\n$`), out)
				require.Equal(t, 200, n[0], args)
			}
			require.Contains(t, s.stop(t, syscall.SIGTERM).stdout, "napi id")
		})
	}
}

func TestNAPIServerEndsAfterItsPings(t *testing.T) {
	s := start(t, "napi-busy-poll-server", "-addr", "127.0.0.1:0", "-spin", "-n", "8")
	c := dial(t, "udp", s.addr)
	for i := range 8 {
		_, err := c.Write(bytes.Repeat([]byte{byte(i)}, i))
		require.NoError(t, err)
		buf := make([]byte, 10)
		n, err := c.Read(buf)
		require.NoError(t, err)
		require.Equal(t, bytes.Repeat([]byte{byte(i)}, i), buf[:n])
	}
	s.wait(t)
}

func TestNAPINoAnswer(t *testing.T) {
	silent, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	defer silent.Close()
	client := program(t, "napi-busy-poll-client")
	addr := silent.LocalAddr().String()
	out := run(t, client, "-addr", addr, "-wait", "100ms")
	require.Equal(t, 1, out.code)
	require.Contains(t, out.stderr, "ping 0 to "+addr+": nothing has come within 100ms")

	silent.Close()
	out = run(t, client, "-addr", addr)
	require.Equal(t, 1, out.code)
	require.Contains(t, out.stderr, "connection refused")
}

// There is no card to receive with: the program says what is missing.
func TestZCRX(t *testing.T) {
	probe, err := liburing.GetProbe()
	require.NoError(t, err)
	missing := "(the kernel does not know zero-copy receive .the registration.|queue 0 of lo: its driver cannot)"
	switch {
	case !probe.OpcodeSupported(liburing.OpRecvZC):
		missing = "the kernel does not know zero-copy receive .the request.*Linux 6.15"
	case os.Geteuid() != 0:
		missing = "takes CAP_NET_ADMIN"
	}
	out := run(t, program(t, "zcrx"), "-addr", "127.0.0.1:0", "-if", "lo", "-queue", "0")
	require.Equal(t, 1, out.code)
	require.Regexp(t, missing, out.stderr)
	if !strings.Contains(out.stdout, "the kernel knows") {
		return
	}
	out = run(t, program(t, "zcrx"), "-addr", "127.0.0.1:0", "-if", "nosuch0", "-queue", "0")
	require.Equal(t, 1, out.code)
	require.Contains(t, out.stderr, "there is no interface nosuch0")
	out = run(t, program(t, "zcrx"), "-addr", "127.0.0.1:0", "-if", "lo", "-queue", "5")
	require.Equal(t, 1, out.code)
	require.Contains(t, out.stderr, "lo has no receive queue 5")
}

func TestNetBadArguments(t *testing.T) {
	for _, c := range []struct{ args, says string }{
		{"udp extra", "flags only"},
		{"udp -size 0", "-size"},
		{"udp -addr localhost", "-addr"},
		{"udp -nosuch", "-nosuch"},
		{"proxy", "-to must say"},
		{"proxy -to 127.0.0.1:0", "-to must say"},
		{"proxy -to nonsense", "-to"},
		{"proxy -to 127.0.0.1:1 -sink", "-sink"},
		{"proxy -to 127.0.0.1:1 -buffers 0", "-buffers"},
		{"proxy -to 127.0.0.1:1 extra", "extra"},
		{"echo-server -addr nonsense", "-addr"},
		{"echo-server extra", ""},
		{"send-zerocopy", "tcp or udp"},
		{"send-zerocopy sctp", "sctp"},
		{"send-zerocopy -size 70000 udp", "70000"},
		{"send-zerocopy -n 0 tcp", "-n"},
		{"send-zerocopy -time -1s tcp", "-time"},
		{"send-zerocopy -addr 127.0.0.1:0 tcp", "-addr"},
		{"napi-busy-poll-server -poll -1s", "-poll"},
		{"napi-busy-poll-server -poll 2h", "-poll"},
		{"napi-busy-poll-server -n -1", "-n"},
		{"napi-busy-poll-client -n 0", "-n"},
		{"napi-busy-poll-client -addr 127.0.0.1:0", "-addr"},
		{"napi-busy-poll-client extra", "flags only"},
		{"zcrx", "-if"},
		{"zcrx -if lo", "-queue"},
		{"zcrx -if lo -queue 0 -refill 3", "-refill"},
		{"zcrx -if lo -queue 0 -area 1", "-area"},
	} {
		t.Run(c.args, func(t *testing.T) {
			args := strings.Fields(c.args)
			out := run(t, program(t, args[0]), args[1:]...)
			require.Equal(t, 2, out.code)
			require.Contains(t, out.stderr, c.says)
			require.Contains(t, out.stderr, "usage: "+args[0])
			require.Empty(t, out.stdout)
		})
	}
}

func TestNetHelp(t *testing.T) {
	for _, name := range []string{"udp", "proxy", "echo-server", "send-zerocopy", "napi-busy-poll-server", "napi-busy-poll-client", "zcrx"} {
		out := run(t, program(t, name), "-h")
		require.Zero(t, out.code)
		require.Regexp(t, `^usage: `+name+` .*\n\n[A-Z][^\n]+\.`, out.stderr)
		require.Contains(t, out.stderr, "-addr address")
	}
}

func TestNetPortInUse(t *testing.T) {
	tcp := listen(t).Addr().String()
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	defer c.Close()
	udp := c.LocalAddr().String()
	for _, args := range []string{
		"udp -addr " + udp,
		"proxy -to 127.0.0.1:1 -addr " + tcp,
		"echo-server -addr " + tcp,
		"send-zerocopy -receive -addr " + tcp + " tcp",
		"send-zerocopy -receive -addr " + udp + " udp",
		"napi-busy-poll-server -addr " + udp,
		"zcrx -if lo -queue 0 -addr " + tcp,
	} {
		args := strings.Fields(args)
		out := run(t, program(t, args[0]), args[1:]...)
		require.Equal(t, 1, out.code, args)
		require.Regexp(t, `^`+args[0]+`: listen on 127\.0\.0\.1:\d+: address already in use\n$`, out.stderr)
	}
}
