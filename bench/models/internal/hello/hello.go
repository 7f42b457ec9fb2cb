// Package hello is what the servers and their clients talk: HTTP with requests
// of one line and a few fields, and one answer for all of them.
package hello

import "bytes"

// MaxHead is how long a request may be, in bytes.
const MaxHead = 1024

// What clients send. After its answer to OneRequest the server closes the
// connection, as it does to any request of HTTP/1.0; Request leaves it open.
const (
	OneRequest = "GET / HTTP/1.0\r\n\r\n"
	Request    = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
)

// What servers send.
const (
	LastAnswer = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: 6\r\n\r\nhello\n"
	Answer     = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 6\r\n\r\nhello\n"
	BadRequest = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
)

// Servers send these bytes, which nobody changes.
var (
	lastAnswer = []byte(LastAnswer)
	answer     = []byte(Answer)
	badRequest = []byte(BadRequest)
)

var (
	endOfHead = []byte("\r\n\r\n")
	endOfLine = []byte("\r\n")
)

// Conversation is a server's side of a connection. The zero value is a new one.
type Conversation struct {
	heads [MaxHead]byte // of requests without an answer yet
	n     int
}

// Room returns where the next bytes go that come in. It is never empty once Next
// has said that there is no answer.
func (c *Conversation) Room() []byte { return c.heads[c.n:] }

// Got counts bytes that have come into the room.
func (c *Conversation) Got(n int) { c.n += n }

// Next returns the answer to the next request, which must not be written to, and
// whether it is the connection's last. There is none until a request is whole.
func (c *Conversation) Next() (next []byte, last bool) {
	head, rest, whole := bytes.Cut(c.heads[:c.n], endOfHead)
	if !whole {
		if c.n == MaxHead {
			return badRequest, true
		}
		return nil, false
	}
	next, last = answerTo(head)
	c.n = copy(c.heads[:], rest)
	return next, last
}

// answerTo returns the answer to a request, and whether the connection ends
// with it.
func answerTo(head []byte) (next []byte, last bool) {
	line, fields, _ := bytes.Cut(head, endOfLine)
	switch {
	case !bytes.HasPrefix(line, []byte("GET /")):
		return badRequest, true
	case bytes.HasSuffix(line, []byte(" HTTP/1.0")), wantsClose(fields):
		return lastAnswer, true
	case bytes.HasSuffix(line, []byte(" HTTP/1.1")):
		return answer, false
	}
	return badRequest, true
}

// wantsClose reports whether a request asks for the connection's end.
func wantsClose(fields []byte) bool {
	for line := range bytes.SplitSeq(fields, endOfLine) {
		name, value, _ := bytes.Cut(line, []byte(":"))
		if bytes.EqualFold(name, []byte("connection")) && bytes.EqualFold(bytes.TrimSpace(value), []byte("close")) {
			return true
		}
	}
	return false
}
