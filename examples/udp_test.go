//go:build linux

package examples_test

import (
	"bytes"
	"fmt"
	"net"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

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
