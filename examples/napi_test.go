//go:build linux

package examples_test

import (
	"bytes"
	"net"
	"regexp"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

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
	needsKernel(t, "napi-busy-poll-client")
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
