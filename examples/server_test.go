//go:build linux

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
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
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
	return startSaying(t, "listening on ", name, args...)
}

// startSaying is start for those that begin the line with other words.
func startSaying(t *testing.T, words, name string, args ...string) *server {
	t.Helper()
	path := program(t, name)
	needsKernel(t, path)
	ctx, cancel := context.WithTimeout(context.Background(), 5*runFor) // a test asks it many things
	t.Cleanup(cancel)
	s := &server{cmd: exec.CommandContext(ctx, path, args...), stdout: make(chan string, 1)}
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
	addr, ok := strings.CutPrefix(strings.TrimSpace(line), words)
	go func() {
		rest, _ := io.ReadAll(r)
		s.stdout <- string(rest)
	}()
	if err != nil || !ok {
		<-s.stdout
		s.cmd.Wait()
		require.FailNow(t, "it does not serve", "%q, %v\n%s", line, err, &s.stderr)
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

// descriptors returns how many files the server has open, registered ones too. It
// leaves out what Go's runtime opens when it first has a timer, which may be one of
// its own.
func (s *server) descriptors(t require.TestingT) (n int) {
	proc := fmt.Sprintf("/proc/%d/", s.cmd.Process.Pid)
	fds, err := os.ReadDir(proc + "fd")
	require.NoError(t, err)
	for _, fd := range fds {
		switch link, _ := os.Readlink(proc + "fd/" + fd.Name()); link {
		case "anon_inode:[eventpoll]", "anon_inode:[eventfd]":
			continue
		case "anon_inode:[io_uring]":
			n += registered(proc + "fdinfo/" + fd.Name())
		}
		n++
	}
	return n
}

// registered returns how many files a ring has. While the ring is in use the kernel does
// not tell.
func registered(fdinfo string) int {
	for {
		info, err := os.ReadFile(fdinfo)
		_, files, told := strings.Cut(string(info), "\nUserFiles:")
		if told || err != nil {
			files, _, _ = strings.Cut(files, "\nUserBufs:")
			return strings.Count(files, "\n")
		}
	}
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
	c, err := net.DialTimeout(network, addr, runFor/12)
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	require.NoError(t, c.SetDeadline(time.Now().Add(runFor/3)))
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
