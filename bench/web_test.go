package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestParseWrk(t *testing.T) {
	r, err := parseWrk([]byte("  2000 requests in 1.00s, 1.2MB read\nRequests/sec:   1999.50\n"), time.Second)
	require.NoError(t, err)
	require.Equal(t, reading{"requests_per_second": 1999.5, cpuReading: 500}, r)
	for _, bad := range []string{
		"", "  0 requests in 1.00s, 0.00B read\nRequests/sec:      0.00\n",
		"  2000 requests in 1.00s, 1MB read\n  Socket errors: connect 0, read 1, write 0, timeout 0\nRequests/sec:   1999.50\n",
		"  2000 requests in 1.00s, 1MB read\n  Non-2xx or 3xx responses: 3\nRequests/sec:   1999.50\n",
	} {
		_, err := parseWrk([]byte(bad), time.Second)
		require.Error(t, err, bad)
	}
}
