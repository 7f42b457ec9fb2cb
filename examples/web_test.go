//go:build linux

package examples_test

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptrace"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// website is a webserver that runs, and its folder.
type website struct {
	*server
	dir  string
	host string
}

// startWeb starts the example with a folder that has a small file, small.txt.
func startWeb(t *testing.T, flags ...string) website {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "small.txt"), []byte("small\n"), 0o644))
	args := append([]string{"-addr", "127.0.0.1:0"}, flags...)
	s := start(t, "webserver", append(args, dir)...)
	return website{s, dir, strings.TrimPrefix(s.addr, "http://")}
}

const bigSize = 100_000_000

// writeBig puts a big file of random bytes into the folder and returns its sum.
func (w website) writeBig(t *testing.T) (sum [sha256.Size]byte) {
	t.Helper()
	content := make([]byte, bigSize)
	rand.NewChaCha8([32]byte{1}).Read(content)
	require.NoError(t, os.WriteFile(filepath.Join(w.dir, "big.bin"), content, 0o644))
	return sha256.Sum256(content)
}

// writeHoles puts a file into the folder that no socket's buffers can hold.
func (w website) writeHoles(t *testing.T) {
	t.Helper()
	name := filepath.Join(w.dir, "holes")
	require.NoError(t, os.WriteFile(name, nil, 0o644))
	require.NoError(t, os.Truncate(name, bigSize))
}

// ask sends a head over a connection and returns the answer, whose body is still
// to be read.
func ask(t *testing.T, c net.Conn, head string) *http.Response {
	t.Helper()
	_, err := io.WriteString(c, head)
	require.NoError(t, err)
	r, err := http.ReadResponse(bufio.NewReader(c), nil)
	require.NoError(t, err)
	return r
}

const askSmall = "GET /small.txt HTTP/1.1\r\nHost: x\r\n\r\n"

// requireServes checks that the server is well.
func (w website) requireServes(t *testing.T) {
	t.Helper()
	body, err := io.ReadAll(ask(t, dial(t, "tcp", w.host), "GET /small.txt HTTP/1.0\r\n\r\n").Body)
	require.NoError(t, err)
	require.Equal(t, "small\n", string(body))
}

// fetched is what a client has got from an address.
type fetched struct {
	status int
	sum    [sha256.Size]byte
	reused bool // the connection of the address before
}

// fetcher gets addresses, one after the other.
type fetcher func(t *testing.T, method string, urls ...string) []fetched

func TestWebserver(t *testing.T) {
	w := startWeb(t)
	before := w.descriptors(t)
	big, small, nothing := w.writeBig(t), sha256.Sum256([]byte("small\n")), sha256.Sum256(nil)
	url := func(name string) string { return w.addr + "/" + name }
	for name, fetch := range map[string]fetcher{"curl": fetchCurl, "net/http": fetchGo} {
		t.Run(name, func(t *testing.T) {
			got := fetch(t, "GET", url("small.txt"), url("small.txt"), url("big.bin"), url("none"))
			require.Equal(t, []fetched{
				{200, small, false}, {200, small, true}, {200, big, true},
				{404, sha256.Sum256([]byte("404 Not Found\n")), true},
			}, got)
			got = fetch(t, "HEAD", url("big.bin"), url("none"))
			require.Equal(t, []fetched{{200, nothing, false}, {404, nothing, true}}, got)
		})
	}
	w.requireNoLeak(t, before)
	require.Empty(t, w.stop(t, syscall.SIGTERM).stderr)
}

// fetchCurl has curl do it.
func fetchCurl(t *testing.T, method string, urls ...string) (all []fetched) {
	curl, err := exec.LookPath("curl")
	if err != nil {
		t.Skipf("there is no curl to try: %v", err)
	}
	dir := t.TempDir()
	args := []string{"-s", "-w", "%{http_code} %{num_connects}\n"}
	if method == "HEAD" {
		args = append(args, "--head")
	}
	file := func(i int) string { return filepath.Join(dir, fmt.Sprint(i)) }
	for i, url := range urls {
		args = append(args, "-o", file(i), url)
	}
	lines := strings.NewReader(succeed(t, curl, args...))
	for i := range urls {
		var f fetched
		var connects int
		_, err := fmt.Fscan(lines, &f.status, &connects)
		require.NoError(t, err)
		f.reused = connects == 0
		content, err := os.ReadFile(file(i))
		require.NoError(t, err)
		if method == "HEAD" { // curl writes the head
			_, content, _ = bytes.Cut(content, []byte("\r\n\r\n"))
		}
		f.sum = sha256.Sum256(content)
		all = append(all, f)
	}
	return all
}

// fetchGo does it with Go's client.
func fetchGo(t *testing.T, method string, urls ...string) (all []fetched) {
	client := http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	for _, url := range urls {
		var f fetched
		trace := httptrace.ClientTrace{GotConn: func(c httptrace.GotConnInfo) { f.reused = c.Reused }}
		r, err := http.NewRequestWithContext(httptrace.WithClientTrace(t.Context(), &trace), method, url, nil)
		require.NoError(t, err)
		got, err := client.Do(r)
		require.NoError(t, err)
		sum := sha256.New()
		_, err = io.Copy(sum, got.Body)
		require.NoError(t, err)
		got.Body.Close()
		f.status = got.StatusCode
		sum.Sum(f.sum[:0])
		all = append(all, f)
	}
	return all
}

func TestWebserverKeepsToItsFolder(t *testing.T) {
	w := startWeb(t)
	secret := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(secret, []byte("SECRET"), 0o644))
	require.NoError(t, os.Symlink(secret, filepath.Join(w.dir, "link")))
	up, err := filepath.Rel(w.dir, secret)
	require.NoError(t, err)
	for path, status := range map[string]int{
		"/" + up: 403, "/" + strings.ReplaceAll(up, "..", "%2e%2e"): 403, "/" + strings.ReplaceAll(up, "/", "%2f"): 403,
		"/link": 403, "/" + secret: 404, up: 400, secret: 404,
	} {
		r := ask(t, dial(t, "tcp", w.host), "GET "+path+" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
		assert.Equal(t, status, r.StatusCode, path)
		body, err := io.ReadAll(r.Body)
		assert.NoError(t, err)
		assert.NotContains(t, string(body), "SECRET", path)
	}
}

func TestWebserverSlowClients(t *testing.T) {
	w := startWeb(t, "-timeout", "1s")
	before := w.descriptors(t)
	never := dial(t, "tcp", w.host)
	_, err := io.WriteString(never, strings.TrimSuffix(askSmall, "\r\n"))
	require.NoError(t, err)
	slow := dial(t, "tcp", w.host)
	for _, b := range []byte(askSmall[:len(askSmall)-1]) {
		_, err := slow.Write([]byte{b})
		require.NoError(t, err)
		time.Sleep(time.Millisecond)
	}
	body, err := io.ReadAll(ask(t, slow, "\n").Body)
	require.NoError(t, err)
	require.Equal(t, "small\n", string(body))
	r, err := http.ReadResponse(bufio.NewReader(never), nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusRequestTimeout, r.StatusCode)
	require.NoError(t, never.Close())
	w.requireNoLeak(t, before)
}

// clients has n clients at once get the small file, each more than once.
func (w website) clients(t *testing.T, n int, statuses ...int) {
	t.Helper()
	var all []func() error
	for range n {
		all = append(all, func() error { return w.client(statuses) })
	}
	atOnce(t, all...)
}

func (w website) client(statuses []int) error {
	c, err := net.Dial("tcp", w.host)
	if err != nil {
		return err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(runFor / 3))
	in := bufio.NewReader(c)
	for range 5 {
		if _, err := io.WriteString(c, askSmall); err != nil {
			return err
		}
		r, err := http.ReadResponse(in, nil)
		if err != nil {
			return err
		}
		body, err := io.ReadAll(r.Body)
		switch {
		case err != nil:
			return err
		case r.StatusCode == 200 && string(body) != "small\n":
			return fmt.Errorf("the answer is %q", body)
		case !slices.Contains(statuses, r.StatusCode):
			return errors.New(r.Status)
		}
	}
	return nil
}

func TestWebserverManyClients(t *testing.T) {
	w := startWeb(t, "-max", "64")
	before := w.descriptors(t)
	w.clients(t, 200, http.StatusOK)
	w.requireNoLeak(t, before)
}

// TestWebserverShortOfDescriptors has more clients than the server may have files
// open. They have to wait, or are told so; the server must not end.
func TestWebserverShortOfDescriptors(t *testing.T) {
	w := startWeb(t)
	before := w.descriptors(t)
	few := uint64(before + 6)
	require.NoError(t, unix.Prlimit(w.cmd.Process.Pid, unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: few, Max: few}, nil))
	w.clients(t, 50, http.StatusOK, http.StatusServiceUnavailable)
	w.requireServes(t)
	w.requireNoLeak(t, before)
	require.Contains(t, w.stop(t, syscall.SIGTERM).stderr, "too many open files")
}

func TestWebserverResets(t *testing.T) {
	w := startWeb(t)
	w.writeHoles(t)
	before := w.descriptors(t)
	for range 20 {
		c := dial(t, "tcp", w.host)
		r := ask(t, c, "GET /holes HTTP/1.1\r\nHost: x\r\n\r\n")
		_, err := io.CopyN(io.Discard, r.Body, 1<<20)
		require.NoError(t, err)
		abort(t, c)
	}
	w.requireServes(t)
	w.requireNoLeak(t, before)
	require.Empty(t, w.stop(t, syscall.SIGTERM).stderr)
}

// TestWebserverFinishes interrupts the server in the middle of an answer.
func TestWebserverFinishes(t *testing.T) {
	w := startWeb(t)
	w.writeHoles(t)
	idle := dial(t, "tcp", w.host)
	busy := dial(t, "tcp", w.host)
	r := ask(t, busy, "GET /holes HTTP/1.1\r\nHost: x\r\n\r\n")
	time.Sleep(100 * time.Millisecond) // until the sockets are full and a send waits
	require.NoError(t, w.cmd.Process.Signal(os.Interrupt))
	_, err := idle.Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF)
	n, err := io.Copy(io.Discard, r.Body)
	require.NoError(t, err)
	require.EqualValues(t, bigSize, n)
	require.NoError(t, busy.Close())
	require.Empty(t, w.wait(t).stderr)
}

// TestWebserverSecondInterrupt has a client that keeps the server from ending.
func TestWebserverSecondInterrupt(t *testing.T) {
	w := startWeb(t)
	w.writeHoles(t)
	idle := dial(t, "tcp", w.host)
	ask(t, dial(t, "tcp", w.host), "GET /holes HTTP/1.1\r\nHost: x\r\n\r\n")
	require.NoError(t, w.cmd.Process.Signal(os.Interrupt))
	_, err := idle.Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF)
	require.Eventually(t, func() bool { // the first must have been taken note of
		assert.NoError(t, w.cmd.Process.Signal(os.Interrupt))
		return len(w.stdout) > 0
	}, 5*time.Second, 20*time.Millisecond)
	require.ErrorContains(t, w.cmd.Wait(), "interrupt")
}

// buildUring has program find the command uring, which is no example.
func buildUring(t *testing.T) string {
	t.Helper()
	path := filepath.Join(bin, "uring")
	require.NoError(t, buildOnce("uring", func() error {
		return command("go", "build", "-o", path, "../cmd/uring")
	}))
	return path
}

func TestUringServe(t *testing.T) {
	buildUring(t)
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "small.txt"), []byte("small\n"), 0o644))
	s := start(t, "uring", "serve", "-v", "-addr", "127.0.0.1:0", dir)
	w := website{s, dir, strings.TrimPrefix(s.addr, "http://")}
	w.requireServes(t)
	require.Contains(t, w.stop(t, os.Interrupt).stdout, `"GET /small.txt" 200 `)
}

func TestWebArguments(t *testing.T) {
	webserver, uring := program(t, "webserver"), buildUring(t)
	dir := t.TempDir()
	for _, bad := range [][]string{
		{}, {dir, dir}, {"-max", "0", dir}, {"-timeout", "0s", dir}, {"-timeout", "soon", dir}, {"-none", dir},
	} {
		for _, got := range []outcome{run(t, webserver, bad...), run(t, uring, append([]string{"serve"}, bad...)...)} {
			assert.Equal(t, 2, got.code, "%q", bad)
			assert.Contains(t, got.stderr, "usage:", "%q", bad)
			assert.Empty(t, got.stdout, "%q", bad)
		}
	}
	assert.Contains(t, run(t, webserver).stderr, "webserver: name one folder\n")
	for _, failing := range [][]string{
		{filepath.Join(dir, "none")}, {"-addr", "nowhere", dir}, {"-addr", listen(t).Addr().String(), dir},
	} {
		got := run(t, webserver, failing...)
		assert.Equal(t, 1, got.code, "%q", failing)
		assert.Regexp(t, "^webserver: .*\n$", got.stderr, "%q", failing)
		got = run(t, uring, append([]string{"serve"}, failing...)...)
		assert.Equal(t, 1, got.code, "%q", failing)
		assert.Regexp(t, "^uring serve: .*\n$", got.stderr, "%q", failing)
	}
	assert.Zero(t, run(t, webserver, "-h").code)
	assert.Contains(t, succeed(t, uring, "serve", "-h"), "usage: uring serve ")
}
