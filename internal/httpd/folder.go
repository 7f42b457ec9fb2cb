package httpd

import (
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/go-liburing/liburing"
)

// maxListed is how many names of a folder are told.
const maxListed = 10000

// openedFolder reads a folder. There is no request for that in io_uring, so a
// goroutine does it while the loop goes on, and posts what it has found.
func (c *conn) openedFolder(done liburing.Completion) {
	fd, err := done.Result()
	if err != nil {
		c.unavailable(err)
		return
	}
	name := c.file.name
	go func() {
		names, err := readFolder(fd, name)
		c.server.loop.Post(func() { c.answerFolder(names, err) })
	}()
}

// readFolder returns what is in a folder, sorted, folders with a slash behind
// their names, and closes it.
func readFolder(fd int, name string) (names []string, err error) {
	dir := os.NewFile(uintptr(fd), name)
	defer dir.Close()
	entries, err := dir.ReadDir(maxListed)
	if errors.Is(err, io.EOF) { // it is empty
		err = nil
	}
	for _, e := range entries {
		if e.IsDir() {
			names = append(names, e.Name()+"/")
		} else {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	return names, err
}

func (c *conn) answerFolder(names []string, err error) {
	if err != nil {
		c.unreadable(err)
		return
	}
	c.reply(http.StatusOK, "text/html; charset=utf-8", folderPage(c.request.URL.Path, names))
}

// folderPage returns the page that lists a folder.
func folderPage(path string, names []string) string {
	var page strings.Builder
	title := html.EscapeString(path)
	fmt.Fprintf(&page, "<!DOCTYPE html>\n<meta charset=\"utf-8\">\n<title>%s</title>\n<h1>%s</h1>\n<ul>\n", title, title)
	for _, name := range names {
		link := url.URL{Path: name}
		fmt.Fprintf(&page, "<li><a href=\"%s\">%s</a></li>\n", html.EscapeString(link.String()), html.EscapeString(name))
	}
	page.WriteString("</ul>\n")
	if len(names) == maxListed {
		page.WriteString("<p>There may be more.</p>\n")
	}
	return page.String()
}
