package httpd

import (
	"net/http"
	"strconv"
	"time"

	"github.com/go-liburing/liburing"
	"golang.org/x/sys/unix"
)

// answer is what a connection is sending. Without a request there is none.
type answer struct {
	request *http.Request
	status  int
	block   []byte // memory for what is sent
	out     []byte // what is to be sent now
	sent    int64
	file    file // what is to be sent behind that
}

var noAnswer = answer{file: file{fd: -1}}

// field is a header field. One without a value is left out.
type field struct{ name, value string }

const plainText = "text/plain; charset=utf-8"

// answerStatus answers with a status and no more, as most often in trouble.
func (c *conn) answerStatus(status int, fields ...field) {
	if status == http.StatusMethodNotAllowed {
		fields = append(fields, field{"Allow", "GET, HEAD"})
	}
	text := strconv.Itoa(status) + " " + http.StatusText(status) + "\n"
	c.reply(status, plainText, text, fields...)
}

// reply answers with a text.
func (c *conn) reply(status int, contentType, text string, fields ...field) {
	c.file.left = 0
	c.head(status, int64(len(text)), append(fields, field{"Content-Type", contentType})...)
	if c.request.Method != http.MethodHead {
		c.out = append(c.out, text...)
	}
	c.send()
}

// head puts the head of an answer into the block. A length below zero is not
// told.
func (c *conn) head(status int, length int64, fields ...field) {
	if c.block == nil {
		c.block = c.server.blocks.get()
	}
	c.status = status
	b := append(c.block[:0], "HTTP/1.1 "...)
	b = strconv.AppendInt(b, int64(status), 10)
	b = append(append(b, ' '), http.StatusText(status)...)
	b = append(b, "\r\nDate: "...)
	b = time.Now().UTC().AppendFormat(b, http.TimeFormat)
	if length >= 0 {
		b = append(b, "\r\nContent-Length: "...)
		b = strconv.AppendInt(b, length, 10)
	}
	for _, f := range append(fields, field{"Connection", c.persistence()}) {
		if f.value != "" {
			b = append(append(append(append(b, "\r\n"...), f.name...), ": "...), f.value...)
		}
	}
	c.out = append(b, "\r\n\r\n"...)
}

// persistence tells the client what becomes of the connection, where it doesn't
// go without saying.
func (c *conn) persistence() string {
	switch {
	case c.last:
		return "close"
	case !c.request.ProtoAtLeast(1, 1):
		return "keep-alive"
	}
	return ""
}

// send sends what is in out. Each part that the client takes gives it time anew.
func (c *conn) send() {
	r := c.server.loop.Send(c.fd, c.out, unix.MSG_NOSIGNAL, c.wasSent)
	c.wait(r, time.Now().Add(c.server.options.Timeout))
}

func (c *conn) wasSent(done liburing.Completion) {
	n, err := done.Result()
	c.sent += int64(n)
	c.out = c.out[n:]
	switch {
	case c.isLate():
		c.end(errLate)
	case err != nil:
		c.end(err)
	case len(c.out) > 0:
		c.send()
	case c.file.left > 0:
		c.read(c.block[:0])
	default:
		c.answered()
	}
}

// over gives back what the answer has needed, and tells the log of it, if there
// is one.
func (c *conn) over(err error) {
	c.closeFile()
	c.server.blocks.put(c.block)
	if r := c.request; r != nil && c.server.options.Log != nil {
		c.server.options.Log(Entry{c.peer, r.Method, r.RequestURI, c.status, c.sent, err})
	}
	c.answer = noAnswer
}

// blockSize is how much of a file is read and sent at a time. A client that
// takes it slowly keeps no more than that of memory.
const blockSize = 128 << 10

// blocks are blocks that no answer uses now, so that not each makes one.
type blocks [][]byte

// maxBlocks is how many are kept after many clients at once.
const maxBlocks = 64

func (b *blocks) get() []byte {
	last := len(*b) - 1
	if last < 0 {
		return make([]byte, blockSize)
	}
	block := (*b)[last]
	*b = (*b)[:last]
	return block
}

func (b *blocks) put(block []byte) {
	if block != nil && len(*b) < maxBlocks {
		*b = append(*b, block)
	}
}
