package main

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-liburing/liburing/bench/models/internal/hello"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestEveryAnswerIsCounted has some try succeed: a busy machine may be too slow for clients now
// and then, or answer nothing in the warm-up.
func TestEveryAnswerIsCounted(t *testing.T) {
	for _, keepAlive := range []bool{false, true} {
		require.EventuallyWithT(t, func(c *assert.CollectT) { countAnswers(t, c, keepAlive) }, time.Minute, time.Millisecond)
	}
}

func countAnswers(t *testing.T, c *assert.CollectT, keepAlive bool) {
	var answers atomic.Int64
	server := serve(t, func(conn net.Conn) {
		in := bufio.NewReader(conn)
		for {
			request, err := http.ReadRequest(in)
			if err != nil {
				return
			}
			answers.Add(1)
			if request.ProtoMinor == 0 {
				io.WriteString(conn, hello.LastAnswer)
				return
			}
			io.WriteString(conn, hello.Answer)
		}
	})
	const clients = 100
	r, err := measure(options{server: server, clients: clients, time: 300 * time.Millisecond, keepAlive: keepAlive})
	require.NoError(c, err)
	require.NoError(c, r.why)
	require.Zero(c, r.failures)
	require.Zero(c, r.unserved)
	require.Positive(c, r.answers)
	require.Greater(c, r.total, r.answers, "some were in the warm-up")
	// What was on its way in the end is not the clients' any more.
	require.InDelta(c, answers.Load(), r.total, clients)
}

// TestWhatGoesWrongIsAFailure has servers that don't do what they should.
func TestWhatGoesWrongIsAFailure(t *testing.T) {
	for _, test := range []struct {
		name, why string
		keepAlive bool
		answer    func(net.Conn)
	}{
		{name: "another answer", why: "should be", answer: func(conn net.Conn) {
			io.WriteString(conn, "HTTP/1.1 500 Internal Server Error\r\n\r\n")
		}},
		{name: "half an answer", why: "before the answer's end", answer: func(conn net.Conn) {
			io.WriteString(conn, hello.LastAnswer[:20])
		}},
		{name: "no answer", why: "before the answer's end", answer: func(net.Conn) {}},
		{name: "the wrong answer for more requests", why: "should be", keepAlive: true, answer: func(conn net.Conn) {
			io.WriteString(conn, hello.LastAnswer)
		}},
		{name: "too much of an answer", why: "should be", answer: func(conn net.Conn) {
			io.WriteString(conn, hello.LastAnswer+"x")
		}},
		{name: "silence", why: "no answer within", answer: func(conn net.Conn) {
			time.Sleep(2 * patience)
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			server := serve(t, func(conn net.Conn) {
				if _, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
					test.answer(conn)
				}
			})
			r, err := measure(options{server: server, clients: 5, time: patience + 10*tick, keepAlive: test.keepAlive})
			require.NoError(t, err)
			require.ErrorContains(t, r.why, test.why)
			require.Positive(t, r.failures)
			require.Zero(t, r.answers)
			require.Equal(t, 5, r.unserved)
		})
	}
}

func TestNobodyThere(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	require.NoError(t, err)
	l.Close()
	r, err := measure(options{server: address(l), clients: 3, time: 100 * time.Millisecond})
	require.NoError(t, err)
	require.ErrorContains(t, r.why, "connection refused")
	require.Equal(t, 3, r.unserved)
}

func TestResultForTheRunner(t *testing.T) {
	r := result{counts: counts{answers: 300, failures: 2}, took: 2 * time.Second, total: 400, unserved: 1}
	require.Equal(t, "requests_per_second=150.0 requests=300 failures=2 unserved_clients=1 total_requests=400", r.String())
}

// serve has a server that handles each connection and closes it, until the test
// ends.
func serve(t *testing.T, handle func(net.Conn)) netip.AddrPort {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				handle(conn)
			}()
		}
	}()
	return address(l)
}

func address(l net.Listener) netip.AddrPort { return l.Addr().(*net.TCPAddr).AddrPort() }
