//go:build linux

package httpd

import (
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestPipeline(t *testing.T) {
	s := newSite(t, Options{})
	s.write("a", "first")
	s.write("b", "second")
	c := s.dial()
	c.write("GET /a HTTP/1.1\r\nHost: x\r\n\r\nHEAD /a HTTP/1.1\r\nHost: x\r\n\r\n\r\nGET /none HTTP/1.1\r\nHost: x\r\n\r\nGET /b HTTP/1.1\r\nHo")
	assert.Equal(t, "first", c.read("GET").body)
	assert.Empty(t, c.read("HEAD").body)
	assert.Equal(t, 404, c.read("GET").StatusCode)
	c.write("st: x\r\n\r\n")
	assert.Equal(t, "second", c.read("GET").body)
}

// TestPipelineWithoutReading has a client ask on and on without reading. The
// server must stop to receive, not collect what it cannot answer.
func TestPipelineWithoutReading(t *testing.T) {
	s := newSite(t, Options{})
	s.write("a", strings.Repeat("answer ", 1000))
	c := s.dial()
	request := "GET /a HTTP/1.1\r\nHost: x\r\nPadding: " + strings.Repeat("x", 8<<10) + "\r\n\r\n"
	require.NoError(t, c.SetWriteDeadline(time.Now().Add(300*time.Millisecond)))
	sent, err := 0, error(nil)
	for err == nil {
		var n int
		n, err = io.WriteString(c, request)
		sent += n
	}
	require.ErrorContains(t, err, "timeout", "the client could send without an end")
	for range sent / len(request) {
		require.Len(t, c.read("GET").body, 7000)
	}
}

func TestPersistence(t *testing.T) {
	s := newSite(t, Options{})
	s.write("a", "text")
	for name, test := range map[string]struct {
		head, field string
		closes      bool
	}{
		"1.1":            {"GET /a HTTP/1.1\r\nHost: x\r\n\r\n", "", false},
		"1.1 close":      {"GET /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "close", true},
		"1.0":            {"GET /a HTTP/1.0\r\n\r\n", "close", true},
		"1.0 keep-alive": {"GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "keep-alive", false},
		"with a body":    {"GET /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", "close", true},
	} {
		c := s.dial()
		c.write(test.head)
		got := c.read("GET")
		assert.Equal(t, "text", got.body, name)
		connection := got.Header.Get("Connection")
		if got.Close { // package http takes the field away
			connection = "close"
		}
		assert.Equal(t, test.field, connection, name)
		if test.closes {
			c.requireClosed()
		} else {
			assert.Equal(t, "text", c.get("/a", "").body, name)
		}
	}
}

func TestBadRequests(t *testing.T) {
	s := newSite(t, Options{})
	s.write("a", "text")
	for request, status := range map[string]int{
		"hello\r\n\r\n":                                               400,
		"GET /a HTTP/1.1\r\n\r\n":                                     400,
		"GET /a HTTP/1.1\r\nHost: x\r\nbad\r\n\r\n":                   400,
		"GET /a HTTP/1.1\r\nHost: x\r\nContent-Length : 3\r\n\r\nabc": 400,
		"GET /a HTTP/1.1\r\nHost: x\r\nA b: 3\r\n\r\n":                400,
		"GET /a%zz HTTP/1.1\r\nHost: x\r\n\r\n":                       400,
		"GET /a%00b HTTP/1.0\r\n\r\n":                                 400,
		"GET /a HTTP/1.0\r\nContent-Length: x\r\n\r\n":                400,
		"GET /a HTTP/2.0\r\nHost: x\r\n\r\n":                          505,
		"\x16\x03\x01\x02\n\n":                                        400,
		"GET /" + strings.Repeat("a", 10<<10):                         414,
		"GET / HTTP/1.1\r\n" + strings.Repeat("A: b\r\n", 4<<10):      431,
		"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 33\r\n\r\nGET /a HTTP/1.1\r\nHost: body\r\n\r\n": 405,
		"PUT /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nGET /\r\n0\r\n\r\n":        405,
		"DELETE /a HTTP/1.0\r\n\r\n": 405,
	} {
		c := s.dial()
		c.write(request)
		got := c.read("GET")
		assert.Equal(t, status, got.StatusCode, request)
		assert.True(t, got.Close, request)
		if status == 405 {
			assert.Equal(t, "GET, HEAD", got.Header.Get("Allow"))
		}
		c.requireClosed()
	}
	c := s.dial()
	c.write("OPTIONS /a HTTP/1.1\r\nHost: x\r\n\r\n")
	assert.Equal(t, 405, c.read("OPTIONS").StatusCode)
	assert.Equal(t, "text", c.get("/a", "").body, "a request that was understood but for its method ends nothing")
}

// TestRefusalArrives has a client send much more than the server reads: the
// answer must not be lost in a reset.
func TestRefusalArrives(t *testing.T) {
	s := newSite(t, Options{})
	c := s.dial()
	go io.WriteString(c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 8000000\r\n\r\n"+strings.Repeat("x", 8_000_000))
	assert.Equal(t, 405, c.read("POST").StatusCode)
	c.requireClosed()
}

func TestByteByByte(t *testing.T) {
	s := newSite(t, Options{})
	s.write("a", "text")
	c := s.dial()
	for _, b := range []byte("GET /a HTTP/1.1\r\nHost: x\r\n\r\n") {
		c.write(string(b))
		time.Sleep(time.Millisecond)
	}
	assert.Equal(t, "text", c.read("GET").body)
}

// shortTimeout is no shorter than a busy machine may stop a client who means well.
const shortTimeout = time.Second

func TestIdleClientIsClosed(t *testing.T) {
	s := newSite(t, Options{Timeout: shortTimeout})
	s.write("a", "text")
	began := time.Now()
	silent, polite := s.dial(), s.dial()
	assert.Equal(t, "text", polite.get("/a", "").body)
	silent.requireClosed()
	polite.requireClosed()
	assert.GreaterOrEqual(t, time.Since(began), shortTimeout)
}

// TestSlowHead has clients that send now and then a byte: that is no reason to
// wait for ever.
func TestSlowHead(t *testing.T) {
	s := newSite(t, Options{Timeout: shortTimeout})
	s.write("a", "text")
	for _, begin := range []string{"", "GET /a HTTP/1.1\r\nHost: x\r\n\r\n"} {
		c := s.dial()
		c.write(begin + "GET / HTTP/1.1\r\n")
		if begin != "" {
			assert.Equal(t, "text", c.read("GET").body)
		}
		stop := make(chan struct{})
		var writer sync.WaitGroup
		writer.Go(func() {
			for {
				select {
				case <-stop:
					return
				case <-time.After(shortTimeout / 5):
					c.TCPConn.Write([]byte("A"))
				}
			}
		})
		assert.Equal(t, http.StatusRequestTimeout, c.read("GET").StatusCode)
		close(stop)
		writer.Wait()
		c.CloseWrite()
		c.requireClosed()
	}
}

func TestClientThatDoesNotRead(t *testing.T) {
	s := newSite(t, Options{Timeout: shortTimeout})
	s.writeLarge("large")
	c := s.dial()
	c.write("GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
	e := s.logged(func(e Entry) bool { return e.Err != nil })
	assert.ErrorIs(t, e.Err, errLate)
	assert.Less(t, e.Sent, int64(large))
}

// TestSlowReader takes a file slowly but steadily, for longer than the timeout. Where the
// machine was too busy for that it tries with a longer one.
func TestSlowReader(t *testing.T) {
	total, err := readSlowly(t, 600*time.Millisecond)
	for timeout := 2 * time.Second; err != nil && timeout < 20*time.Second; timeout *= 3 {
		total, err = readSlowly(t, timeout)
	}
	assert.NoError(t, err)
	assert.Equal(t, int64(large), total)
}

// readSlowly reads a large file, and rests in between until twice the timeout has passed.
func readSlowly(t *testing.T, timeout time.Duration) (total int64, err error) {
	s := newSite(t, Options{Timeout: timeout})
	s.writeLarge("large")
	c := s.dial()
	require.NoError(t, c.SetReadBuffer(64<<10))
	c.write("GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
	r, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return 0, err
	}
	for began := time.Now(); time.Since(began) < 2*timeout; {
		n, err := io.CopyN(io.Discard, r.Body, 512<<10)
		if total += n; err != nil {
			return total, err
		}
		time.Sleep(timeout / 40)
	}
	n, err := io.Copy(io.Discard, r.Body)
	return total + n, err
}

func TestClientThatResets(t *testing.T) {
	s := newSite(t, Options{})
	s.writeLarge("large")
	s.write("a", "text")
	for range 20 {
		c := s.dial()
		c.write("GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
		_, err := io.CopyN(io.Discard, c.in, 300_000)
		require.NoError(t, err)
		require.NoError(t, c.SetLinger(0))
		require.NoError(t, c.Close())
	}
	s.logged(func(e Entry) bool { return e.Err != nil })
	assert.Equal(t, "text", s.get("/a", "").body)
	s.locked(func() { assert.Empty(t, s.errors, "clients are to blame for that") })
}

func TestMostConnections(t *testing.T) {
	s := newSite(t, Options{MaxConns: 2})
	s.write("a", "text")
	first, second := s.dial(), s.dial()
	first.get("/a", "")
	second.get("/a", "")
	third := s.dial() // the kernel takes it, the server does not
	third.write("GET /a HTTP/1.1\r\nHost: x\r\n\r\n")
	require.NoError(t, third.SetReadDeadline(time.Now().Add(100*time.Millisecond)))
	_, err := third.in.Peek(1)
	require.ErrorContains(t, err, "timeout")
	require.NoError(t, third.SetReadDeadline(time.Now().Add(patience)))
	first.Close()
	assert.Equal(t, "text", third.read("GET").body)
	assert.Equal(t, "text", second.get("/a", "").body)
}

func TestManyClients(t *testing.T) {
	s := newSite(t, Options{MaxConns: 50})
	content := strings.Repeat("0123456789", 30_000)
	s.write("a", content)
	var clients sync.WaitGroup
	for range 200 {
		clients.Go(func() {
			c, err := net.Dial("tcp", s.addr)
			if !assert.NoError(t, err) {
				return
			}
			defer c.Close()
			c.SetDeadline(time.Now().Add(patience))
			io.WriteString(c, "GET /a HTTP/1.0\r\n\r\n")
			got, err := io.ReadAll(c)
			assert.NoError(t, err)
			assert.True(t, strings.HasSuffix(string(got), "\r\n\r\n"+content))
		})
	}
	clients.Wait()
	s.locked(func() { assert.Len(t, s.entries, 200) })
}

// TestMoreClientsThanBuffers has clients send at the same time that there are not
// buffers enough for.
func TestMoreClientsThanBuffers(t *testing.T) {
	s := newSite(t, Options{})
	s.write("a", "text")
	few, err := s.server.loop.NewBufGroup(1, receiveSize, 0)
	require.NoError(t, err)
	onLoop := func(f func()) { require.NoError(t, s.server.loop.Post(f)) }
	onLoop(func() { s.server.buffers = few })
	var clients []*client
	for range 50 {
		c := s.dial()
		c.get("/a", "")
		clients = append(clients, c)
	}
	goOn := make(chan struct{})
	onLoop(func() { <-goOn })
	for _, c := range clients {
		c.write("GET /a HTTP/1.1\r\nHost: x\r\n\r\n")
	}
	close(goOn)
	for _, c := range clients {
		require.Equal(t, "text", c.read("GET").body)
	}
}
