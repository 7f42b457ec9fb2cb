//go:build linux

package httpd

import (
	"fmt"
	"html"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-liburing/liburing"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestFiles(t *testing.T) {
	s := newSite(t, Options{})
	s.write("index.html", "<h1>home</h1>")
	s.write("a.txt", "text")
	s.write("sub/index.html", "<h1>sub</h1>")
	s.write("with space/ä.css", "b{}")
	s.write("unknown", "\x89PNG\r\n\x1a\n...")
	s.write("empty", "")
	s.write("plain/file", "words")
	c := s.dial() // one connection for all
	for path, want := range map[string]struct {
		status     int
		kind, body string
	}{
		"/":                              {200, "text/html; charset=utf-8", "<h1>home</h1>"},
		"/index.html":                    {200, "text/html; charset=utf-8", "<h1>home</h1>"},
		"/?query":                        {200, "text/html; charset=utf-8", "<h1>home</h1>"},
		"http://elsewhere/a.txt":         {200, plainText, "text"},
		"//a.txt":                        {200, plainText, "text"},
		"/sub/":                          {200, "text/html; charset=utf-8", "<h1>sub</h1>"},
		"/sub/../a.txt":                  {200, plainText, "text"},
		"/with%20space/%c3%a4.css":       {200, "text/css; charset=utf-8", "b{}"},
		"/unknown":                       {200, "image/png", "\x89PNG\r\n\x1a\n..."},
		"/empty":                         {200, plainText, ""},
		"/sub":                           {301, plainText, "301 Moved Permanently\n"},
		"/none":                          {404, plainText, "404 Not Found\n"},
		"/none/":                         {404, plainText, "404 Not Found\n"},
		"/a.txt/":                        {404, plainText, "404 Not Found\n"},
		"/a.txt/b":                       {404, plainText, "404 Not Found\n"},
		"/" + strings.Repeat("n", 300):   {404, plainText, "404 Not Found\n"},
		"/" + strings.Repeat("n/", 3000): {404, plainText, "404 Not Found\n"},
	} {
		got := c.get(path, "")
		assert.Equal(t, want.status, got.StatusCode, path)
		assert.Equal(t, want.body, got.body, path)
		assert.Equal(t, want.kind, got.Header.Get("Content-Type"), path)
		assert.Equal(t, int64(len(want.body)), got.ContentLength, path)
		date, err := http.ParseTime(got.Header.Get("Date"))
		assert.NoError(t, err)
		assert.WithinDuration(t, time.Now(), date, time.Minute)
	}
	assert.Equal(t, "sub/?a=b", c.get("/sub?a=b", "").Header.Get("Location"))
	assert.Equal(t, "sub/", c.get("//sub", "").Header.Get("Location"), "it must not name a host")
}

func TestHeadHasNoBody(t *testing.T) {
	s := newSite(t, Options{})
	s.write("a.txt", "text")
	s.write("unknown", "words")
	c := s.dial()
	for path, want := range map[string]struct {
		status int
		length int64
	}{"/a.txt": {200, 4}, "/unknown": {200, 5}, "/none": {404, 14}} {
		c.write("HEAD " + path + " HTTP/1.1\r\nHost: x\r\nRange: bytes=1-2\r\n\r\n")
		got := c.read("HEAD")
		assert.Equal(t, want.status, got.StatusCode, path)
		assert.Equal(t, want.length, got.ContentLength, path)
		assert.Empty(t, got.body)
	}
	assert.Equal(t, "text", c.get("/a.txt", "").body, "nothing was left over")
}

func TestFolderIsListed(t *testing.T) {
	s := newSite(t, Options{})
	names := []string{"a:b", "b<c>&\"", "c d", "d%41", "e?f#g", "f"}
	for _, name := range names {
		s.write("list/"+name, "this is "+name)
	}
	s.write("list/sub/x", "")
	require.NoError(t, os.Mkdir(filepath.Join(s.dir, "empty"), 0o755))
	page := s.get("/list/", "")
	assert.Equal(t, "text/html; charset=utf-8", page.Header.Get("Content-Type"))
	links := strings.Split(page.body, `href="`)[1:]
	require.Len(t, links, len(names)+1)
	for i, name := range append(names, "sub/") {
		link, _, _ := strings.Cut(links[i], `"`)
		if name != "sub/" {
			assert.Equal(t, "this is "+name, s.get("/list/"+strings.TrimPrefix(html.UnescapeString(link), "./"), "").body)
		} else {
			assert.Equal(t, name, link)
		}
	}
	assert.Equal(t, 200, s.get("/empty/", "").StatusCode)
}

func TestConditions(t *testing.T) {
	s := newSite(t, Options{})
	s.write("a.txt", "0123456789")
	changed := time.Date(2020, 2, 3, 4, 5, 6, 700, time.UTC)
	require.NoError(t, os.Chtimes(filepath.Join(s.dir, "a.txt"), changed, changed))
	const same, before, after = "Mon, 03 Feb 2020 04:05:06 GMT", "Mon, 03 Feb 2020 04:05:05 GMT", "Mon, 03 Feb 2020 04:05:07 GMT"
	c := s.dial()
	for fields, want := range map[string]struct {
		status int
		body   string
	}{
		"If-Modified-Since: " + same + "\r\n":                         {304, ""},
		"If-Modified-Since: " + after + "\r\n":                        {304, ""},
		"If-Modified-Since: " + before + "\r\n":                       {200, "0123456789"},
		"If-Modified-Since: yesterday\r\n":                            {200, "0123456789"},
		"If-Modified-Since: " + same + "\r\nIf-None-Match: \"a\"\r\n": {200, "0123456789"},
		"Range: bytes=2-4\r\n":                                        {206, "234"},
		"Range: bytes=-3\r\n":                                         {206, "789"},
		"Range: bytes=10-\r\n":                                        {416, "416 Requested Range Not Satisfiable\n"},
		"Range: bytes=2-4\r\nIf-Range: " + same + "\r\n":              {206, "234"},
		"Range: bytes=2-4\r\nIf-Range: " + before + "\r\n":            {200, "0123456789"},
		"Range: bytes=2-4\r\nIf-Range: \"a\"\r\n":                     {200, "0123456789"},
		"Range: bytes=2-4\r\nIf-Modified-Since: " + same + "\r\n":     {304, ""},
	} {
		got := c.get("/a.txt", fields)
		assert.Equal(t, want.status, got.StatusCode, fields)
		assert.Equal(t, want.body, got.body, fields)
		if want.status != 416 {
			assert.Equal(t, same, got.Header.Get("Last-Modified"), fields)
		}
	}
	assert.Equal(t, "bytes 2-4/10", c.get("/a.txt", "Range: bytes=2-4\r\n").Header.Get("Content-Range"))
	assert.Equal(t, "bytes */10", c.get("/a.txt", "Range: bytes=10-\r\n").Header.Get("Content-Range"))
}

// TestLargeRange reads a part that begins and ends within blocks.
func TestLargeRange(t *testing.T) {
	s := newSite(t, Options{})
	var content strings.Builder
	for i := range 100_000 {
		fmt.Fprintf(&content, "%08d\n", i)
	}
	whole := content.String()
	s.write("numbers", whole)
	c := s.dial()
	assert.Equal(t, whole, c.get("/numbers", "").body)
	from, to := blockSize-5, 3*blockSize+7
	assert.Equal(t, whole[from:to+1], c.get("/numbers", fmt.Sprintf("Range: bytes=%d-%d\r\n", from, to)).body)
}

func TestNothingOutsideIsServed(t *testing.T) {
	s := newSite(t, Options{})
	outside := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(outside, "secret"), []byte("SECRET"), 0o644))
	s.write("index.html", "home")
	s.write("sub/file", "inside")
	up, err := filepath.Rel(s.dir, filepath.Join(outside, "secret"))
	require.NoError(t, err)
	link := func(name, to string) { require.NoError(t, os.Symlink(to, filepath.Join(s.dir, name))) }
	link("absolute", filepath.Join(outside, "secret"))
	link("relative", up)
	link("folder", outside)
	link("process", "/proc/self")
	link("sub/inside", "../index.html")
	link("circle", "circle")
	for _, path := range []string{
		"/" + up, "/" + strings.ReplaceAll(up, "..", "%2e%2e"), "/" + strings.ReplaceAll(up, "../", "%2E%2e%2f"),
		"/sub/../" + up, "/..", "/../", "/%2e%2e", "/sub/../../", "http://x/" + up,
		"/absolute", "/relative", "/folder", "/folder/", "/folder/secret", "/process/root/etc/passwd",
	} {
		got := s.get(path, "")
		assert.Equal(t, http.StatusForbidden, got.StatusCode, path)
		assert.NotContains(t, got.body, "SECRET", path)
	}
	assert.Equal(t, "home", s.get("/sub/inside", "").body, "a link within is followed")
	assert.Equal(t, http.StatusNotFound, s.get("/circle", "").StatusCode)
	assert.Equal(t, http.StatusNotFound, s.get("/"+filepath.Join(outside, "secret"), "").StatusCode, "a path begins at the root")
}

func TestOnlyFilesAreServed(t *testing.T) {
	s := newSite(t, Options{})
	require.NoError(t, unix.Mkfifo(filepath.Join(s.dir, "pipe"), 0o644))
	require.NoError(t, os.MkdirAll(filepath.Join(s.dir, "odd/index.html"), 0o755))
	for _, path := range []string{"/pipe", "/odd/"} {
		assert.Equal(t, http.StatusForbidden, s.get(path, "").StatusCode, path)
	}
}

func TestStatusOf(t *testing.T) {
	for errno, want := range map[error]int{
		unix.ENOENT: 404, unix.ENOTDIR: 404, unix.ELOOP: 404,
		unix.EACCES: 403, unix.EPERM: 403, unix.EXDEV: 403,
		unix.EMFILE: 503, unix.EIO: 500,
	} {
		assert.Equal(t, want, statusOf(fmt.Errorf("open: %w", errno)), errno)
	}
}

func TestFileThatShrinks(t *testing.T) {
	s := newSite(t, Options{})
	s.writeLarge("shrinks")
	c := s.dial()
	c.write("GET /shrinks HTTP/1.1\r\nHost: x\r\n\r\n")
	r, err := http.ReadResponse(c.in, nil)
	require.NoError(t, err)
	require.NoError(t, os.Truncate(filepath.Join(s.dir, "shrinks"), 1000))
	n, err := r.Body.Read(make([]byte, 10))
	require.NoError(t, err)
	require.NotZero(t, n)
	_, err = c.in.WriteTo(discard{})
	assert.NoError(t, err, "it ends")
	assert.ErrorContains(t, s.logged(func(e Entry) bool { return e.Err != nil }).Err, "EOF")
	s.locked(func() { assert.Len(t, s.errors, 1, "that is the server's trouble") })
	assert.Equal(t, 200, s.get("/shrinks", "").StatusCode)
}

// discard takes what is of no interest.
type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

// TestUnreadable has the server lose the right to read any file, which root has.
func TestUnreadable(t *testing.T) {
	s := newSite(t, Options{})
	s.write("closed", "SECRET")
	s.write("folder/file", "SECRET")
	s.write("open", "text")
	require.NoError(t, s.server.loop.Control(dropRights))
	for _, name := range []string{"closed", "folder"} {
		require.NoError(t, os.Chmod(filepath.Join(s.dir, name), 0))
	}
	for _, path := range []string{"/closed", "/folder", "/folder/", "/folder/file"} {
		got := s.get(path, "")
		assert.Equal(t, http.StatusForbidden, got.StatusCode, path)
		assert.NotContains(t, got.body, "SECRET")
	}
	assert.Equal(t, "text", s.get("/open", "").body)
	require.NoError(t, os.Chmod(filepath.Join(s.dir, "folder"), 0o755))
}

// dropRights gives up all capabilities of the thread that calls it.
func dropRights(*liburing.Ring) error {
	var none [2]unix.CapUserData
	return unix.Capset(&unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, &none[0])
}
