package httpd

import (
	"errors"
	"net/http"
	"net/url"
	"path"
	"strings"

	"github.com/go-liburing/liburing"
	"golang.org/x/sys/unix"
)

const indexName = "index.html"

// find looks for what the request is about: a file, or of a folder its index or
// else the list of what is in it.
func (c *conn) find() {
	name := strings.TrimLeft(c.request.URL.Path, "/")
	if !c.wantsFolder() {
		c.open(name, unix.O_NONBLOCK, c.opened)
		return
	}
	c.open(name+indexName, unix.O_NONBLOCK, func(done liburing.Completion) {
		if errors.Is(done.Err(), unix.ENOENT) {
			c.open("./"+name, unix.O_DIRECTORY, c.openedFolder)
			return
		}
		c.opened(done)
	})
}

// wantsFolder reports whether the request is for a folder, which is so if the
// path ends with a slash.
func (c *conn) wantsFolder() bool {
	p := c.request.URL.Path
	return p == "" || strings.HasSuffix(p, "/")
}

// open opens a file beneath the root. The kernel sees to it that nothing leads
// out of there, ".." and symbolic links neither, whatever others change
// meanwhile. O_NONBLOCK is for pipes, which would wait for a writer.
func (c *conn) open(name string, flags uint64, then liburing.Callback) {
	c.file.name = name
	how := &unix.OpenHow{
		Flags:   flags | unix.O_RDONLY | unix.O_CLOEXEC | unix.O_NOCTTY,
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_MAGICLINKS,
	}
	c.server.loop.Openat2(liburing.FD(c.server.root), name, how, then)
}

func (c *conn) opened(done liburing.Completion) {
	fd, err := done.Result()
	if err != nil {
		c.unavailable(err)
		return
	}
	c.file.fd = fd
	c.server.loop.Statx(fd, "", unix.AT_EMPTY_PATH, unix.STATX_TYPE|unix.STATX_SIZE|unix.STATX_MTIME, &c.file.stat, c.examined)
}

func (c *conn) examined(done liburing.Completion) {
	if err := done.Err(); err != nil {
		c.unavailable(err)
		return
	}
	switch kind := c.file.stat.Mode & unix.S_IFMT; {
	case kind == unix.S_IFREG:
		c.answerFile()
	case kind == unix.S_IFDIR && !c.wantsFolder():
		c.redirect()
	default: // a device, say
		c.answerStatus(http.StatusForbidden)
	}
}

// redirect sends the client to a folder's path with a slash, so that links in it
// lead where they should. The place is told relative to the path that was asked
// for: that cannot lead to another server.
func (c *conn) redirect() {
	to := url.URL{Path: path.Base(c.request.URL.Path) + "/", RawQuery: c.request.URL.RawQuery}
	c.answerStatus(http.StatusMovedPermanently, field{"Location", to.String()})
}

// unavailable answers that a file could not be opened.
func (c *conn) unavailable(err error) {
	status := statusOf(err)
	if status >= http.StatusInternalServerError {
		c.server.report("open "+c.file.name, err)
	}
	c.answerStatus(status)
}

// statusOf returns the status that tells of an error of a file.
func statusOf(err error) int {
	var errno unix.Errno
	errors.As(err, &errno)
	switch errno {
	case unix.ENOENT, unix.ENOTDIR, unix.ENAMETOOLONG, unix.ELOOP:
		return http.StatusNotFound
	case unix.EACCES, unix.EPERM, unix.EXDEV, unix.ENXIO:
		return http.StatusForbidden
	case unix.EMFILE, unix.ENFILE, unix.ENOMEM, unix.EAGAIN:
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}
