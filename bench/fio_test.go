package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParseFio(t *testing.T) {
	r, err := parseFio([]byte(`fio: a warning
{"jobs": [{"error": 0, "read": {"iops": 5000.5, "total_ios": 1000, "runtime": 200}, "usr_cpu": 10.0, "sys_cpu": 40.0}]}`))
	require.NoError(t, err)
	require.InDelta(t, 5000.5, r["iops"], 1e-9)
	require.InDelta(t, 100, r[cpuReading], 1e-9, "half of 200 ms for 1,000 reads")
}

func TestParseFioRefuses(t *testing.T) {
	for text, why := range map[string]string{
		``:             "fio's report",
		`{"jobs": []}`: "0 jobs",
		`{"jobs": [{"error": 5, "read": {"iops": 1, "total_ios": 1}}]}`: "errno 5",
		`{"jobs": [{"error": 0, "read": {"iops": 0, "total_ios": 0}}]}`: "read nothing",
	} {
		_, err := parseFio([]byte(text))
		require.ErrorContains(t, err, why, text)
	}
}
