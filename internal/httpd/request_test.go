//go:build linux

package httpd

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestCutHead(t *testing.T) {
	line := func(n int) string { return "GET /" + strings.Repeat("a", n-len("GET /")) }
	for name, test := range map[string]struct {
		in, head, rest string
		status         int
	}{
		"nothing":                 {},
		"a part":                  {in: "GET / HTTP/1.1\r\nHost: x\r\n", rest: "GET / HTTP/1.1\r\nHost: x\r\n"},
		"whole":                   {in: "GET / HTTP/1.1\r\n\r\n", head: "GET / HTTP/1.1\r\n\r\n"},
		"with more":               {in: "GET /\r\n\r\nGET /b", head: "GET /\r\n\r\n", rest: "GET /b"},
		"without returns":         {in: "GET /\nA: b\n\nmore\r\n\r\n", head: "GET /\nA: b\n\n", rest: "more\r\n\r\n"},
		"the last line without":   {in: "GET /\r\nA: b\n\r\nmore", head: "GET /\r\nA: b\n\r\n", rest: "more"},
		"behind empty lines":      {in: "\r\n\r\n\nGET /\r\n\r\n", head: "GET /\r\n\r\n"},
		"the longest line":        {in: line(maxLine), rest: line(maxLine)},
		"too long a line":         {in: line(maxLine + 1), status: 414},
		"whole, too long a line":  {in: line(maxLine+1) + "\r\n\r\n", status: 414},
		"too much":                {in: "GET /\r\n" + strings.Repeat("a", maxHead), status: 431},
		"whole, too much":         {in: "GET /\r\n" + strings.Repeat("a", maxHead) + "\r\n\r\n", status: 431},
		"much behind a good head": {in: "GET /\n\n" + strings.Repeat("a", maxHead), head: "GET /\n\n", rest: strings.Repeat("a", maxHead)},
	} {
		head, rest, status := cutHead([]byte(test.in))
		assert.Equal(t, test.status, status, name)
		assert.Equal(t, test.head, string(head), name)
		if status == 0 {
			assert.Equal(t, test.rest, string(rest), name)
		}
	}
}

func TestParseRange(t *testing.T) {
	whole := part{0, 100}
	for in, want := range map[string]struct {
		part   part
		status int
	}{
		"bytes=0-0":                    {part{0, 1}, 206},
		"bytes=10-19":                  {part{10, 10}, 206},
		"Bytes = 10 - 19":              {part{10, 10}, 206},
		"bytes=10-":                    {part{10, 90}, 206},
		"bytes=-10":                    {part{90, 10}, 206},
		"bytes=-1000":                  {whole, 206},
		"bytes=0-99999999999999999999": {whole, 206},
		"bytes=99-100":                 {part{99, 1}, 206},
		"bytes=100-":                   {part{}, 416},
		"bytes=100-200":                {part{}, 416},
		"bytes=99999999999999999999-":  {part{}, 416},
		"bytes=-0":                     {part{}, 416},
		"bytes=20-10":                  {whole, 200},
		"bytes=0-1,5-6":                {whole, 200},
		"bytes=-":                      {whole, 200},
		"bytes=":                       {whole, 200},
		"bytes":                        {whole, 200},
		"bytes=a-b":                    {whole, 200},
		"bytes=--5":                    {whole, 200},
		"bytes=+1-2":                   {whole, 200},
		"lines=1-2":                    {whole, 200},
		"bytes=18446744073709551615-":  {part{}, 416},
		"bytes=0-9223372036854775807":  {whole, 206},
		"bytes=-9223372036854775807":   {whole, 206},
		"bytes=9223372036854775807-":   {part{}, 416},
		"bytes=50-9223372036854775808": {part{50, 50}, 206},
		"bytes=1-1-1":                  {whole, 200},
		"bytes=0x1-2":                  {whole, 200},
		"bytes=1_0-20":                 {whole, 200},
	} {
		part, status := parseRange(in, 100)
		assert.Equal(t, want.status, status, in)
		assert.Equal(t, want.part, part, in)
	}
	_, status := parseRange("bytes=-5", 0)
	assert.Equal(t, 416, status, "nothing has no last bytes")
}

func TestFolderPageQuotes(t *testing.T) {
	page := folderPage("/<&", []string{`<a>"b"`, "a:b", "100%", "?x#y"})
	assert.Contains(t, page, "<title>/&lt;&amp;</title>")
	assert.Contains(t, page, `<a href="%3Ca%3E%22b%22">&lt;a&gt;&#34;b&#34;</a>`)
	assert.Contains(t, page, `<a href="./a:b">`)
	assert.Contains(t, page, `<a href="100%25">`)
	assert.Contains(t, page, `<a href="%3Fx%23y">`)
}
