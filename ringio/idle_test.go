//go:build linux

package ringio

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
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
