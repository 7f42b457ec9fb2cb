//go:build linux

package examples_test

import (
	"net"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNetBadArguments(t *testing.T) {
	for _, c := range []struct{ args, says string }{
		{"udp extra", "flags only"},
		{"udp -size 0", "-size must be 1 to"},
		{"udp -size 65537", "-size must be 1 to"},
		{"udp -buffers 32769", "-buffers must be 1 to"},
		{"udp -addr localhost", "-addr"},
		{"udp -nosuch", "-nosuch"},
		{"proxy", "-to must say"},
		{"proxy -to 127.0.0.1:0", "-to must say"},
		{"proxy -to nonsense", "-to"},
		{"proxy -to 127.0.0.1:1 -sink", "-sink"},
		{"proxy -to 127.0.0.1:1 -buffers 0", "-buffers must be 1 to"},
		{"proxy -to 127.0.0.1:1 -buffers 32769", "-buffers must be 1 to"},
		{"proxy -to 127.0.0.1:1 -size 1073741825", "-size must be 1 to"},
		{"proxy -to 127.0.0.1:1 extra", "extra"},
		{"echo-server -addr nonsense", "-addr"},
		{"echo-server extra", "flags only"},
		{"echo-server -buffers 0", "-buffers must be 1 to"},
		{"echo-server -buffers 32769", "-buffers must be 1 to"},
		{"echo-server -size -1", "-size must be 1 to"},
		{"echo-server -connections 0", "-connections must be 1 to"},
		{"echo-server -connections 4294967297", "-connections must be 1 to"},
		{"send-zerocopy", "tcp or udp"},
		{"send-zerocopy sctp", "sctp"},
		{"send-zerocopy -size 70000 udp", "70000"},
		{"send-zerocopy -n 0 tcp", "-n"},
		{"send-zerocopy -n 32769 tcp", "-n 32768"},
		{"send-zerocopy -size 1073741825 tcp", "-size must be"},
		{"send-zerocopy -threads 1025 tcp", "-threads 1024"},
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
