package main

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/go-liburing/liburing"
)

// client is one connection.
type client struct {
	*server
	in      *liburing.Stream
	out     *liburing.Writer
	rest    []byte       // of a command that has not come whole
	answers bytes.Buffer // that wait for the log
	waiting bool         // for the log
	gone    bool
}

func (c *client) received(got liburing.Completion) {
	data := got.Buffer()
	if len(c.rest) > 0 {
		c.rest = append(c.rest, data...)
		data = c.rest
	}
	left, err := c.obey(data)
	switch {
	case err != nil:
		fmt.Fprintf(&c.answers, "-ERR Protocol error: %v\r\n", err)
		c.gone = true
		c.in.Stop()
	case !got.More(): // the end, or a reset
		c.gone = true
	default:
		c.rest = append(c.rest[:0], left...)
	}
	c.answer()
}

// answer sends the answers, unless some of them may be given only when the log has
// what they confirm; later ones wait too, for they come in order.
func (c *client) answer() {
	if c.waiting {
		return
	}
	if _, err := c.out.Write(c.answers.Bytes()); err != nil {
		c.in.Stop()
		c.out.Abort(nil)
		return
	}
	c.answers.Reset()
	if c.gone {
		c.out.Close(nil)
	}
}

// committed is called when the log has what this client changed.
func (c *client) committed() {
	c.waiting = false
	c.answer()
}

// obey carries out the commands in data, and returns what is left of it.
func (c *client) obey(data []byte) (left []byte, err error) {
	for {
		args, rest, err := parse(data)
		if err != nil || args == nil {
			return data, err
		}
		if len(args) > 0 && c.do(args) { // it changes something
			c.log.append(data[:len(data)-len(rest)])
			if !c.waiting {
				c.waiting = true
				c.log.tell(c)
			}
		}
		data = rest
	}
}

// do carries out one command, and reports whether it has changed anything.
func (c *client) do(args [][]byte) (changed bool) {
	out := &c.answers
	switch name := strings.ToUpper(string(args[0])); {
	case name == "PING" && len(args) == 1:
		out.WriteString("+PONG\r\n")
	case name == "GET" && len(args) == 2:
		if value, ok := c.data[string(args[1])]; ok {
			fmt.Fprintf(out, "$%d\r\n%s\r\n", len(value), value)
		} else {
			out.WriteString("$-1\r\n")
		}
	case name == "SET" && len(args) == 3:
		c.data[string(args[1])] = string(args[2])
		out.WriteString("+OK\r\n")
		return true
	case name == "DEL" && len(args) > 1:
		before := len(c.data)
		for _, key := range args[1:] {
			delete(c.data, string(key))
		}
		fmt.Fprintf(out, ":%d\r\n", before-len(c.data))
		return before != len(c.data)
	case name == "INCR" && len(args) == 2:
		n, err := strconv.ParseInt(c.data[string(args[1])], 10, 64)
		if c.data[string(args[1])] != "" && err != nil || n == 1<<63-1 {
			out.WriteString("-ERR value is not an integer or out of range\r\n")
			return false
		}
		c.data[string(args[1])] = strconv.FormatInt(n+1, 10)
		fmt.Fprintf(out, ":%d\r\n", n+1)
		return true
	default:
		fmt.Fprintf(out, "-ERR unknown command or wrong number of arguments: %.32q\r\n", name)
	}
	return false
}

const (
	mostArgs  = 1024
	mostBytes = 1 << 20 // of an argument
)

var errTooLong = errors.New("too long")

// parse takes a command apart: an array of strings, or a line of words. Without a
// whole one args is nil.
func parse(data []byte) (args [][]byte, rest []byte, err error) {
	line, rest, ok := bytes.Cut(data, []byte("\r\n"))
	switch {
	case !ok && len(data) > mostBytes:
		return nil, nil, errTooLong
	case !ok:
		return nil, data, nil
	case len(line) == 0 || line[0] != '*':
		return append([][]byte{}, bytes.Fields(line)...), rest, nil
	}
	count, err := strconv.Atoi(string(line[1:]))
	if err != nil || count > mostArgs {
		return nil, nil, errors.New("invalid multibulk length")
	}
	args = [][]byte{}
	for range count {
		head, body, ok := bytes.Cut(rest, []byte("\r\n"))
		if !ok && len(rest) < 32 {
			return nil, data, nil
		}
		size, err := strconv.Atoi(string(bytes.TrimPrefix(head, []byte("$"))))
		if !bytes.HasPrefix(head, []byte("$")) || err != nil || size < 0 || size > mostBytes {
			return nil, nil, errors.New("invalid bulk length")
		}
		if len(body) < size+2 {
			return nil, data, nil
		}
		args, rest = append(args, body[:size]), body[size+2:]
	}
	return args, rest, nil
}
