//go:build linux

package examples_test

import (
	"os"
	"strings"
	"testing"

	"github.com/go-liburing/liburing"
	"github.com/stretchr/testify/require"
)

// There is no card to receive with: the program says what is missing.
func TestZCRX(t *testing.T) {
	needsKernel(t, "zcrx")
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
