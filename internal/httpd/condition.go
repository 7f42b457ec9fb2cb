package httpd

import (
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// notModified reports whether the client has a file of that age already. A client
// that asks by an entity tag as well doesn't mean the age.
func notModified(h http.Header, modified time.Time) bool {
	since, err := http.ParseTime(h.Get("If-Modified-Since"))
	return err == nil && h.Get("If-None-Match") == "" && !modified.After(since)
}

// part is a part of a file.
type part struct{ start, length int64 }

// wantedPart returns the part of a file that is asked for, and the status of the
// answer: that of an error, if there is no such part.
func wantedPart(r *http.Request, size int64, modified time.Time) (part, int) {
	wanted := r.Header.Get("Range")
	if r.Method != http.MethodGet || wanted == "" || !sameVersion(r.Header, modified) {
		return part{0, size}, http.StatusOK
	}
	return parseRange(wanted, size)
}

// sameVersion reports whether a client that has a part has it of this file.
func sameVersion(h http.Header, modified time.Time) bool {
	if h.Get("If-Range") == "" {
		return true
	}
	had, err := http.ParseTime(h.Get("If-Range"))
	return err == nil && had.Equal(modified)
}

// parseRange understands the value of a Range field. What makes no sense, and
// more than one range, is not heeded, as the standard has it: the answer is the
// whole file.
func parseRange(s string, size int64) (part, int) {
	unit, s, _ := strings.Cut(s, "=")
	first, last, found := strings.Cut(s, "-")
	start, hasStart, ok1 := position(first)
	end, hasEnd, ok2 := position(last)
	switch {
	case !strings.EqualFold(strings.TrimSpace(unit), "bytes"), !found, !ok1, !ok2,
		!hasStart && !hasEnd, hasStart && hasEnd && end < start:
		return part{0, size}, http.StatusOK
	case !hasStart: // the last so many
		start, end = max(0, size-end), size-1
	case !hasEnd:
		end = size - 1
	}
	if start >= size {
		return part{}, http.StatusRequestedRangeNotSatisfiable
	}
	return part{start, min(end, size-1) - start + 1}, http.StatusPartialContent
}

// position understands one end of a range, which may be left out.
func position(s string) (n int64, has, ok bool) {
	s = strings.TrimSpace(s)
	if s == "" {
		return 0, false, true
	}
	u, err := strconv.ParseUint(s, 10, 63)
	if errors.Is(err, strconv.ErrRange) { // larger than any file
		return math.MaxInt64, true, true
	}
	return int64(u), true, err == nil
}
