package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestModelsAreMeasured has each of the servers answer a few clients.
func TestModelsAreMeasured(t *testing.T) {
	tl, err := newTools(options{seconds: 0.05, cpu: -1})
	require.NoError(t, err)
	defer tl.close()
	if _, err := otherCPU(tl.cpu); err != nil {
		t.Skip(err)
	}
	contests, err := modelContests(t.Context(), tl)
	require.NoError(t, err)
	const tenClients = 1
	for _, p := range contests[tenClients].programs {
		r, err := p.run(t.Context())
		require.NoError(t, err, p.name)
		require.Positive(t, r["requests_per_second"], p.name)
		require.Positive(t, r[cpuReading], p.name)
		require.Zero(t, r["failures"], p.name)
	}
	for _, f := range contests[tenClients].figures {
		require.Regexp(t, `^models/\w+/10$`, f.name)
	}
	require.Len(t, contests[tenClients].figures, len(contests[tenClients].programs)-1)
}

func TestModelThatDoesNotStart(t *testing.T) {
	cpu, err := usableCPU(-1)
	require.NoError(t, err)
	m := modelSide{server: []string{"/bin/sh", "-c", "echo the reason >&2; exit 3"}, serverCPU: cpu}
	_, err = m.run(t.Context())
	require.ErrorContains(t, err, "the reason")
}
