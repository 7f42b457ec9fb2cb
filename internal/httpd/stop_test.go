//go:build linux

package httpd

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-liburing/liburing"
	"github.com/go-liburing/liburing/internal/ringtest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// TestStopFinishes stops the server in the middle of an answer.
func TestStopFinishes(t *testing.T) {
	s := newSite(t, Options{Timeout: patience, Grace: patience})
	s.writeLarge("large")
	s.write("a", "text")
	idle, begun, busy := s.dial(), s.dial(), s.dial()
	idle.get("/a", "")
	begun.get("/a", "")
	begun.write("GET /a HT")
	busy.write("GET /large HTTP/1.1\r\nHost: x\r\n\r\nGET /a HTTP/1.1\r\nHost: x\r\n\r\n")
	r, err := http.ReadResponse(busy.in, nil)
	require.NoError(t, err)
	time.Sleep(100 * time.Millisecond) // until the sockets are full and a send waits

	s.stop()
	idle.requireClosed()
	begun.requireClosed()
	require.Eventually(t, func() bool {
		c, err := net.Dial("tcp", s.addr)
		if err == nil {
			c.Close()
		}
		return err != nil
	}, patience, 10*time.Millisecond, "nobody is let in any more")
	n, err := io.Copy(io.Discard, r.Body)
	require.NoError(t, err)
	assert.Equal(t, int64(large), n)
	busy.requireClosed()
	busy.Close()
	assert.NoError(t, s.ended(patience))
	e := s.logged(func(e Entry) bool { return e.Target == "/large" })
	assert.NoError(t, e.Err)
}

func TestGraceEnds(t *testing.T) {
	s := newSite(t, Options{Grace: shortTimeout})
	s.writeLarge("large")
	for range 3 {
		c := s.dial()
		c.write("GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
		_, err := c.in.ReadByte()
		require.NoError(t, err)
	}
	began := time.Now()
	s.stop()
	assert.NoError(t, s.ended(patience))
	assert.GreaterOrEqual(t, time.Since(began), shortTimeout)
	assert.ErrorIs(t, s.logged(func(e Entry) bool { return e.Target == "/large" }).Err, errLate)
}

// TestGraceEndsForAnybody stops the server while clients take all that they get.
func TestGraceEndsForAnybody(t *testing.T) {
	s := newSite(t, Options{Grace: 20 * time.Millisecond})
	s.write("huge", "")
	require.NoError(t, os.Truncate(filepath.Join(s.dir, "huge"), 1<<40))
	c := s.dial()
	c.write("GET /huge HTTP/1.1\r\nHost: x\r\n\r\n")
	go io.Copy(io.Discard, c)
	time.Sleep(50 * time.Millisecond)
	s.stop()
	assert.NoError(t, s.ended(patience))
}

func TestListenErrors(t *testing.T) {
	s := newSite(t, Options{})
	s.write("file", "")
	for _, bad := range []struct {
		addr, dir string
		want      error
	}{
		{"127.0.0.1:0", filepath.Join(s.dir, "none"), unix.ENOENT},
		{"127.0.0.1:0", filepath.Join(s.dir, "file"), unix.ENOTDIR},
		{s.addr, s.dir, unix.EADDRINUSE},
	} {
		_, err := Listen(bad.addr, bad.dir, Options{})
		assert.ErrorIs(t, err, bad.want)
	}
	_, err := Listen("nonsense", s.dir, Options{})
	assert.ErrorContains(t, err, "nonsense")
}

func TestStopWithoutClients(t *testing.T) {
	ringtest.NeedsFeatures(t, liburing.BufRings)
	server, err := Listen("localhost:0", t.TempDir(), Options{})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	began := time.Now()
	assert.NoError(t, server.Serve(ctx))
	assert.Less(t, time.Since(began), time.Second)
}
