//go:build linux

package ringio

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestWaitReadable(t *testing.T) {
	onStacks(t, func(t *testing.T, s stack) {
		for _, network := range []string{"tcp", "unix", "unixpacket"} {
			ours, theirs := s.pair(t, network)
			waiting := waits(t, func() { require.NoError(t, WaitReadable(ours)) })
			theirs.Write([]byte("text"))
			within(t, func() { <-waiting })
			if network != "unixpacket" { // which would cut it
				_, err := io.ReadFull(ours, make([]byte, 1))
				require.NoError(t, err)
				within(t, func() { require.NoError(t, WaitReadable(ours), "there is more") })
			}
			n, err := ours.Read(make([]byte, 8))
			require.NoError(t, err)
			require.GreaterOrEqual(t, n, 3)
			theirs.Close()
			within(t, func() { require.NoError(t, WaitReadable(ours)) })
			_, err = ours.Read(make([]byte, 8))
			require.ErrorIs(t, err, io.EOF)
		}
	})
}

func TestWaitReadableOfDatagrams(t *testing.T) {
	onStacks(t, func(t *testing.T, s stack) {
		there := s.mustListenPacket(t, "udp")
		c := s.mustDial(t, there.LocalAddr())
		waiting := waits(t, func() { require.NoError(t, WaitReadable(c)) })
		_, err := there.WriteTo([]byte("text"), c.LocalAddr())
		require.NoError(t, err)
		within(t, func() { <-waiting })
		n, err := c.Read(make([]byte, 8))
		require.NoError(t, err)
		require.Equal(t, 4, n)
	})
}

// Of the errors nothing is taken from Read, and those of its own are Read's.
func TestWaitReadableThatEnds(t *testing.T) {
	onStacks(t, func(t *testing.T, s stack) {
		ours, theirs := s.pair(t, "tcp")
		ours.SetReadDeadline(time.Now().Add(time.Millisecond))
		within(t, func() { require.ErrorIs(t, WaitReadable(ours), os.ErrDeadlineExceeded) })
		ours.SetReadDeadline(time.Time{})
		waiting := waits(t, func() {
			err := WaitReadable(ours)
			require.ErrorIs(t, err, net.ErrClosed)
			var op *net.OpError
			require.ErrorAs(t, err, &op)
			require.Equal(t, "read", op.Op)
		})
		ours.Close()
		within(t, func() { <-waiting })
		theirs.Close()

		ours, theirs = s.pair(t, "tcp")
		theirs.(TCPConn).SetLinger(0)
		theirs.Close()
		within(t, func() { require.NoError(t, WaitReadable(ours)) })
		_, err := ours.Read(make([]byte, 8))
		require.ErrorContains(t, err, "connection reset")
	})
	_, pipe := net.Pipe()
	require.ErrorIs(t, WaitReadable(pipe), errors.ErrUnsupported)
}

// alone runs a test in a process of its own, where others have left nothing, and reports
// whether this is that process.
func alone(t *testing.T) bool {
	if os.Getenv("RINGIO_ALONE") != "" {
		return true
	}
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), "RINGIO_ALONE=1")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	return false
}

// 10,000 goroutines wait on connections, then as many more for files, and neither threads nor
// goroutines are there for it. With all of that in flight the process uses no processor, and
// none of its threads sits in a call that waits for a ring, which would count as waiting for a
// disk.
func TestTenThousandWaitWithoutThreads(t *testing.T) {
	if !alone(t) {
		return
	}
	waiters := 10_000
	if raceEnabled {
		waiters = 2000 // its memory of each goroutine is large
	}
	var files unix.Rlimit
	require.NoError(t, unix.Getrlimit(unix.RLIMIT_NOFILE, &files))
	waiters = min(waiters, int(files.Cur)-200) &^ 1 // what others have open is few
	e := busyEngine(t, Options{})                   // whose single read of a file is no plain call
	threads, goroutines := threadCount(t), runtime.NumGoroutine()
	all := func(n int) {
		require.Eventually(t, func() bool { return e.Stats().InFlight >= n }, time.Minute, time.Millisecond)
		// Go's runtime makes some for those that a busy machine interrupts in the kernel.
		require.LessOrEqual(t, threadCount(t), threads+16)
		require.LessOrEqual(t, runtime.NumGoroutine(), goroutines+n+10) // the engine's, and the test's
		idle := func() bool { return processorTimeIn(2*time.Second) < 20*time.Millisecond }
		require.Eventually(t, idle, time.Minute, time.Millisecond, "it is busy with waiting")
		require.NotContains(t, callsOfThreads(), unix.SYS_IO_URING_ENTER)
	}
	waitOnConnections(t, e, waiters)
	all(waiters)
	waitForFiles(t, e, waiters)
	all(2 * waiters)
}

// processorTimeIn returns how much processor time the process uses in a while.
func processorTimeIn(while time.Duration) time.Duration {
	before := processorTime()
	time.Sleep(while)
	return processorTime() - before
}

// callsOfThreads returns the numbers of the system calls that the program's threads are in, none
// where the kernel does not tell.
func callsOfThreads() (calls []int) {
	tasks, _ := filepath.Glob("/proc/self/task/*")
	for _, task := range tasks {
		if comm, _ := os.ReadFile(task + "/comm"); strings.HasPrefix(string(comm), "iou-") {
			continue // the kernel's, which show the call that made them
		}
		said, _ := os.ReadFile(task + "/syscall")
		if number, _, ok := strings.Cut(string(said), " "); ok {
			if n, err := strconv.Atoi(number); err == nil {
				calls = append(calls, n)
			}
		}
	}
	return calls
}

// waitOnConnections has goroutines wait on as many connections, which have all said something
// before, until the test ends.
func waitOnConnections(t *testing.T, e *Engine, waiters int) {
	s := stackOf("own", e)
	l := s.mustListen(t, "tcp")
	conns := make([]net.Conn, waiters)
	var heard atomic.Int64
	var all sync.WaitGroup
	for i := 0; i < waiters; i += 2 {
		conns[i] = s.mustDial(t, l.Addr())
		theirs, err := l.Accept()
		require.NoError(t, err)
		conns[i+1] = theirs
	}
	for _, c := range conns {
		all.Go(func() {
			b := make([]byte, 1)
			for {
				if _, err := c.Read(b); err != nil {
					return
				}
				heard.Add(1)
			}
		})
	}
	t.Cleanup(func() {
		for _, c := range conns {
			c.Close()
		}
		within(t, all.Wait)
	})
	for round := range warmReads + 2 {
		for _, c := range conns {
			_, err := c.Write([]byte("x"))
			require.NoError(t, err)
		}
		said := int64(waiters * (round + 1))
		require.Eventually(t, func() bool { return heard.Load() == said }, time.Minute, time.Millisecond)
	}
}

// waitForFiles has goroutines wait for what is taken for a disk, but is a FIFO, which waits for
// sure, until the test ends.
func waitForFiles(t *testing.T, e *Engine, waiters int) {
	name := filepath.Join(t.TempDir(), "fifo")
	require.NoError(t, makeFIFO(name))
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	require.NoError(t, err)
	conn, err := f.SyscallConn()
	require.NoError(t, err)
	d := &disk{engine: e.rings[0], watch: &e.watch, conn: conn, name: name}
	d.reading.Store(straight)
	var all sync.WaitGroup
	for range waiters {
		all.Go(func() {
			if n, err := d.readAt(context.Background(), nil, make([]byte, 1), 0); n != 1 || err != nil {
				t.Error(n, err)
			}
		})
	}
	t.Cleanup(func() {
		_, err := f.Write(make([]byte, waiters)) // less than a FIFO holds
		require.NoError(t, err)
		within(t, all.Wait)
		require.NoError(t, f.Close())
	})
}

// A connection that says nothing takes what itself and its goroutine's smallest stack
// do, some 4,300 bytes with what the test has of it: a buffer, or a stack that had to
// grow, would be too much.
func TestIdleConnectionsTakeLittleMemory(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector, or the sanitizer, takes memory")
	}
	if !alone(t) {
		return
	}
	const pairs, most = 400, 5200
	l := ringStack.mustListen(t, "tcp")
	before := memoryInUse()
	for range pairs {
		ours := ringStack.mustDial(t, l.Addr())
		theirs, err := l.Accept()
		require.NoError(t, err)
		t.Cleanup(func() { theirs.Close() })
		echo := func(c net.Conn, first bool) {
			buf := make([]byte, 8)
			for i := 0; first || WaitReadable(c) == nil; i++ {
				if !first {
					if _, err := c.Read(buf); err != nil {
						return
					}
				}
				first = false
				if i < 2*warmReads {
					c.Write(buf)
				}
			}
		}
		go echo(ours, true)
		go echo(theirs, false)
	}
	require.Eventually(t, func() bool { // they have to become idle first
		each := (memoryInUse() - before) / (2 * pairs)
		t.Log(fmt.Sprint(each, " bytes each"))
		return each < most
	}, 20*time.Second, 100*time.Millisecond)
}

func memoryInUse() int64 {
	for range 3 {
		runtime.GC()
	}
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return int64(s.HeapAlloc + s.StackInuse)
}
