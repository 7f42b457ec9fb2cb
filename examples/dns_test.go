//go:build linux

package examples_test

import (
	"context"
	"net"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// dnsServers starts the server on each family, and on both at once; of that one the
// address of each is returned.
func dnsServers(t *testing.T) map[string]string {
	addrs := map[string]string{}
	families := loopbacks(t)
	for name, addr := range families {
		addrs[name] = start(t, "dns", "-addr", addr).addr
	}
	_, port, err := net.SplitHostPort(start(t, "dns", "-addr", ":0").addr)
	require.NoError(t, err)
	for name, addr := range families {
		host, _, _ := net.SplitHostPort(addr)
		addrs[name+" of both"] = net.JoinHostPort(host, port)
	}
	addrs["another address of both"] = net.JoinHostPort("127.0.0.9", port)
	return addrs
}

// Go's own resolver takes no answer from another address than it has asked.
func TestDNS(t *testing.T) {
	for name, addr := range dnsServers(t) {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			r := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, "udp", addr)
			}}
			for range 10 {
				got, err := r.LookupHost(ctx, "ring.test.")
				require.NoError(t, err)
				require.ElementsMatch(t, []string{"192.0.2.1", "2001:db8::1"}, got)
			}
			_, err := r.LookupHost(ctx, "other.test.")
			var dns *net.DNSError
			require.ErrorAs(t, err, &dns)
			require.True(t, dns.IsNotFound)
		})
	}
}

func TestDNSWithDig(t *testing.T) {
	dig, err := exec.LookPath("dig")
	if err != nil {
		t.Skipf("there is no client: %v", err)
	}
	for name, addr := range dnsServers(t) {
		t.Run(name, func(t *testing.T) {
			host, port, err := net.SplitHostPort(addr)
			require.NoError(t, err)
			ask := func(args ...string) string {
				return succeed(t, dig, append([]string{"@" + host, "-p", port, "+tries=2", "+time=5"}, args...)...)
			}
			require.Equal(t, "192.0.2.1\n", ask("+short", "ring.test", "A"))
			require.Equal(t, "2001:db8::1\n", ask("+short", "RING.test", "AAAA"))
			require.Contains(t, ask("ring.test", "MX"), "status: NOERROR")
			require.Contains(t, ask("no.test", "A"), "status: NXDOMAIN")
			require.Contains(t, ask("+opcode=STATUS", "ring.test", "A"), "status: NOTIMP")
		})
	}
}

// Nonsense is answered, if at all, in a way that says so, and nothing leaks.
func TestDNSNonsense(t *testing.T) {
	s := start(t, "dns", "-addr", "127.0.0.1:0")
	c := dial(t, "udp", s.addr)
	send := func(b []byte) {
		_, err := c.Write(b)
		require.NoError(t, err)
	}
	for _, b := range [][]byte{{}, {1}, make([]byte, 11), make([]byte, 600), {0, 1, 0x80, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1}} {
		send(b) // too short, too long, an answer
	}
	bad := []byte{7, 7, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 200, 0, 1, 0, 1}
	send(bad)
	got := make([]byte, 100)
	n, err := c.Read(got)
	require.NoError(t, err)
	require.Equal(t, []byte{7, 7, 0x84, 1, 0, 0, 0, 0, 0, 0, 0, 0}, got[:n], "the first answer is to this one")
	out := s.stop(t, syscall.SIGTERM)
	require.Empty(t, out.stderr)
}
