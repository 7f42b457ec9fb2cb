package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestModelsAreMeasured has each of the servers answer a few clients.
func TestModelsAreMeasured(t *testing.T) {
	tl, err := newTools(options{cpu: -1})
	require.NoError(t, err)
	defer tl.close()
	if _, err := otherCPU(tl.cpu); err != nil {
		t.Skip(err)
	}
	short := tenClients(t, tl, 0.05)
	for i, p := range short.programs {
		r, err := p.run(t.Context())
		// On a busy machine a server may not get to answer in so short a time.
		for seconds := 0.5; err == nil && r["requests_per_second"] == 0 && seconds < 30; seconds *= 2 {
			r, err = tenClients(t, tl, seconds).programs[i].run(t.Context())
		}
		require.NoError(t, err, p.name)
		require.Positive(t, r["requests_per_second"], p.name)
		require.Positive(t, r[cpuReading], p.name)
		require.Zero(t, r["failures"], p.name)
	}
	for _, f := range short.figures {
		require.Regexp(t, `^models/\w+/10$`, f.name)
	}
	require.Len(t, short.figures, len(short.programs)-1)
}

// tenClients returns the contest of the servers that ten clients ask for some seconds.
func tenClients(t *testing.T, tl *tools, seconds float64) contest {
	tl.seconds = seconds
	contests, err := modelContests(t.Context(), tl)
	require.NoError(t, err)
	require.Equal(t, "server models, 10 clients", contests[1].title)
	return contests[1]
}

func TestModelThatDoesNotStart(t *testing.T) {
	cpu, err := usableCPU(-1)
	require.NoError(t, err)
	m := modelSide{server: []string{"/bin/sh", "-c", "echo the reason >&2; exit 3"}, serverCPU: cpu}
	_, err = m.run(t.Context())
	require.ErrorContains(t, err, "the reason")
}
