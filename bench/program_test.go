package main

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParseReading(t *testing.T) {
	r, err := parseReading([]byte("ns_per_request=48.5 requests=1000\n"))
	require.NoError(t, err)
	require.Equal(t, reading{"ns_per_request": 48.5, "requests": 1000}, r)
	for _, line := range []string{"", "\n", "hello", "a=b", "a=1 b"} {
		_, err := parseReading([]byte(line))
		require.Error(t, err, line)
	}
}

// TestProgramsArePinned runs a program that prints where it may run.
func TestProgramsArePinned(t *testing.T) {
	cpu, err := usableCPU(-1)
	require.NoError(t, err)
	tl := &tools{seconds: 0.1, cpu: cpu}
	p := tl.program("pinned", "/bin/sh", "-c", `awk '/^Cpus_allowed_list/ {print "cpu=" $2}' /proc/self/status`)
	r, err := p.run(t.Context())
	require.NoError(t, err)
	require.Equal(t, float64(cpu), r["cpu"])

	p = tl.program("failing", "/bin/sh", "-c", "echo the reason >&2; exit 3")
	_, err = p.run(t.Context())
	require.ErrorContains(t, err, "the reason")

	_, err = usableCPU(1023)
	require.ErrorContains(t, err, strconv.Itoa(1023))
}
