package main

import (
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// buildAnEchoBench builds a client and the servers without peers, for a short
// measurement.
func buildAnEchoBench(t *testing.T) *echoBench {
	tl, err := newTools(options{seconds: 0.2, cpu: -1})
	require.NoError(t, err)
	t.Cleanup(tl.close)
	b, err := newEchoBench(t.Context(), tl, nil)
	if why, ok := err.(missing); ok {
		t.Skip(why)
	}
	require.NoError(t, err)
	return b
}

func TestEchoIsMeasured(t *testing.T) {
	b := buildAnEchoBench(t)
	programs := b.programs(8)
	require.Len(t, programs, 4, "C, Go with and without gathering, and net")
	for _, p := range programs {
		onSomeTry(t, func(c *assert.CollectT) {
			r, err := p.run(t.Context())
			require.NoError(c, err, p.name)
			require.Positive(c, r["requests_per_second"], p.name)
			require.LessOrEqual(c, r["requests_per_second"], r["requests"]/b.seconds+1, p.name)
			require.Positive(c, r[cpuReading], p.name)
			require.Zero(c, r["stalled_connections"], p.name)
			if strings.HasPrefix(p.name, "Go") {
				require.Less(c, r[allocsReading], 0.1)
				require.Contains(c, r, allocsReading)
			}
		})
	}
}

func TestLatencyIsMeasured(t *testing.T) {
	b := buildAnEchoBench(t)
	for _, p := range b.programs(4, "-rate", "2000") {
		onSomeTry(t, func(c *assert.CollectT) {
			r, err := p.run(t.Context())
			require.NoError(c, err, p.name)
			require.InDelta(c, 400, r["requests"], 40, p.name)
			require.Positive(c, r["p50_us"], p.name)
			require.LessOrEqual(c, r["p50_us"], r["p99_us"], p.name)
			require.LessOrEqual(c, r["p99_us"], r["p999_us"], p.name)
			requireHistogram(c, r)
		})
	}
}

// onSomeTry has measure succeed once in a minute: the machine may have been busy.
func onSomeTry(t *testing.T, measure func(*assert.CollectT)) {
	t.Helper()
	require.EventuallyWithT(t, measure, time.Minute, time.Millisecond)
}

// requireHistogram compares the histogram with the percentiles.
func requireHistogram(t require.TestingT, r reading) {
	var below, all float64
	last := 0.0
	for _, b := range histogram([]reading{r}) {
		require.Greater(t, b.Micros, last)
		last = b.Micros
		if b.Micros < r["p50_us"] {
			below += b.Share
		}
		all += b.Share
	}
	require.InDelta(t, 1, all, 1e-9)
	require.Less(t, below, 0.5, "half of the requests took longer than the median")
	require.Greater(t, last*1.13, r["p999_us"])
}

// TestLatencyCountsTheWait has a server that stops for a while in the middle: all
// messages that were due meanwhile have waited, not only the one on its way.
func TestLatencyCountsTheWait(t *testing.T) {
	b := buildAnEchoBench(t)
	const pause = 80 * time.Millisecond
	onSomeTry(t, func(c *assert.CollectT) {
		l := pausingServer(t, pause)
		defer l.Close()
		_, port, err := net.SplitHostPort(l.Addr().String())
		require.NoError(c, err)
		out, err := runOn(t.Context(), b.clientCPU, b.client,
			"-port", port, "-server", strconv.Itoa(os.Getpid()), "-connections", "1", "-rate", "1000", "-seconds", "1")
		require.NoError(c, err)
		r, err := parseReading(out)
		require.NoError(c, err)
		require.InDelta(c, 1000, r["requests"], 100)
		// Of 1,000 messages about 80 have waited, the last percent of all for
		// nearly the whole pause.
		require.Greater(c, r["p99_us"], 0.8*float64(pause.Microseconds()))
		require.Less(c, r["p50_us"], 0.5*float64(pause.Microseconds()))
	})
}

// pausingServer echoes on one connection, and stops once for the length of pause.
func pausingServer(t *testing.T, pause time.Duration) net.Listener {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	require.NoError(t, err)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		pauseAt := time.Now().Add(400 * time.Millisecond) // after the warm-up
		buf := make([]byte, 4096)
		for {
			n, err := conn.Read(buf)
			if err != nil {
				return
			}
			if !pauseAt.IsZero() && time.Now().After(pauseAt) {
				time.Sleep(pause)
				pauseAt = time.Time{}
			}
			if _, err := conn.Write(buf[:n]); err != nil {
				return
			}
		}
	}()
	return l
}

func TestServerThatDoesNotStart(t *testing.T) {
	cpu, err := usableCPU(-1)
	require.NoError(t, err)
	args := func(string) []string { return []string{"-c", "echo the reason >&2; exit 3"} }
	_, err = server{bin: "/bin/sh", args: args}.start(t.Context(), cpu)
	require.ErrorContains(t, err, "the reason")
}

// C's server, as it comes, hangs up on the 1,025th.
func TestEchoOfManyConnections(t *testing.T) {
	const connections = 2000
	b := buildAnEchoBench(t)
	var files syscall.Rlimit
	require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files))
	if files.Cur < connections+100 {
		t.Skipf("%d connections need as many files, and the limit is %d", connections, files.Cur)
	}
	for _, p := range b.programs(connections)[:2] {
		onSomeTry(t, func(c *assert.CollectT) {
			r, err := p.run(t.Context())
			require.NoError(c, err, p.name)
			require.Positive(c, r["requests_per_second"], p.name)
		})
	}
}

func TestExampleWithUnknownMacro(t *testing.T) {
	b := buildAnEchoBench(t)
	_, err := b.exampleWith("echo-server.c", "NO_SUCH", 1)
	require.ErrorContains(t, err, "echo-server.c defines no number NO_SUCH")
}

// A client that fails may have the server to thank for it.
func TestEchoTellsWhatTheServerSays(t *testing.T) {
	b := buildAnEchoBench(t)
	full := b.servers[1]
	full.args = func(port string) []string {
		return []string{"-addr", net.JoinHostPort("127.0.0.1", port), "-connections", "2"}
	}
	_, err := b.run(t.Context(), full, 8, nil)
	require.ErrorContains(t, err, "the client: ")
	require.ErrorContains(t, err, "(the server: echo-server: accept: too many open files in system: no place is free in the ring's")
}

func TestServerSaysWhatItAllocates(t *testing.T) {
	r := &runningServer{mallocs: make(chan float64, 2)}
	r.listen(strings.NewReader("listening\nmallocs=100\nmallocs=x\nmallocs=350\n"))
	n, err := r.allocated()
	require.NoError(t, err)
	require.Equal(t, 250.0, n)

	_, err = r.allocated()
	require.ErrorContains(t, err, "does not say")
}
