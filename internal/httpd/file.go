package httpd

import (
	"cmp"
	"fmt"
	"io"
	"mime"
	"net/http"
	"path"
	"time"

	"github.com/go-liburing/liburing"
)

// file is a file that is being sent.
type file struct {
	fd   int
	name string
	stat liburing.Statx
	off  int64 // where the part begins that is still to be read
	left int64 // and how long it is
}

func (f *file) modified() time.Time { return time.Unix(f.stat.Mtime.Sec, 0).UTC() }

func (c *conn) closeFile() {
	if c.file.fd >= 0 {
		c.server.closeFD(c.file.fd)
		c.file.fd = -1
	}
}

// answerFile answers with a file, unless the client has it.
func (c *conn) answerFile() {
	if notModified(c.request.Header, c.file.modified()) {
		c.head(http.StatusNotModified, -1, c.lastModified())
		c.send()
		return
	}
	if known := mime.TypeByExtension(path.Ext(c.file.name)); known != "" {
		c.answerContent(known)
		return
	}
	c.sniff(c.answerContent)
}

func (c *conn) lastModified() field {
	return field{"Last-Modified", c.file.modified().Format(http.TimeFormat)}
}

// sniffed is as much as http.DetectContentType looks at.
const sniffed = 512

// sniff finds out the type of a file by what it begins with.
func (c *conn) sniff(then func(contentType string)) {
	c.block = c.server.blocks.get()
	c.server.loop.Read(c.file.fd, c.block[:sniffed], 0, func(done liburing.Completion) {
		n, err := done.Result()
		if err != nil {
			c.unreadable(err)
			return
		}
		then(http.DetectContentType(c.block[:n]))
	})
}

// answerContent answers with a file, or the part of it that is asked for.
func (c *conn) answerContent(contentType string) {
	size := int64(c.file.stat.Size)
	part, status := wantedPart(c.request, size, c.file.modified())
	if status == http.StatusRequestedRangeNotSatisfiable {
		c.answerStatus(status, field{"Content-Range", fmt.Sprintf("bytes */%d", size)})
		return
	}
	fields := []field{c.lastModified(), {"Content-Type", contentType}, {"Accept-Ranges", "bytes"}}
	if status == http.StatusPartialContent {
		where := fmt.Sprintf("bytes %d-%d/%d", part.start, part.start+part.length-1, size)
		fields = append(fields, field{"Content-Range", where})
	}
	c.head(status, part.length, fields...)
	if c.request.Method != http.MethodHead {
		c.file.off, c.file.left = part.start, part.length
	}
	if c.file.left == 0 {
		c.send()
		return
	}
	c.read(c.out)
}

// read reads the next part of the file behind begin, which is in the block, and
// sends both.
func (c *conn) read(begin []byte) {
	room := c.block[len(begin):]
	room = room[:min(int64(len(room)), c.file.left)]
	c.server.loop.Read(c.file.fd, room, uint64(c.file.off), func(done liburing.Completion) {
		n, err := done.Result()
		if n == 0 {
			c.unreadable(cmp.Or(err, io.ErrUnexpectedEOF)) // it has become shorter
			return
		}
		c.file.off += int64(n)
		c.file.left -= int64(n)
		c.out = c.block[:len(begin)+n]
		c.send()
	})
}

// unreadable answers that a file could not be read, or, since the client has been
// told how much to expect, ends the connection.
func (c *conn) unreadable(err error) {
	c.server.report("read "+c.file.name, err)
	if c.sent > 0 {
		c.end(err)
		return
	}
	c.answerStatus(http.StatusInternalServerError)
}
