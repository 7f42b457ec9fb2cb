//go:build linux

package httpd

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/stretchr/testify/require"
)

func TestMain(m *testing.M) { ringtest.Main(m) }

// patience is how long something may take that must happen.
const patience = time.Minute

// site is a server of a folder that runs during a test.
type site struct {
	t      *testing.T
	dir    string
	addr   string
	server *Server
	stop   context.CancelFunc
	done   chan error // what Serve returned

	mu      sync.Mutex
	entries []Entry
	errors  []error
}

// newSite serves a new folder until the test ends.
func newSite(t *testing.T, o Options) *site {
	ringtest.NeedsFeatures(t, liburing.BufRings)
	s := &site{t: t, dir: t.TempDir(), done: make(chan error, 1)}
	o.Log = func(e Entry) { s.locked(func() { s.entries = append(s.entries, e) }) }
	o.Errors = func(err error) { s.locked(func() { s.errors = append(s.errors, err) }) }
	server, err := Listen("127.0.0.1:0", s.dir, o)
	require.NoError(t, err)
	s.server, s.addr = server, server.Addr().String()
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	go func() { s.done <- server.Serve(ctx) }()
	t.Cleanup(func() {
		stop()
		require.NoError(t, s.ended(patience))
	})
	return s
}

func (s *site) locked(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

// ended waits for Serve to return. It may be called again.
func (s *site) ended(within time.Duration) error {
	select {
	case err := <-s.done:
		s.done <- err
		return err
	case <-time.After(within):
		return fmt.Errorf("the server has not stopped after %v", within)
	}
}

// logged waits for an entry of the log and returns it.
func (s *site) logged(is func(Entry) bool) (found Entry) {
	s.t.Helper()
	require.Eventually(s.t, func() (ok bool) {
		s.locked(func() {
			for _, e := range s.entries {
				if is(e) {
					found, ok = e, true
				}
			}
		})
		return ok
	}, patience, 5*time.Millisecond, "the log has no such entry")
	return found
}

// write puts a file into the folder.
func (s *site) write(name, content string) {
	s.t.Helper()
	path := filepath.Join(s.dir, name)
	require.NoError(s.t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(s.t, os.WriteFile(path, []byte(content), 0o644))
}

// large is the size of a file that no socket's buffers can hold.
const large = 64 << 20

// writeLarge puts a file into the folder that is all holes.
func (s *site) writeLarge(name string) {
	s.t.Helper()
	s.write(name, "")
	require.NoError(s.t, os.Truncate(filepath.Join(s.dir, name), large))
}

// client is a connection to a site.
type client struct {
	*net.TCPConn
	t  *testing.T
	in *bufio.Reader
}

// dial connects to the site until the test ends.
func (s *site) dial() *client {
	s.t.Helper()
	c, err := net.Dial("tcp", s.addr)
	require.NoError(s.t, err)
	s.t.Cleanup(func() { c.Close() })
	require.NoError(s.t, c.SetDeadline(time.Now().Add(patience)))
	return &client{c.(*net.TCPConn), s.t, bufio.NewReader(c)}
}

// write sends text as it is.
func (c *client) write(text string) {
	c.t.Helper()
	_, err := io.WriteString(c, text)
	require.NoError(c.t, err)
}

// reply is an answer, read to its end.
type reply struct {
	*http.Response
	body string
}

// read reads the next answer, to a request of the method.
func (c *client) read(method string) reply {
	c.t.Helper()
	r, err := http.ReadResponse(c.in, &http.Request{Method: method})
	require.NoError(c.t, err)
	body, err := io.ReadAll(r.Body)
	require.NoError(c.t, err)
	return reply{r, string(body)}
}

// get asks for a path, with more fields each ending in CRLF, and reads the answer.
func (c *client) get(path, fields string) reply {
	c.t.Helper()
	c.write("GET " + path + " HTTP/1.1\r\nHost: test\r\n" + fields + "\r\n")
	return c.read("GET")
}

// requireClosed fails the test unless the server closes and sends nothing more.
func (c *client) requireClosed() {
	c.t.Helper()
	rest, err := io.ReadAll(c.in)
	require.NoError(c.t, err)
	require.Empty(c.t, string(rest))
}

// get asks the site for a path over a connection of its own.
func (s *site) get(path, fields string) reply {
	s.t.Helper()
	c := s.dial()
	defer c.Close()
	return c.get(path, fields)
}
