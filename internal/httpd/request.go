package httpd

import (
	"bytes"
	"net/http"
	"strings"
)

const (
	maxLine = 8 << 10  // of the request line
	maxHead = 16 << 10 // of the whole head
)

// cutHead cuts the head of a request off what has been received. It is nil if it
// is not whole yet; a status tells that there is no sense in waiting for more.
func cutHead(in []byte) (head, rest []byte, status int) {
	in = bytes.TrimLeft(in, "\r\n") // an empty line is no request
	end := headEnd(in)
	if status := tooLong(in, end); status != 0 || end < 0 {
		return nil, in, status
	}
	return in[:end], in[end:], 0
}

// headEnd returns where the head ends, below zero if not here. Lines may end
// without the carriage return.
func headEnd(in []byte) int {
	end := -1
	for _, empty := range []string{"\n\r\n", "\n\n"} {
		if i := bytes.Index(in, []byte(empty)); i >= 0 && (end < 0 || i+len(empty) < end) {
			end = i + len(empty)
		}
	}
	return end
}

// tooLong returns a status for a head, whole or not, that is too long.
func tooLong(in []byte, end int) int {
	if end < 0 {
		end = len(in)
	}
	line := bytes.IndexByte(in, '\n')
	if line < 0 {
		line = end
	}
	switch {
	case line > maxLine:
		return http.StatusRequestURITooLong
	case end > maxHead:
		return http.StatusRequestHeaderFieldsTooLarge
	}
	return 0
}

// parse understands the head of a request. A status tells what is wrong with it;
// without a request not even that much can be understood that another may follow.
func (s *Server) parse(head []byte) (*http.Request, int) {
	s.parser.Reset(bytes.NewReader(head))
	r, err := http.ReadRequest(s.parser)
	switch {
	case err != nil:
		return nil, http.StatusBadRequest
	case r.ProtoMajor != 1:
		return nil, http.StatusHTTPVersionNotSupported
	case !goodNames(r.Header):
		return nil, http.StatusBadRequest
	case r.ProtoAtLeast(1, 1) && r.Host == "":
		return nil, http.StatusBadRequest
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		return r, http.StatusMethodNotAllowed
	case strings.IndexByte(r.URL.Path, 0) >= 0: // no file's name has it
		return r, http.StatusBadRequest
	}
	return r, 0
}

// goodNames reports whether the fields' names are made of what they may be made
// of. http.ReadRequest takes "Content-Length " for a field that it does not know,
// where a proxy in front may see a length: a request could be hidden from it.
func goodNames(fields http.Header) bool {
	for name := range fields {
		if strings.Trim(name, tokenChars) != "" {
			return false
		}
	}
	return true
}

const tokenChars = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
